"""The results of images, one after the other or, if there are many, from a pool of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import chain, islice
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar

from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.inference.placement import ON_CPU
from edge_runtime.inputs.urls import shown
from edge_runtime.results import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.model import Model
    from edge_runtime.inference.preprocessing import ImageLike
    from edge_runtime.inference.second_opinion import Opinion, SecondOpinion
    from edge_runtime.inputs.names import Source

T = TypeVar("T")

WORTHWHILE = 64  # fewer images are done before a second Python has started
_GATHERED = 16  # images before the model's turn; a worker process gets as many at a time


def classify_files(
    model: Model, sources: Iterable[Source], *, top_k: int = 1
) -> Iterator[tuple[str, Result]]:
    """Yield the name and the result of every image, in order.

    Args:
        model: its `processes` is the number of processes. With one, with few images, or on
            an accelerator, this process does everything.
        sources: read only as far ahead as the workers need.
        top_k: how many classes an image gets.

    Raises:
        ValueError: `top_k` is not positive.
    """
    top_k = index(top_k)
    if top_k < 1:
        raise ValueError(f"Expected `top_k` to be at least 1, but got {top_k!r}.")
    sources = iter(sources)
    # There is only one GPU, and more processes would queue for it.
    shared = model.processes > 1 and model.placement.delegate in ON_CPU
    first = list(islice(sources, WORTHWHILE if shared else 0))
    sources = chain(first, sources)
    pool = None
    if len(first) == WORTHWHILE:
        from edge_runtime.jobs.pool import Pool

        with suppress(OSError):  # this system may start no process
            pool = Pool(model, processes=model.processes, top_k=top_k)
    if pool is None:
        for source in sources:
            yield source.name, classify_source(model, source, top_k=top_k)
        return
    try:
        yield from pool.results(sources)
    finally:
        pool.close()


def classify_source(model: Model, source: Source, *, top_k: int) -> Result:
    """Return the result of a source.

    Args:
        source: an image's name, or its content, or the reason why there is no image.
    """
    if source.error is not None:
        return Result(error=source.error)
    return classify_image(model, opened(source), top_k=top_k)


def opened(source: Source) -> str | BytesIO:
    """Return a source's image as `Model.classify` takes it: a name, or an open file."""
    if source.content is None:
        return source.name
    image = BytesIO(source.content)
    image.name = shown(source.name)  # what errors call it
    return image


def classify_images(model: Model, images: Iterable[ImageLike], *, top_k: int) -> Iterator[Result]:
    """Yield the results of several images, in order.

    They go through the model in batches, unless each has several views. A second model is asked
    about the unsure images of a chunk after the first has seen all of them.

    Args:
        images: as for `classify_image`, as are the errors raised.
    """
    images = iter(images)
    while chunk := list(islice(images, _GATHERED)):
        if model.second is not None:
            yield from _classify_twice(model, model.second, chunk, top_k)
        elif model.views > 1:
            yield from (classify_image(model, image, top_k=top_k) for image in chunk)
        else:
            yield from _classify_together(model, chunk, top_k)


def classify_image(model: Model, image: ImageLike, *, top_k: int) -> Result:
    """Return the result of one image, with an error instead of raising it.

    Args:
        image: as for `Model.classify`.

    Raises:
        ValueError: `top_k` is not positive, or the model is closed.
    """
    try:
        return model.classify(image, top_k=top_k)
    except EdgeRuntimeError as exc:
        return Result(error=exc)


def _classify_together(model: Model, images: Sequence[ImageLike], top_k: int) -> Iterator[Result]:
    """Yield the results of a chunk of images by one model."""
    inputs = [_attempt(model.preprocessing, image) for image in images]
    tensors = [tensor for tensor in inputs if not isinstance(tensor, Result)]
    outputs: list[NDArray[Any] | Result]
    try:
        outputs = [*model.invoke_all(tensors)]
    except ModelError:  # maybe on one of them
        outputs = [_attempt(model.invoke, tensor) for tensor in tensors]
    left = iter(outputs)
    for tensor in inputs:
        output = tensor if isinstance(tensor, Result) else next(left)
        if isinstance(output, Result):
            yield output
        else:
            yield _attempt(_result, model, output, top_k)


def _classify_twice(
    model: Model, second: SecondOpinion, images: Sequence[ImageLike], top_k: int
) -> Iterator[Result]:
    """Yield the results of a chunk of images by a model and its second one."""
    opinions = [_attempt(second.ask_first, model, image) for image in images]
    for opinion in opinions:
        if isinstance(opinion, Result):  # the image or the first model failed
            yield opinion
        else:
            yield _attempt(_result_of_both, model, second, opinion, top_k)


def _result(model: Model, output: NDArray[Any], top_k: int) -> Result:
    return model.result(model.scores_of(output), model.name, top_k=top_k)


def _result_of_both(model: Model, second: SecondOpinion, opinion: Opinion, top_k: int) -> Result:
    return model.result(second.decide(opinion), opinion.name, top_k=top_k)


def _attempt(function: Callable[..., T], *arguments: Any, **options: Any) -> T | Result:
    """Call a function, and return an error as a result instead of raising it."""
    try:
        return function(*arguments, **options)
    except EdgeRuntimeError as exc:
        return Result(error=exc)
