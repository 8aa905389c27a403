"""A worker process of `edge_runtime.jobs.pool`: one engine that classifies the files it is told.

    python -m edge_runtime.jobs.worker

It reads from standard input the classifier's arguments as JSON, see `Classifier.arguments`, then
lists of images, files' names or (name, content) pairs, and answers each list with a list of
results: either (index, score) pairs, or an error's class and message. All is marshalled.
"""

from __future__ import annotations

import json
import marshal
import os
import signal
import sys
from io import BytesIO
from typing import Any, BinaryIO

from edge_runtime.errors import EdgeRuntimeError


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the caller decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    from edge_runtime.classifier import Classifier
    from edge_runtime.support import native_log

    native_log.silence()
    questions: BinaryIO = sys.stdin.buffer
    arguments = json.loads(marshal.load(questions))
    top_k = arguments.pop("top_k")
    classifier: Classifier | EdgeRuntimeError
    try:
        classifier = Classifier(**arguments)
    except EdgeRuntimeError as exc:  # its file has changed since the caller opened it
        classifier = exc
    while True:
        try:
            images = marshal.load(questions)
        except EOFError:
            os._exit(0)
        try:
            marshal.dump([_answer(classifier, image, top_k) for image in images], answers)
            answers.flush()
        except BrokenPipeError:  # the caller has gone
            os._exit(0)


def _answer(
    classifier: Any, image: str | tuple[str, bytes], top_k: int
) -> list[tuple[int, float]] | tuple[str, str]:
    if isinstance(classifier, EdgeRuntimeError):
        return type(classifier).__name__, str(classifier)
    try:
        predictions = classifier.classify(_opened(image), top_k=top_k)
    except EdgeRuntimeError as exc:
        return type(exc).__name__, str(exc)
    return [(p.index, p.score) for p in predictions]


def _opened(image: str | tuple[str, bytes]) -> str | BytesIO:
    if isinstance(image, str):
        return image
    stream = BytesIO(image[1])
    stream.name = image[0]
    return stream


if __name__ == "__main__":
    _main()
