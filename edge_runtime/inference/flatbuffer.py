"""Reading a few fields of a flatbuffer without its generated schema.

The format is that of https://flatbuffers.dev/internals/. Every offset is checked, so that a damaged
file raises only ValueError or struct.error. Uses the standard library only, because LiteRT's
generated schema costs the command 14 to 21 ms at start.
"""

from __future__ import annotations

import mmap
import struct

Buffer = bytes | mmap.mmap


class Table:
    """A table, whose fields are read by their number in the schema; missing ones are empty or 0."""

    def __init__(self, data: Buffer, at: int) -> None:
        self._data, self._at = data, inside(at, data)
        (back,) = struct.unpack_from("<i", data, at)
        self._vtable = inside(at - back, data)
        (self._vtable_bytes,) = struct.unpack_from("<H", data, self._vtable)

    @classmethod
    def root(cls, data: Buffer) -> Table:
        """Return the root table of a flatbuffer."""
        return cls(data, _u32(data, 0))

    def byte(self, number: int) -> int:
        """Return an unsigned byte, or an enum that is stored as one."""
        at = self._field(number)
        return self._data[inside(at, self._data)] if at else 0

    def u32(self, number: int) -> int:
        """Return an unsigned 32-bit number."""
        at = self._field(number)
        return _u32(self._data, at) if at else 0

    def floats(self, number: int) -> tuple[float, ...]:
        """Return a vector of 32-bit floats."""
        start, count = self._vector(number, 4)
        return struct.unpack_from(f"<{count}f", self._data, start)

    def bytes(self, number: int) -> bytes:
        """Return a vector of bytes, or a string."""
        start, count = self._vector(number, 1)
        return self._data[start : start + count]

    def table(self, number: int) -> Table | None:
        """Return a table that this one points to, or None."""
        at = self._field(number)
        return Table(self._data, at + _u32(self._data, at)) if at else None

    def tables(self, number: int) -> list[Table]:
        """Return a vector of tables."""
        start, count = self._vector(number, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self._data, at + _u32(self._data, at)) for at in places]

    def _field(self, number: int) -> int:
        """Return the offset of a field, or 0 if there is none."""
        slot = 4 + 2 * number  # after the lengths of the vtable and of the table
        if slot >= self._vtable_bytes:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._vtable + slot)
        return self._at + offset if offset else 0

    def _vector(self, number: int, item_bytes: int) -> tuple[int, int]:
        """Return the offset of a vector's first item, and the number of items."""
        at = self._field(number)
        if not at:
            return 0, 0
        at += _u32(self._data, at)
        count = _u32(self._data, at)
        if at + 4 + item_bytes * count > len(self._data):
            raise ValueError("a vector runs past the end of the file")
        return at + 4, count


def inside(at: int, data: Buffer) -> int:
    """Return the offset `at` if it lies inside `data`.

    Negative offsets need this check most, because Python would count them from the end.

    Raises:
        ValueError: it points outside `data`.
    """
    if not 0 <= at < len(data):
        raise ValueError("an offset points outside the file")
    return at


def _u32(data: Buffer, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value
