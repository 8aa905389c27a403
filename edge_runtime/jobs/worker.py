"""A worker process of `edge_runtime.jobs.pool`: one model that classifies the images it gets.

    python -m edge_runtime.jobs.worker

It reads from standard input `Model`'s arguments and `top_k` as JSON, then lists of images, and
answers each list on standard output; see `edge_runtime.jobs.messages`.
"""

from __future__ import annotations

import os
import signal
import sys
from io import BytesIO

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.model import Model
from edge_runtime.inputs.names import Source
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs.messages import dump_results, load, load_images
from edge_runtime.results import Result
from edge_runtime.support import native_log


def classify_source(model: Model, source: Source, *, top_k: int) -> Result:
    """Return the result of one image, also if it is an error.

    Args:
        source: an image's name, or its content, or the reason why there is no image.
    """
    if source.error is not None:
        return Result(error=source.error)
    image: str | BytesIO = source.name
    if source.content is not None:
        image = BytesIO(source.content)
        image.name = shown(source.name)  # what errors call it
    try:
        return model.classify(image, top_k=top_k)
    except EdgeRuntimeError as exc:
        return Result(error=exc)


def _main() -> None:
    # The terminal sends SIGINT to all processes; the pool's decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    native_log.silence()
    arguments = load(sys.stdin.buffer)
    if arguments is None:
        os._exit(0)
    top_k = arguments.pop("top_k")
    model: Model | EdgeRuntimeError
    try:
        model = Model(**arguments)
    except EdgeRuntimeError as exc:  # the file has changed since the pool's process opened it
        model = exc
    while (sources := load_images(sys.stdin.buffer)) is not None:
        if isinstance(model, EdgeRuntimeError):
            results = [Result(error=model)] * len(sources)
        else:
            results = [classify_source(model, source, top_k=top_k) for source in sources]
        try:
            answers.write(dump_results(results))
            answers.flush()
        except BrokenPipeError:  # the pool's process has ended
            break
    os._exit(0)


if __name__ == "__main__":
    _main()
