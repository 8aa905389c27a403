"""`Classifier`: from an image to its most likely classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference import trial as probe
from edge_runtime.inference.engine import Engine, open_engine
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.placement import CPU_DELEGATES, Placement
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.scores import score_table, softmax
from edge_runtime.inputs.resize import FITS

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from edge_runtime.jobs.stream import Frame


_MOST_THREADS = 1024  # far more crash LiteRT
_PICTURES = 3  # on which a delegate is held against the CPU


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class that an image may belong to."""

    label: str
    index: int  # of the class in the model's output
    score: float  # after softmax, 0-1


class Classifier:
    """An image classifier loaded from a .tflite file.

    It is a context manager, and may be used from several threads at once.

    Attributes:
        path: the model file.
        labels: class names in the order of the scores.
        delegate: the one that was asked for.
        placement: what runs the model: the delegate, its operations, and those outside it.
        preprocessing: what turns an image into the model's input.
        reason: why `auto` chose this delegate; empty for others.
        assumptions: what neither the file nor the caller said.
        threads: CPU threads in all.
        fit: how pictures of another shape are made to fit.
    """

    def __init__(
        self,
        model: str | Path = shipped.DEFAULT_MODEL,
        *,
        delegate: str = "xnnpack",
        threads: int = 1,
        gpu_precision: str = "fp32",
        labels: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        fit: str | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: the path of a .tflite file, or the name of a shipped model.
            delegate: `xnnpack`, `cpu`, `gpu`, `npu`, `auto`, or an external delegate's path; see
                `edge_runtime.inference.delegates`.
            threads: CPU threads in all: for one image, or for as many images of a batch at once.
            gpu_precision: what the GPU computes in, `fp32` or `fp16`.
            labels: class names, in place of the file's.
            mean: subtracted from a pixel (0-255), one for all channels or one a channel, in place
                of the file's.
            std: the difference is divided by this.
            fit: `crop`, `stretch` or `pad`, in place of the file's; see `edge_runtime.inputs.resize.fit`.

        Raises:
            ModelError: there is no such model, it is damaged, or it is no image classifier.
            DelegateError: the delegate is not available, does not take the model, or computes
                it wrongly.
            ValueError: an argument is none of those named.
        """
        _require("delegate", delegate != "", "a name", delegate)
        _require("threads", 1 <= threads <= _MOST_THREADS, f"1 to {_MOST_THREADS:,}", threads)
        _require("gpu_precision", gpu_precision in ("fp32", "fp16"), "fp32 or fp16", gpu_precision)
        _require("fit", fit is None or fit in FITS, ", ".join(FITS), fit)
        _require("labels", not isinstance(labels, str), "a list of names", labels)
        means, stds = (None if v is None else tuple(map(float, v)) for v in (mean, std))
        self.path = shipped.find(model)
        self.delegate = delegate
        self.threads = threads
        self.reason = ""
        self._options: dict[str, Any] = {
            "model": str(self.path.absolute()),
            "gpu_precision": gpu_precision,
            "labels": None if labels is None else list(labels),
            "mean": means,
            "std": stds,
            "fit": fit,
        }
        auto = delegate == "auto"
        first = "cpu" if auto else delegate
        try:
            metadata = read_metadata(self.path)
            probe.ensure_sound(self.path, first, gpu_precision=gpu_precision)
        except OSError as exc:
            raise ModelError(f"{self.path} cannot be read ({exc.strerror}).") from exc
        engine = open_engine(
            self.path, delegate=first, threads=threads, gpu_precision=gpu_precision
        )
        self.preprocessing = Preprocessing(engine.input, metadata, mean=means, std=stds, how=fit)
        if auto:
            engine = self._open_auto(engine, gpu_precision)
        elif delegate not in CPU_DELEGATES:
            self._ensure_agrees(engine)
        self._engine: Engine | None = engine
        self._lock = Lock()
        self.placement: Placement = engine.placement
        self.fit = self.preprocessing.fit
        self.assumptions = self.preprocessing.assumptions
        self._gives_logits = engine.gives_logits
        self._quantization = engine.output.quantization
        self._score_table = score_table(self._quantization, engine.output.dtype)
        classes = engine.output.shape[-1]
        if labels is None and not metadata.labels:
            self.labels = tuple(map(str, range(classes)))
        else:
            self.labels = tuple(metadata.labels if labels is None else labels)
        if len(self.labels) != classes:
            whose = f"{self.path} carries" if labels is None else "There are"
            raise ModelError(
                f"{whose} {len(self.labels)} labels for {classes} classes; "
                f"{'give others with --labels' if labels is None else 'give one a class'}."
            )
        if labels is None and not metadata.labels:
            self.assumptions += ("class numbers stand in for labels",)
        if self._gives_logits:
            self.assumptions += ("its outputs are logits, to be followed by a softmax",)

    def classify(
        self, image: str | Path | BinaryIO | NDArray[np.uint8], *, top_k: int = 1
    ) -> list[Prediction]:
        """Return the `top_k` most likely classes of one image, best first.

        Args:
            image: a file's path, an open file, an http(s) URL, or uint8 (H, W, 3), RGB, 0-255,
                of any size.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
            ModelError: the model fails on it.
            ValueError: `top_k` is not positive, or the classifier is closed.
        """
        return self.predictions(self.scores(image), top_k=top_k)

    def classify_batch(
        self, images: Iterable[str | Path | BinaryIO | NDArray[np.uint8]], *, top_k: int = 1
    ) -> list[list[Prediction]]:
        """Classify several images, in their order.

        Files and URLs, where there is nothing else, are decoded and classified in as many processes
        as there are threads, once there are enough of them to be worth it.

        Raises:
            ImageError: one of the images cannot be read.
            ModelError: the model fails on one.
            ValueError: as for `classify`.
        """
        images = list(images)
        if self._engine is None:
            raise ValueError("The classifier is closed.")
        if self.threads > 1 and all(isinstance(image, (str, Path)) for image in images):
            from edge_runtime.inputs.names import Source
            from edge_runtime.jobs.pool import classify_files

            results = []
            files = (Source(str(image)) for image in images)
            for _, result in classify_files(self, files, top_k=top_k):
                if isinstance(result, Exception):
                    raise result
                results.append(result)
            return results
        return [self.classify(image, top_k=top_k) for image in images]

    def stream(
        self,
        source: str,
        *,
        top_k: int = 1,
        max_frames: int | None = None,
        duration_s: float | None = None,
        every: int = 1,
    ) -> Iterator[Frame]:
        """Classify the frames of a camera or video, see `edge_runtime.jobs.stream.classify_stream`."""
        from edge_runtime.jobs.stream import classify_stream

        return classify_stream(
            self, source, top_k=top_k, max_frames=max_frames, duration_s=duration_s, every=every
        )

    def scores(self, image: str | Path | BinaryIO | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 (classes,); arguments as for `classify`."""
        return self.scores_of(self.invoke(self.preprocessing(image)))

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model alone and return its raw output, (classes,).

        Args:
            tensor: what `preprocessing` returns.

        Raises:
            ModelError: the model fails.
            ValueError: the classifier is closed.
        """
        with self._lock:
            if self._engine is None:
                raise ValueError("The classifier is closed.")
            return self._engine.run(tensor)

    def scores_of(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores behind a raw output of the model, float32 (classes,).

        Raises:
            ModelError: they are no numbers.
        """
        if self._score_table is not None:
            scores = self._score_table[output.view(np.uint8)]
        else:
            scores = self._quantization.dequantize(output)
            if not np.isfinite(scores).all():
                raise ModelError(f"{self.path} gave scores that are no numbers; export it again.")
        return softmax(scores) if self._gives_logits else scores

    def predictions(self, scores: NDArray[np.float32], *, top_k: int = 1) -> list[Prediction]:
        """Return the `top_k` best classes of some scores, float32 (classes,), best first.

        Raises:
            ValueError: `top_k` is not positive.
        """
        _require("top_k", top_k >= 1, "at least 1", top_k)
        best = (-scores).argsort(kind="stable")[:top_k].tolist()
        return [Prediction(self.labels[i], i, float(scores[i])) for i in best]

    def arguments(self) -> dict[str, Any]:
        """Return what makes the same classifier again, with one thread, in another process."""
        return {**self._options, "delegate": self.placement.delegate}

    def close(self) -> None:
        """Free the model; closing twice is fine."""
        with self._lock:
            self._engine = None

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ensure_agrees(self, engine: Engine) -> None:
        from edge_runtime.inference.delegates import ensure_agrees

        samples = islice(shipped.samples().values(), _PICTURES)
        images = [self.preprocessing(path) for path in samples]
        ensure_agrees(self.path, engine, images, delegate=self.delegate)

    def _open_auto(self, on_cpu: Engine, gpu_precision: str) -> Engine:
        from edge_runtime.inference.delegates import choose

        samples = [self.preprocessing(path) for path in shipped.samples().values()]
        choice = choose(
            self.path, on_cpu, samples, threads=self.threads, gpu_precision=gpu_precision
        )
        self.reason = choice.reason
        return choice.engine


def _require(name: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ValueError(f"Expected `{name}` to be {expected}, but got {got!r}.")
