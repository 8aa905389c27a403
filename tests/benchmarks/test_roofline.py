import numpy as np
import pytest

from benchmarks import peers, roofline
from benchmarks.contenders import Contender
from benchmarks.results import Row, Subject
from benchmarks.turns import take_turns


def test_the_fastest_probe_of_each_precision_counts():
    probes = [
        roofline.Probe("A float32", "float32", 1000, print),
        roofline.Probe("B float32", "float32", 3000, print),
        roofline.Probe("A int8", "int8", 1000, print),
    ]
    times = {"A float32": 100, "B float32": 200, "A int8": 50}  # ns
    series = {name: np.array([ns, ns, 10 * ns]) for name, ns in times.items()}
    reached = roofline.reached(probes, series)
    assert reached["float32"]["by"] == "B float32"
    assert reached["float32"]["macs_per_s"] == pytest.approx(15e9)
    assert reached["float32"]["all"] == pytest.approx({"A float32": 10e9, "B float32": 15e9})
    assert reached["int8"]["macs_per_s"] == pytest.approx(20e9)


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("int8", 0.25), ("int8-qat", 0.25), ("dynamic", 0.25), ("float16", 0.5), ("bfloat16", None)],
)
def test_the_fraction_that_a_row_reaches(precision, expected):
    reached = {"int8": {"macs_per_s": 4e9}, "float32": {"macs_per_s": 2e9}}
    row = Row(Subject("cnn", precision), macs=1000, latency={"p50_us": 1.0})
    part = roofline.fraction(row, reached)
    assert part == (expected and pytest.approx(expected))
    assert roofline.fraction(Row(row.subject, latency=row.latency), reached) is None


def test_the_probe_runs(tmp_path):
    network = roofline.probe_files(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in network.files.values()}
    assert roofline.probe_files(tmp_path).files == network.files
    assert {path: path.stat().st_mtime_ns for path in written} == written  # not made again
    found = peers.contenders(network, tmp_path, names=["litert"])
    probes = roofline.probes((c for c in found if isinstance(c, Contender)), network)
    assert [probe.name for probe in probes] == [
        "LiteRT float32", "LiteRT int8", "numpy's BLAS float32",
    ]  # fmt: skip
    side, channels = roofline.SIDE, roofline.CHANNELS
    assert probes[0].macs == roofline.LAYERS * side * side * channels * channels
    [series], _ = take_turns([{probe.name: probe.open for probe in probes}], 0)
    for precision in roofline.reached(probes, series.times).values():
        assert 1e8 < precision["macs_per_s"] < 1e13
