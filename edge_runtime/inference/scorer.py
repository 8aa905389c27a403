"""`Scorer`: one .tflite file, loaded, from images to the scores of its classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.inference.batching import Batching
from edge_runtime.inference.loading import (
    choose_labels,
    load,
    reopen,
    require_unchanged,
    samples,
    settle,
    stamp,
)
from edge_runtime.inference.metadata import matching
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.scores import decide, mean, score_table, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edge_runtime.inference.engine import Engine
    from edge_runtime.inference.options import Options
    from edge_runtime.inference.placement import Placement
    from edge_runtime.inference.preprocessing import ImageLike


class Scorer:
    """A .tflite file that gives the scores of images.

    A scorer is a context manager, and several threads may use it at once.

    Attributes:
        options: what the caller asked for.
        metadata: what the file says, as far as it fits the graph.
        path: the model file.
        absolute_path: the same, because the working directory may change.
        stamp: tells the file from another one that takes its place.
        name: the file's name without suffix, which results carry.
        labels: class names in the order of the scores.
        delegate: the delegate that was asked for.
        placement: what runs the model: the delegate, its operations, and those outside it.
        preprocessing: turns an image into the model's input.
        reason: why `auto` chose this delegate; empty for others.
        assumptions: what neither the file nor the caller specified.
        warnings: what the file's metadata says that could not be used, unless the caller's
            arguments make up for all of it.
        threads: CPU threads for one image.
        processes: number of processes that share the images of a large batch.
        fit: how images of another shape are made to fit.
        views: how many views of an image are averaged at most.
        allow_urls: whether images and streams may be named by URLs.
    """

    def __init__(self, options: Options) -> None:
        """Load a model file.

        Raises:
            ModelError: the file is damaged, or no image classifier, or changes meanwhile.
            OptionError: the labels, `mean` or `std` do not fit the model.
            DelegateError: the delegate is not available, does not take the model, or computes
                it wrongly.
        """
        self.options = options
        self.path, self.delegate = options.path, options.delegate
        self.allow_urls, self.views = options.allow_urls, options.views
        self.name = options.path.stem
        self.absolute_path = options.path.absolute()
        self.stamp = stamp(options.path)
        loaded = load(options)
        engine = loaded.engine
        self.threads, self.processes = loaded.threads, loaded.processes
        self.metadata = metadata = matching(
            loaded.metadata, channels=engine.input.shape[3], classes=engine.output.shape[-1]
        )
        everything = (options.labels, options.mean, options.std, options.fit)
        self.warnings = metadata.warnings if None in everything else ()
        self.preprocessing = Preprocessing(
            engine.input,
            metadata,
            mean=options.mean,
            std=options.std,
            how=options.fit,
            views=options.views,
            allow_urls=options.allow_urls,
        )
        self.warnings += self.preprocessing.warnings
        decision = decide(options.scores, engine, samples(self.preprocessing))
        self._gives_logits = decision.logits
        engine, self.reason = settle(options, loaded, self.preprocessing, decision.logits)
        require_unchanged(options.path, self.stamp)  # labels and graph are read one after the other
        self.labels, assumptions = choose_labels(options, metadata, engine.output.shape[-1])
        self.assumptions = self.preprocessing.assumptions + assumptions + decision.assumptions
        self.fit = self.preprocessing.fit
        self.placement: Placement = engine.placement
        self._quantization = engine.output.quantization
        self._score_table = score_table(self._quantization, engine.output.dtype)
        self._engine: Engine | None = engine
        self._batching = Batching(engine.placement, engine.input.shape)
        self._lock = Lock()
        self._forked = False
        _scorers.add(self)

    def scores(self, image: ImageLike) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 (classes,), 0-1.

        Args:
            image: a file's path, an open file, an image of Pillow, an http(s) URL if allowed, or
                uint8 (H, W, 3), RGB, 0-255, of any size.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
            ModelError: the model fails on it.
            ValueError: the model is closed.
        """
        return self.mean_scores(self.tensors(self.preprocessing.decode(image)))

    def scores_of_views(self, image: ImageLike) -> NDArray[np.float32]:
        """Return the scores of the image's views, float32 (views, classes), 0-1.

        There are at most `self.views`, in the order of `edge_runtime.inference.views`.

        Args:
            image: as for `scores`, as are the errors raised.
        """
        tensors = self.tensors(self.preprocessing.decode(image))
        return np.stack([self.scores_of(self.invoke(tensor)) for tensor in tensors])

    def tensors(self, pixels: Image.Image | NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return the input tensors of a decoded image: one, or those of its views."""
        if self.views == 1:
            return [self.preprocessing.tensor(pixels)]
        return self.preprocessing.views(pixels)

    def mean_scores(self, tensors: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return the mean scores of an image's `tensors`, float32 (classes,), 0-1.

        Raises:
            ModelError: the model fails, or a score is not a number.
            ValueError: the model is closed.
        """
        scores = [self.scores_of(self.invoke(tensor)) for tensor in tensors]
        return scores[0] if len(scores) == 1 else mean(scores)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model alone and return its raw output, (classes,).

        Args:
            tensor: the result of `preprocessing`.

        Raises:
            ModelError: the model fails.
            ValueError: the model is closed.
        """
        with self._lock:
            if self._engine is None:
                raise ValueError("The classifier is closed.")
            if self._forked:
                self._engine = reopen(self.absolute_path, self.stamp, self.options, self._engine)
                self._forked = False
            return self._engine.run(tensor)

    def invoke_all(self, tensors: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the model alone on several images and return the raw output of each, (classes,).

        They go through it in batches, if that gives the same outputs.

        Args:
            tensors: results of `preprocessing`, as for `invoke`, as are the errors raised.
        """
        return self._batching.run(self.invoke, tensors)

    def scores_of(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores behind a raw output of the model, float32 (classes,), 0-1.

        Raises:
            ModelError: a score is not a number.
        """
        if self._score_table is not None:
            scores = self._score_table[output.view(np.uint8)]
        else:
            scores = self._quantization.dequantize(output)
            if not np.isfinite(scores).all():
                raise ModelError(f"{self.path} gave scores that are not numbers; export it again.")
        return softmax(scores) if self._gives_logits else scores

    def close(self) -> None:
        """Free the model. Closing twice does no harm."""
        with self._lock:
            self._engine = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._engine is None

    def after_fork(self) -> None:
        """Prepare this copy of the model in a forked child; its parent's threads are gone."""
        self._lock = Lock()  # a thread of the parent may have held the other one
        self._forked = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_scorers: WeakSet[Scorer] = WeakSet()


def _after_fork() -> None:
    for scorer in _scorers:
        scorer.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
