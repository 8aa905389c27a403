"""How fast this machine multiplies at best: a GEMM, by whatever runtime does it fastest.

The probe is a network of 1 x 1 convolutions, each a matrix product of 256 x 256 by 256 x 256,
which stays in the caches. It goes through the same
exports and peers as the networks themselves; for float32 numpy's BLAS takes part too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.contenders import Contender
from benchmarks.macs import multiply_adds
from benchmarks.results import Row
from export import convert, quantize

SIDE, CHANNELS, LAYERS = 16, 256, 8
NAME = "gemm"


def probe_files(folder: Path) -> peers.Network:
    """Make the probe and export it, unless `folder` has it already."""
    files = {precision: folder / f"{NAME}-{precision}.tflite" for precision in ("float32", "int8")}
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, SIDE, SIDE, CHANNELS), np.uint8)
    images[0, 0, 0, :2] = 0, 255

    def model() -> keras.Model:
        keras.utils.set_random_seed(0)
        inputs = x = keras.Input((SIDE, SIDE, CHANNELS), name="image")
        for number in range(LAYERS):
            x = layers.Conv2D(CHANNELS, 1, name=f"gemm{number}", kernel_initializer="he_normal")(x)
            x = layers.ReLU(name=f"relu{number}")(x)
        return keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(x), name=NAME)

    if not all(path.exists() for path in files.values()):
        folder.mkdir(parents=True, exist_ok=True)
        files["float32"].write_bytes(convert.to_float32(model()))
        files["int8"].write_bytes(quantize.to_int8(model(), images))
    return peers.Network(NAME, model, images, files, sha256="probe", trained=False)


@dataclass(frozen=True)
class Probe:
    """What opens a call that multiplies so much."""

    name: str
    precision: str
    macs: int
    open: Callable[[], Callable[[], object]]


def probes(contenders: Iterable[Contender], network: peers.Network) -> list[Probe]:
    """Return the probe on each of its contenders, and numpy's BLAS."""
    macs = multiply_adds(network.files["float32"])
    found = []
    for contender in contenders:
        subject = contender.subject
        name = f"{subject.runtime} {subject.precision}"
        opener = partial(contender.call, network.calibration[1])
        found.append(Probe(name, subject.precision, macs, opener))
    rng = np.random.default_rng(0)
    a, b = (rng.random((512, 512), np.float32) for _ in range(2))
    blas = partial(np.matmul, a, b, out=np.empty_like(a))
    return [*found, Probe("numpy's BLAS float32", "float32", 512**3, lambda: blas)]


def reached(probes: Sequence[Probe], series: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return by precision the fastest probe and all of them, in multiply-adds a second."""
    rates: dict[str, dict[str, float]] = {}
    for probe in probes:
        rate = probe.macs / (float(np.median(series[probe.name])) * 1e-9)
        rates.setdefault(probe.precision, {})[probe.name] = rate
    found = {}
    for precision, of_precision in rates.items():
        best = max(of_precision, key=of_precision.__getitem__)
        found[precision] = {
            "macs_per_s": of_precision[best],
            "by": best,
            "all": of_precision,
        }
    return found


# What a precision computes in, where the probe has no own measurement of it.
_COMPUTES_IN = {"float16": "float32", "int8-qat": "int8", "dynamic": "int8"}


def fraction(row: Row, reached: Mapping[str, Any]) -> float | None:
    """Return which part of the roofline a row reaches, or None where one of the two is unknown.

    With several threads it may be above 1, since the probe has one; so it may where a runtime's
    3 x 3 convolutions beat its 1 x 1 ones.
    """
    precision = _COMPUTES_IN.get(row.subject.precision, row.subject.precision)
    if row.latency is None or row.macs is None or precision not in reached:
        return None
    rate: float = row.macs / (row.latency["p50_us"] * 1e-6)
    return rate / reached[precision]["macs_per_s"]
