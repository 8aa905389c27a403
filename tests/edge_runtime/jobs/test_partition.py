"""The list of images of a cluster's job is cut into parts."""

from edge_runtime.inputs.names import Source
from edge_runtime.jobs.partition import Part, cut


def test_parts_are_cut_in_the_same_way_and_grow():
    def sources(count):
        return (Source(f"{number}.png") for number in range(count))

    parts = list(cut(sources(50_000)))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert [s.name for part in parts for s in part.sources] == [s.name for s in sources(50_000)]
    assert [(p.number, p.digest) for p in cut(sources(50_000))] == [
        (part.number, part.digest) for part in parts
    ]
    sizes = [len(part.sources) for part in parts]
    assert sizes[:50] == [200] * 50
    assert sizes[50] == 400
    assert sizes[:-1] == sorted(sizes[:-1])


def test_a_part_of_other_files_has_another_digest():
    one, other = (Part(0, [Source(name)]) for name in ("a\udcff.png", "b.png"))
    assert one.digest != other.digest


def test_the_list_is_read_as_it_is_needed():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Source("a.png")

    next(cut(endless()))
    assert taken <= 200
