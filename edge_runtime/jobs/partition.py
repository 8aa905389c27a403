"""The parts that a cluster job is cut into, and what became of them.

Both travel through Ray as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from edge_runtime.errors import ImageError
from edge_runtime.inputs.names import Source

_FIRST_IMAGES, _MAX_IMAGES = 200, 20_000
_PARTS_PER_SIZE = 50


class Part(NamedTuple):
    """A piece of the list of images, which an actor classifies and writes at a time.

    Attributes:
        number: its place among all parts.
        sources: its images.
    """

    number: int
    sources: list[Source]

    @property
    def digest(self) -> str:
        """A hash of the sources' names, so that a part of other images has another name."""
        names = "\n".join(source.name for source in self.sources)
        return sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the part as JSON, which escapes names of files that are invalid UTF-8."""
        sources = [[s.name, None if s.error is None else str(s.error)] for s in self.sources]
        return json.dumps([self.number, sources])

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Return the part that `to_json` described."""
        number, sources = json.loads(text)
        return cls(
            number,
            [Source(name, error=None if e is None else ImageError(e)) for name, e in sources],
        )


class Done(NamedTuple):
    """What became of a part.

    Attributes:
        name: its file.
        images: how many images it has.
        failed: how many of them failed.
        kept: whether a previous run wrote it.
        complaints: why images failed, unless a previous run has said so.
        asked: about how many images a second model was asked, unless a previous run did.
    """

    name: str
    images: int
    failed: int
    kept: bool
    complaints: list[str]
    asked: int = 0

    def to_json(self) -> str:
        """Return what became of the part as JSON."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> Done:
        """Return the object that `to_json` described."""
        return cls(*json.loads(text))


def cut(sources: Iterable[Source]) -> Iterator[Part]:
    """Cut the list of images into parts, the same list always in the same way.

    Parts grow. So a few thousand images keep many cores busy, and a hundred million make no more
    than 7,500 files.
    """
    sources = iter(sources)
    number = 0
    while piece := list(
        islice(sources, min(_FIRST_IMAGES * (1 + number // _PARTS_PER_SIZE), _MAX_IMAGES))
    ):
        yield Part(number, piece)
        number += 1
