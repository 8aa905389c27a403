"""From photographs to features, by the shipped backbone.

Features are kept (`edge_runtime.teaching.store`), so that only new photographs are run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import local
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError, ImageError
from edge_runtime.inference.metadata import Metadata, read_metadata
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.quantization import Quantization
from edge_runtime.teaching.store import FeatureStore
from edge_runtime.teaching.views import VIEWS, views_of


class Embedded(NamedTuple):
    """A photograph's features, or why there are none.

    Attributes:
        features: of each view, int8 (views, features); None if there is an error.
        sha256: of the file's content, 64 hexadecimal digits.
        error: why the photograph cannot be read.
    """

    features: NDArray[np.int8] | None
    sha256: str
    error: EdgeRuntimeError | None = None


class Backbone:
    """A feature extractor, which several threads may use at once.

    Attributes:
        metadata: of the model file.
        blocks: numbers of features, one for each layer that they come from.
        quantization: of the features.
    """

    def __init__(self, path: Path, store: FeatureStore) -> None:
        """Load the extractor.

        Args:
            path: its .tflite file.
            store: where features are kept.
        """
        self._path = path
        self._store = store
        self._local = local()
        self.metadata: Metadata = read_metadata(path)
        self.blocks: tuple[int, ...] = tuple(self.metadata.card["features"])
        self.quantization: Quantization = self._engine.output.quantization

    @property
    def _engine(self) -> Any:
        """This thread's engine, because a graph runs one image at a time."""
        if not hasattr(self._local, "engine"):
            self._local.engine = engine = open_engine(self._path)
            self._local.preprocessing = Preprocessing(
                engine.input, self.metadata, mean=None, std=None, how=None
            )
        return self._local.engine

    def embed(
        self, paths: Sequence[str], *, threads: int, done: Callable[[Embedded], None]
    ) -> list[Embedded]:
        """Return the features of photographs, in order.

        Args:
            paths: of the files.
            threads: photographs that are read and run at once.
            done: called after each photograph.
        """
        results = []
        with ThreadPoolExecutor(threads) as pool:
            try:
                for result in pool.map(self._embed, paths):
                    results.append(result)
                    done(result)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return results

    def _embed(self, path: str) -> Embedded:
        try:
            content = Path(path).read_bytes()
        except OSError as exc:
            error = ImageError(
                f"{path} cannot be read ({exc.strerror}); check it and its permissions."
            )
            return Embedded(None, "", error)
        sha256 = hashlib.sha256(content).hexdigest()
        known = self._store.get(sha256)
        if known is not None and known.size == len(VIEWS) * sum(self.blocks):
            return Embedded(known.reshape(len(VIEWS), -1), sha256)
        engine = self._engine
        try:
            stream = BytesIO(content)
            stream.name = path
            image = self._local.preprocessing.decode(stream)
            tensors = views_of(image, self._local.preprocessing.tensor)
        except EdgeRuntimeError as exc:
            return Embedded(None, sha256, exc)
        features = np.stack([engine.run(tensor) for tensor in tensors])
        self._store.put(sha256, features)
        return Embedded(features, sha256)


def comparable(
    features: NDArray[Any], blocks: Sequence[int], quantization: Quantization
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring the features of all layers to one size.

    The last layer's features get a mean square deviation of 1, and those of each earlier layer a
    quarter of that. Earlier layers help with textures, but harm if they weigh as much.

    Args:
        features: int8 or float32 (N, views, features).
        blocks: numbers of features, the last layer's first.
        quantization: of the features.

    Returns:
        Features, float32 (N, views, features), and the factors of real features, float32
        (features,).
    """
    real = quantization.dequantize(features)
    factors = []
    start = 0
    for number, width in enumerate(blocks):
        plain = real[:, 0, start : start + width]
        spread = float(np.sqrt(((plain - plain.mean(axis=0)) ** 2).sum(axis=1).mean()))
        factors.append(np.full(width, (0.5 if number else 1.0) / max(spread, 1e-6), np.float32))
        start += width
    factor = np.concatenate(factors)
    return real * factor, factor
