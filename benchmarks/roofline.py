"""How fast this machine multiplies at best: a GEMM, by whatever runtime does it fastest.

The probe is a network of 1 x 1 convolutions, each a matrix product of 1024 x 256 by 256 x 256,
which stays in the caches and computes 64 times as much as it moves. It goes through the same
exports and peers as the networks themselves; for float32 numpy's BLAS takes part too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.contenders import Contender
from benchmarks.latency_pass import interleaved
from benchmarks.macs import multiply_adds
from benchmarks.results import Results
from export import convert, quantize

SIDE, CHANNELS, LAYERS = 32, 256, 4
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


def run(
    contenders: Sequence[Contender],
    network: peers.Network,
    results: Results,
    *,
    seconds: float,
    say: Callable[[str], None] = print,
) -> None:
    """Measure the probe on every peer and keep the fastest of each precision.

    Raises:
        KeyboardInterrupt: it was interrupted; nothing is kept.
    """
    macs = multiply_adds(network.files["float32"])
    calls: dict[str, Callable[[], object]] = {}
    precision_of, macs_of = {}, {}
    for contender in contenders:
        runner = contender.open()
        name = contender.subject.runtime + " " + contender.subject.precision
        calls[name] = partial(runner.run, runner.ready(network.calibration[1]))
        precision_of[name], macs_of[name] = contender.subject.precision, macs
    rng = np.random.default_rng(0)
    a, b = (rng.random((512, 512), np.float32) for _ in range(2))
    calls["numpy's BLAS"] = partial(_multiply, a, b, np.empty_like(a))
    precision_of["numpy's BLAS"], macs_of["numpy's BLAS"] = "float32", 512**3
    say(f"roofline: a GEMM by {len(calls)}")
    series, complete = interleaved(calls, seconds)
    if not complete:
        raise KeyboardInterrupt
    reached = {
        name: macs_of[name] / (float(np.median(times)) * 1e-9) for name, times in series.items()
    }
    for precision in sorted(set(precision_of.values())):
        of_precision = {n: rate for n, rate in reached.items() if precision_of[n] == precision}
        best = max(of_precision, key=of_precision.__getitem__)
        results.roofline[precision] = {
            "macs_per_s": of_precision[best],
            "by": best,
            "all": dict(sorted(of_precision.items())),
        }


def _multiply(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    np.matmul(a, b, out=out)


# What a precision computes in, where the probe has no own measurement of it.
_COMPUTES_IN = {"float16": "float32", "int8-qat": "int8", "dynamic": "int8"}


def fraction(results: Results, name: str) -> float | None:
    """Return which part of the roofline a row reaches, or None where one of the two is unknown.

    With several threads it may be above 1, since the probe has one.
    """
    row = results.rows[name]
    precision = _COMPUTES_IN.get(row.subject.precision, row.subject.precision)
    if row.latency is None or row.macs is None or precision not in results.roofline:
        return None
    rate: float = row.macs / (row.latency["p50_us"] * 1e-6)
    return rate / results.roofline[precision]["macs_per_s"]
