import shutil
from functools import partial

import numpy as np
import pytest

from benchmarks import peak
from benchmarks.macs import multiply_adds
from benchmarks.results import Row, Subject
from edge_runtime.inference import shipped
from edge_runtime.inference.opening import open_engine
from edge_runtime.support.timing import measure


def test_the_fastest_call_of_the_fastest_loop_counts():
    loops = [
        peak.Loop("float32_512", "float32", 1000, print),
        peak.Loop("float32_256", "float32", 3000, print),
        peak.Loop("int8_256", "int8", 1000, print),
    ]
    times = {"float32_512": 100, "float32_256": 200, "int8_256": 50}  # ns
    series = {name: np.array([3 * ns, ns, 10 * ns]) for name, ns in times.items()}
    reached = peak.reached(loops, series)
    assert reached["float32"]["by"] == "float32_256"
    assert reached["float32"]["macs_per_s"] == pytest.approx(15e9)
    assert reached["float32"]["all"] == pytest.approx({"float32_512": 10e9, "float32_256": 15e9})
    assert reached["int8"]["macs_per_s"] == pytest.approx(20e9)


@pytest.mark.parametrize(
    ("precision", "threads", "expected"),
    [
        ("int8", 1, 0.25),
        ("int8", 2, 0.125),
        ("int8-qat", 1, 0.25),
        ("dynamic", 1, 0.25),
        ("float16", 1, 0.5),
        ("bfloat16", 1, None),
    ],
)
def test_the_share_that_a_row_reaches(precision, threads, expected):
    reached = {"int8": {"macs_per_s": 4e9}, "float32": {"macs_per_s": 2e9}}
    row = Row(Subject("cnn", precision, threads=threads), macs=1000, latency={"p50_us": 1.0})
    share = peak.share(row, reached)
    assert share == (expected and pytest.approx(expected))
    assert peak.share(Row(row.subject, latency=row.latency), reached) is None


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_shipped_models_stay_below_the_peak():
    loops = peak.loops()
    calls = {loop.name: loop.call for loop in loops}
    macs = {}
    for precision in ("int8", "float32"):
        path = shipped.find(f"cnn-{precision}")
        engine = open_engine(path)
        image = np.zeros(engine.input.shape, engine.input.dtype)
        calls[precision] = partial(engine.run, image)
        macs[precision] = multiply_adds(path)
    series = measure(calls, rounds=50, warm_up=3)
    reached = peak.reached(loops, series)
    for precision, count in macs.items():
        rate = count / (series[precision].min() * 1e-9)
        assert 0.05 < rate / reached[precision]["macs_per_s"] < 1.02


def test_without_a_compiler_the_peak_is_unknown(monkeypatch):
    monkeypatch.setattr(peak.shutil, "which", lambda name: None)
    with pytest.raises(peak.UnknownPeakError, match="there is no C compiler; install gcc or clang"):
        peak.loops()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_source_that_does_not_compile(monkeypatch, tmp_path):
    source = tmp_path / "peak.c"
    source.write_text("int")
    monkeypatch.setattr(peak, "SOURCE", source)
    with pytest.raises(peak.UnknownPeakError, match=r"cannot compile peak\.c"):
        peak.loops()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_cpu_without_a_loop(monkeypatch, tmp_path):
    source = tmp_path / "peak.c"
    source.write_text("const long steps = 1;")
    monkeypatch.setattr(peak, "SOURCE", source)
    with pytest.raises(peak.UnknownPeakError, match="has no loop for this CPU"):
        peak.loops()
