"""A worker process of `edge_runtime.jobs.pool`: one model that classifies the images it gets.

    python -m edge_runtime.jobs.worker

It reads from standard input a `Copy` of the model and `top_k` as JSON, then lists of images, and
answers each list on standard output; see `edge_runtime.jobs.messages`.
"""

from __future__ import annotations

import os
import signal
import sys

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import Model
from edge_runtime.inputs.decode import without_warnings
from edge_runtime.jobs.copies import Copy
from edge_runtime.jobs.files import classify_images, opened
from edge_runtime.jobs.messages import dump_results, load, load_images
from edge_runtime.results import Result
from edge_runtime.support import native_log


def _main() -> None:
    # The pool shields its workers from Ctrl-C, except on Windows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    native_log.silence()
    setup = load(sys.stdin.buffer)
    if setup is None:
        os._exit(0)
    top_k = setup.pop("top_k")
    model: Model | EdgeRuntimeError
    try:
        model = Copy(**setup).open()
    except EdgeRuntimeError as exc:  # the file has changed since the pool's process opened it
        model = exc
    while (sources := load_images(sys.stdin.buffer)) is not None:
        if isinstance(model, EdgeRuntimeError):
            results = [Result(error=model)] * len(sources)
        else:
            with without_warnings:  # once for all of them
                results = list(classify_images(model, map(opened, sources), top_k=top_k))
        try:
            answers.write(dump_results(results))
            answers.flush()
        except BrokenPipeError:  # the pool's process has ended
            break
    os._exit(0)


if __name__ == "__main__":
    _main()
