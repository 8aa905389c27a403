import struct

import pytest

from edge_runtime.inference.flatbuffer import Table, inside
from tests.edge_runtime.inference.model_files import flatbuffer

DATA = flatbuffer({0: "name", 1: 7, 3: {1: b"bytes"}, 4: [{0: "first"}, {0: "second"}]})


def test_fields_are_read_by_their_numbers():
    root = Table.root(DATA)
    assert root.bytes(0) == b"name"
    assert root.byte(1) == 7
    inner = root.table(3)
    assert inner is not None
    assert inner.bytes(1) == b"bytes"
    assert [table.bytes(0) for table in root.tables(4)] == [b"first", b"second"]


@pytest.mark.parametrize("number", [2, 5, 100])
def test_missing_fields_are_empty(number):
    root = Table.root(DATA)
    assert (root.bytes(number), root.byte(number), root.u32(number)) == (b"", 0, 0)
    assert (root.floats(number), root.table(number), root.tables(number)) == ((), None, [])


@pytest.mark.parametrize("offset", [-1, 4, 1 << 40])
def test_offsets_outside_the_file_are_rejected(offset):
    with pytest.raises(ValueError, match="outside the file"):
        inside(offset, b"abcd")


@pytest.mark.parametrize("length", range(0, len(DATA) - 8, 3))
def test_a_file_that_is_cut_short_raises(length):
    """The root table lies at the front and what its fields point to behind it."""
    with pytest.raises((ValueError, struct.error)):
        root = Table.root(DATA[:length])
        root.bytes(0)
        [table.bytes(0) for table in root.tables(4)]
