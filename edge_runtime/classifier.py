"""`Classifier`: from an image to its most likely classes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import shipped
from edge_runtime.engine import Engine
from edge_runtime.errors import ImageError, ModelError
from edge_runtime.image import decode, fit
from edge_runtime.metadata import read_metadata
from edge_runtime.quantization import pixel_table


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class that an image may belong to."""

    label: str
    index: int  # of the class in the model's output
    score: float  # after softmax, 0-1


class Classifier:
    """An image classifier loaded from a .tflite file.

    Attributes:
        path: the model file.
        labels: class names in the order of the scores.
    """

    def __init__(self, model: str | Path = shipped.DEFAULT_MODEL, *, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: the path of a .tflite file, or the name of a shipped model.
            threads: CPU threads for one image.

        Raises:
            ModelError: there is no such model, it is damaged, or it is no image classifier.
        """
        self.path = _find(model)
        try:
            labels = read_metadata(self.path).labels
        except OSError as exc:
            raise ModelError(f"{self.path} cannot be read ({exc.strerror}).") from exc
        self._engine: Engine | None = Engine(self.path, threads=threads)
        self._input, self._output = self._engine.input, self._engine.output
        classes = self._output.shape[1]
        self.labels = labels or tuple(str(index) for index in range(classes))
        if len(self.labels) != classes:
            raise ModelError(
                f"{self.path} carries {len(self.labels)} labels for {classes} classes; "
                f"export the model again."
            )
        self._table = pixel_table(self._input.quantization, self._input.dtype)

    def classify(
        self, image: str | Path | NDArray[np.uint8], *, top_k: int = 1
    ) -> list[Prediction]:
        """Return the `top_k` most likely classes of one image, best first.

        Args:
            image: a file, or uint8 (H, W, 3), RGB, 0-255, of any size.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
            ModelError: the model fails on it.
            ValueError: `top_k` is not positive.
        """
        return self._predictions(self.scores(image), top_k)

    def classify_batch(
        self, images: Iterable[str | Path | NDArray[np.uint8]], *, top_k: int = 1
    ) -> list[list[Prediction]]:
        """Classify several images, see `classify`."""
        return [self.classify(image, top_k=top_k) for image in images]

    def scores(self, image: str | Path | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 (classes,); arguments as for `classify`."""
        if self._engine is None:
            raise ValueError("The classifier is closed.")
        opened = decode(image) if isinstance(image, (str, Path)) else _from_array(image)
        _, height, width, _ = self._input.shape
        pixels = fit(opened, height, width)
        raw = pixels if self._table is None else self._table[pixels]
        scores = self._output.quantization.dequantize(self._engine.run(raw[np.newaxis])[0])
        if not np.isfinite(scores).all():
            raise ModelError(f"{self.path} gave scores that are no numbers; export it again.")
        return scores

    def close(self) -> None:
        """Free the model; closing twice is fine."""
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

    def _predictions(self, scores: NDArray[np.float32], top_k: int) -> list[Prediction]:
        if top_k < 1:
            raise ValueError(f"Expected `top_k` to be at least 1, but got {top_k}.")
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [Prediction(self.labels[i], int(i), float(scores[i])) for i in best]


def _find(model: str | Path) -> Path:
    models = shipped.models()
    if str(model) in models:
        return models[str(model)]
    path = Path(model)
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path.is_file, it never raises
        raise ModelError(
            f"There is no model {model}; expected a .tflite file or one of {', '.join(models)}."
        )
    return path


def _from_array(image: object) -> Image.Image:
    if not (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    ):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)
        raise ImageError(f"Expected `image` to be a path or uint8 (H, W, 3), but got {got}.")
    return Image.fromarray(image)
