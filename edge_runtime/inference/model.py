"""`Model`: a .tflite image classifier, loaded and ready to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from operator import index
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import numpy as np

from edge_runtime.errors import ModelError, OptionError
from edge_runtime.inference import shipped
from edge_runtime.inference.batching import Batching
from edge_runtime.inference.loading import (
    Options,
    acceptance_of,
    choose_labels,
    load,
    reopen,
    samples,
    settle,
)
from edge_runtime.inference.metadata import matching
from edge_runtime.inference.placement import SCORES
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.scores import decide, score_table, softmax
from edge_runtime.inputs.resize import FITS
from edge_runtime.results import NONE_OF_THESE, Prediction, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edge_runtime.inference.acceptance import Acceptance, MaxError
    from edge_runtime.inference.engine import Engine
    from edge_runtime.inference.metadata import Metadata
    from edge_runtime.inference.placement import Placement
    from edge_runtime.inference.preprocessing import ImageLike
    from edge_runtime.inference.second_opinion import SecondOpinion

_MAX_THREADS = 1024  # far more crash LiteRT


class Model:
    """An image classifier loaded from a .tflite file.

    A model is a context manager, and several threads may use it at once.

    Attributes:
        path: the model file.
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
        acceptance: which best classes count; None if all do.
        second: the model that is asked if this one is unsure; None if there is none.
        allow_urls: whether images and streams may be named by URLs.
    """

    def __init__(
        self,
        model: str | Path = shipped.DEFAULT_MODEL,
        *,
        delegate: str = "xnnpack",
        threads: int | None = None,
        many: bool = False,
        gpu_precision: str = "fp32",
        labels: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        fit: str | None = None,
        scores: str = "auto",
        views: int = 1,
        allow_urls: bool = False,
        accept_all: bool = False,
        max_error: MaxError | None = None,
        second_opinion: str | Path | None = None,
        unsure_below: float | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: the path of a .tflite file, or the name of a shipped model.
            delegate: `xnnpack`, `cpu`, `openvino`, `gpu`, `npu`, `auto`, or an external delegate's
                path; see `edge_runtime.inference.delegates`.
            threads: CPU threads in all: for one image, or for as many images of a batch at once.
                Default: 1, all cores if `many`, or for `auto` what `edge-benchmark --tune` found.
            many: expect many images, such as a folder.
            gpu_precision: what the GPU computes in, `fp32` or `fp16`.
            labels: class names that replace the file's.
            mean: subtracted from a pixel (0-255); one number, or one for each channel. It replaces
                the file's.
            std: the difference is divided by this; one number, or one for each channel.
            fit: `crop`, `stretch` or `pad`, which replaces the file's; see
                `edge_runtime.inputs.resize.fit`.
            scores: `softmax` applies one to the model's output, `none` takes the output for scores,
                and `auto` decides, see `edge_runtime.inference.scores.decide`.
            views: average the scores of this many views of an image, 1 to 8; see
                `edge_runtime.inference.views`.
            allow_urls: fetch images and streams that are named by URLs. A service that classifies
                what it is sent should not: it would fetch any address for anyone.
            accept_all: let every best class count, whatever its score.
            max_error: instead of the model's threshold, use the lowest one that keeps the share of
                wrong results among the accepted below this, 0-1; a mapping says so for single
                classes. See `edge_runtime.inference.acceptance`.
            second_opinion: another model of the same classes. If this one is unsure, the mean of
                both models' scores decides. The other arguments hold for both.
            unsure_below: best scores below this are unsure, 0-1. None takes what the model's card
                says about this second model, see `edge_runtime.inference.second_opinion`.

        Raises:
            ModelError: there is no such model, it is damaged, or it is not an image classifier.
            OptionError: the labels, `mean` or `std` do not fit the model, no threshold keeps
                `max_error`, the second model has other labels, or nothing says when to ask it.
            DelegateError: the delegate is not available, does not take the model, or computes
                it wrongly.
            ValueError: an argument has none of the values listed above.
        """
        _require("delegate", delegate != "", "a name", delegate)
        in_range = threads is None or 1 <= threads <= _MAX_THREADS
        _require("threads", in_range, f"1 to {_MAX_THREADS:,}", threads)
        _require("gpu_precision", gpu_precision in ("fp32", "fp16"), "fp32 or fp16", gpu_precision)
        _require("fit", fit is None or fit in FITS, ", ".join(FITS), fit)
        _require("scores", scores in SCORES, ", ".join(SCORES), scores)
        views = index(views)
        if views != 1:
            from edge_runtime.inference.views import MOST

            _require("views", 1 <= views <= MOST, f"1 to {MOST}", views)
        _require("labels", not isinstance(labels, str), "a list of names", labels)
        if unsure_below is not None:
            _require("second_opinion", second_opinion is not None, "a model", second_opinion)
            _require("unsure_below", 0 <= unsure_below <= 1, "0 to 1", unsure_below)
        self._options = options = Options(
            path=shipped.find(model),
            delegate=delegate,
            threads=threads,
            many=many,
            gpu_precision=gpu_precision,
            labels=None if labels is None else tuple(labels),
            mean=None if mean is None else tuple(map(float, mean)),
            std=None if std is None else tuple(map(float, std)),
            fit=fit,
            scores=scores,
            views=views,
            allow_urls=allow_urls,
            accept_all=accept_all,
            max_error=max_error,
        )
        self.path, self.delegate = options.path, delegate
        self.allow_urls, self.views = allow_urls, views
        self.name = options.path.stem
        self._absolute_path = str(options.path.absolute())  # the working directory may change
        loaded = load(options)
        engine = loaded.engine
        self.threads, self.processes = loaded.threads, loaded.processes
        metadata = matching(
            loaded.metadata, channels=engine.input.shape[3], classes=engine.output.shape[-1]
        )
        everything = (options.labels, options.mean, options.std, options.fit)
        self.warnings = metadata.warnings if None in everything else ()
        self.preprocessing = Preprocessing(
            engine.input,
            metadata,
            mean=options.mean,
            std=options.std,
            how=fit,
            views=views,
            allow_urls=allow_urls,
        )
        self.warnings += self.preprocessing.warnings
        decision = decide(scores, engine, samples(self.preprocessing))
        self._gives_logits = decision.logits
        engine, self.reason = settle(options, loaded, self.preprocessing, decision.logits)
        self.labels, assumptions = choose_labels(options, metadata, engine.output.shape[-1])
        self.assumptions = self.preprocessing.assumptions + assumptions + decision.assumptions
        self.fit = self.preprocessing.fit
        self._own_labels = metadata.labels
        self.placement: Placement = engine.placement
        self.second: SecondOpinion[Model] | None = None
        self.acceptance: Acceptance | None
        if second_opinion is None:
            self.acceptance = acceptance_of(options, metadata, self.labels)
        else:
            self._join(shipped.find(second_opinion), unsure_below, metadata)
        self._quantization = engine.output.quantization
        self._score_table = score_table(self._quantization, engine.output.dtype)
        self._engine: Engine | None = engine
        self._batching = Batching(engine.placement, engine.input.shape)
        self._lock = Lock()
        self._forked = False
        _models.add(self)

    def classify(self, image: ImageLike, *, top_k: int = 1) -> Result:
        """Return the `top_k` most likely classes of one image, best first.

        Args:
            image: a file's path, an open file, an image of Pillow, an http(s) URL if allowed, or
                uint8 (H, W, 3), RGB, 0-255, of any size.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
            ModelError: the model fails on it.
            ValueError: `top_k` is not positive, or the model is closed.
        """
        if self.second is None:
            return self.result(self.scores(image), self.name, top_k=top_k)
        return self.second.result(self, self.second.ask_first(self, image), top_k=top_k)

    def result(self, scores: NDArray[np.float32], name: str, *, top_k: int = 1) -> Result:
        """Return the result of an image with these scores.

        Args:
            scores: float32 (classes,), 0-1.
            name: of the model that decided.

        Raises:
            ValueError: `top_k` is not positive.
        """
        predictions = self.predictions(scores, top_k=top_k)
        accepted = self.acceptance is None or self.acceptance.accepts(predictions[0])
        return Result(predictions=predictions, accepted=accepted, model=name)

    def scores(self, image: ImageLike) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 (classes,), 0-1.

        Args:
            image: as for `classify`, as are the errors raised.
        """
        if self.second is not None:
            return self.second.decide(self.second.ask_first(self, image))
        return self.mean_scores(self.tensors(self.preprocessing.decode(image)))

    def scores_of_views(self, image: ImageLike) -> NDArray[np.float32]:
        """Return the scores of the image's views, float32 (views, classes), 0-1.

        There are at most `self.views`, in the order of `edge_runtime.inference.views`.

        Args:
            image: as for `classify`, as are the errors raised.
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
        if len(scores) == 1:
            return scores[0]
        mean: NDArray[np.float32] = np.mean(scores, axis=0)
        return mean

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
                self._engine = reopen(Path(self._absolute_path), self._options, self._engine)
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

    def predictions(self, scores: NDArray[np.float32], *, top_k: int = 1) -> tuple[Prediction, ...]:
        """Return the `top_k` best classes, best first.

        A last output named `none-of-these` lowers the scores of all classes, but is none itself.

        Args:
            scores: float32 (classes,), 0-1.

        Raises:
            ValueError: `top_k` is not positive.
        """
        _require("top_k", top_k >= 1, "at least 1", top_k)
        order = (-scores).argsort(kind="stable")
        if self.labels[-1] == NONE_OF_THESE:
            order = order[order != len(self.labels) - 1]
        best = order[:top_k].tolist()
        return tuple(Prediction(self.labels[i], i, float(scores[i])) for i in best)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make the same model in another process, as JSON types.

        The other process gets one thread and the delegate that runs this model.
        """
        options = self._options
        values = {
            "model": self._absolute_path,
            "delegate": self.placement.delegate,
            "gpu_precision": options.gpu_precision,
            "labels": options.labels,
            "mean": options.mean,
            "std": options.std,
            "fit": options.fit,
            "scores": "softmax" if self._gives_logits else "none",
            "views": options.views,
            "allow_urls": options.allow_urls,
            "accept_all": options.accept_all,
            "max_error": options.max_error,
        }
        if self.second is not None:
            values["second_opinion"] = self.second.model._absolute_path
            values["unsure_below"] = self.second.unsure_below
            values["scores"] = options.scores  # what was decided may differ between the two
        return values

    def close(self) -> None:
        """Free the model, and the second one. Closing twice does no harm."""
        with self._lock:
            self._engine = None
        if self.second is not None:
            self.second.model.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._engine is None

    def after_fork(self) -> None:
        """Prepare this copy of the model in a forked child; its parent's threads are gone."""
        self._lock = Lock()  # a thread of the parent may have held the other one
        self._forked = True

    def _join(self, path: Path, unsure_below: float | None, metadata: Metadata) -> None:
        """Load the second model, and decide when to ask it."""
        from edge_runtime.inference import second_opinion as pair

        options = self._options
        below, self.acceptance = pair.agree(options, metadata, self.labels, path, unsure_below)
        try:
            second = Model(
                path,
                delegate=self.placement.delegate,
                threads=self.threads,
                gpu_precision=options.gpu_precision,
                labels=options.labels,
                mean=options.mean,
                std=options.std,
                fit=options.fit,
                scores=options.scores,
                views=self.views,
                accept_all=True,  # the pair has thresholds of its own
            )
        except OptionError as exc:
            raise OptionError(f"--second-opinion {path}: {exc}") from exc
        if self._own_labels and second._own_labels:  # the caller's would hide a difference
            pair.ensure_same_labels(self.path, self._own_labels, path, second._own_labels)
        pair.ensure_same_labels(self.path, self.labels, path, second.labels)
        self.second = pair.SecondOpinion(self, second, below)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_models: WeakSet[Model] = WeakSet()


def _after_fork() -> None:
    for model in _models:
        model.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _require(name: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ValueError(f"Expected `{name}` to be {expected}, but got {got!r}.")
