"""What a pool and its worker processes say to each other, through pipes.

A message is a line of JSON. A list of images is followed by the content of those that have any:

    [["cat.png", null], ["-", 1024]]     names and sizes, then 1,024 bytes
    [{"predictions": [[3, 0.97]], "accepted": true, "model": "cnn-int8"}, ...]
    [{"error": ["ImageError", "There is no file x.png; check the name."]}, ...]

Labels stay with the pool, because a worker would repeat them for every image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

from edge_runtime import errors
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inputs.names import Source
from edge_runtime.results import Prediction, Result


def dump(value: Any) -> bytes:
    """Return a message of JSON alone."""
    return json.dumps(value).encode() + b"\n"


def load(stream: IO[bytes]) -> Any:
    """Read a message of JSON alone; None if the other side has ended, even inside a message."""
    line = stream.readline()
    return json.loads(line) if line.endswith(b"\n") else None


def dump_images(sources: Sequence[Source]) -> bytes:
    """Return the message that asks for the results of some images."""
    head = [[s.name, None if s.content is None else len(s.content)] for s in sources]
    return b"".join([dump(head), *(s.content for s in sources if s.content is not None)])


def load_images(stream: IO[bytes]) -> list[Source] | None:
    """Read a message of `dump_images`; None if the other side has ended, even inside it."""
    head = load(stream)
    if head is None:
        return None
    sources = []
    for name, size in head:
        content = None if size is None else stream.read(size)
        if content is not None and len(content) != size:
            return None
        sources.append(Source(name, content=content))
    return sources


def dump_results(results: Iterable[Result]) -> bytes:
    """Return the message that answers a message of `dump_images`."""
    return dump([_reduced(result) for result in results])


def load_results(stream: IO[bytes], labels: Sequence[str]) -> list[Result] | None:
    """Read a message of `dump_results`; None if the other side has ended, even inside it.

    Args:
        labels: class names in the order of the scores.
    """
    answers = load(stream)
    return None if answers is None else [_restored(answer, labels) for answer in answers]


def _reduced(result: Result) -> dict[str, Any]:
    if result.error is not None:
        return {"error": [type(result.error).__name__, str(result.error)]}
    return {
        "predictions": [[p.index, p.score] for p in result],
        "accepted": result.accepted,
        "model": result.model,
    }


def _restored(answer: dict[str, Any], labels: Sequence[str]) -> Result:
    if "error" in answer:
        kind, message = answer["error"]
        error: EdgeRuntimeError = getattr(errors, kind)(message)
        return Result(error=error)
    return Result(
        predictions=tuple(Prediction(labels[i], i, score) for i, score in answer["predictions"]),
        accepted=answer["accepted"],
        model=answer["model"],
    )
