"""A worker process of `edge_runtime.batch`: one engine that classifies the files it is told.

    python -m edge_runtime.worker ARGUMENTS    JSON, see `Classifier.arguments`

It reads lists of file names from standard input and answers each with a list of results, both
marshalled: either (index, score) pairs, or an error's class and message.
"""

from __future__ import annotations

import json
import marshal
import os
import signal
import sys
from typing import Any, BinaryIO

from edge_runtime.errors import EdgeRuntimeError


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the caller decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    from edge_runtime.classifier import Classifier

    arguments = json.loads(sys.argv[1])
    top_k = arguments.pop("top_k")
    classifier = Classifier(**arguments)
    questions: BinaryIO = sys.stdin.buffer
    while True:
        try:
            names = marshal.load(questions)
        except EOFError:
            os._exit(0)
        try:
            marshal.dump([_answer(classifier, name, top_k) for name in names], answers)
            answers.flush()
        except BrokenPipeError:  # the caller has gone
            os._exit(0)


def _answer(classifier: Any, name: str, top_k: int) -> list[tuple[int, float]] | tuple[str, str]:
    try:
        predictions = classifier.classify(name, top_k=top_k)
    except EdgeRuntimeError as exc:
        return type(exc).__name__, str(exc)
    return [(p.index, p.score) for p in predictions]


if __name__ == "__main__":
    _main()
