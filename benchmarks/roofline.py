"""The roofline: the fastest matrix product (GEMM) on this machine, by any runtime.

The probe is a network of 1 x 1 convolutions. Each is a matrix product of 256 x 256 by 256 x 256,
which stays in the CPU caches. The probe is exported and converted like the networks themselves.
For float32, numpy's BLAS is a probe too.
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

from benchmarks.contenders import Contender
from benchmarks.macs import multiply_adds
from benchmarks.peers.convertible import ConvertibleNetwork
from benchmarks.results import Row
from edge_runtime.support.files import write_new
from export import convert, quantize

SIDE, CHANNELS, LAYERS = 16, 256, 8
NAME = "gemm"


def probe_files(folder: Path) -> ConvertibleNetwork:
    """Return the probe network; export it into `folder` unless it is there already."""
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

    if not files["float32"].exists():
        write_new(files["float32"], convert.to_float32(model()))
    if not files["int8"].exists():
        write_new(files["int8"], quantize.to_int8(model(), images))
    return ConvertibleNetwork(NAME, model, images, files, sha256="probe", trained=False)


@dataclass(frozen=True)
class Probe:
    """A call with a known number of multiply-adds.

    Attributes:
        name: runtime and precision.
        precision: precision of the product.
        macs: multiply-adds per call.
        open: returns the call.
    """

    name: str
    precision: str
    macs: int
    open: Callable[[], Callable[[], object]]


def probes(contenders: Iterable[Contender], network: ConvertibleNetwork) -> list[Probe]:
    """Return a probe for each contender, and one for numpy's BLAS.

    Args:
        contenders: the probe network on each runtime.
        network: the probe network.
    """
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
    """Return the rates of the probes, in multiply-adds per second, by precision.

    Args:
        probes: the probes that were timed.
        series: the times of each probe by name, int64 (rounds,), nanoseconds.

    Returns:
        For each precision `macs_per_s` and `by`, the rate and name of the fastest probe, and
        `all`, the rates of all probes by name.
    """
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


# Precisions that have no probe: the precision that they compute in.
_COMPUTES_IN = {"float16": "float32", "int8-qat": "int8", "dynamic": "int8"}


def fraction(row: Row, reached: Mapping[str, Any]) -> float | None:
    """Return the fraction of the roofline that a row reaches; None: unknown.

    The fraction may exceed 1 if the row has several threads, because the probe has one. It may
    also exceed 1 if the 3 x 3 convolutions of a runtime are faster than its 1 x 1 convolutions.

    Args:
        row: a row with its latency and multiply-adds.
        reached: the rates, as `reached` returns them.
    """
    precision = _COMPUTES_IN.get(row.subject.precision, row.subject.precision)
    if row.latency is None or row.macs is None or precision not in reached:
        return None
    rate: float = row.macs / (row.latency["p50_us"] * 1e-6)
    return rate / reached[precision]["macs_per_s"]
