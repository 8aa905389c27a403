import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import latency_pass
from benchmarks.contenders import Contender
from benchmarks.results import Results, Subject
from edge_runtime.errors import DelegateError
from edge_runtime.inference import shipped

MODEL, RESNET18 = (shipped.models()[name] for name in ("cnn-int8", "resnet18-int8"))


class Busy:
    """A runner whose calls take `us` microseconds; call `interrupt_at` presses Ctrl-C."""

    def __init__(self, us, interrupt_at=None):
        self._ns, self._calls, self._last = us * 1000, 0, interrupt_at

    def ready(self, image):
        assert (image.dtype, image.shape) == (np.uint8, (32, 32, 3))
        return image

    def run(self, ready):
        self._calls += 1
        if self._calls == self._last:
            raise KeyboardInterrupt
        end = time.perf_counter_ns() + self._ns
        while time.perf_counter_ns() < end:
            pass


def contender(
    precision, opens, runtime="edge_runtime", path=MODEL, network="net", sha256="", **subject
):
    delegate = "xnnpack" if runtime == "edge_runtime" else ""
    return Contender(
        Subject(network, precision, runtime, delegate, **subject), path, 1, sha256, opens
    )


def no_delegate():
    raise DelegateError("No GPU is available here.")


def run(*contenders, seconds=0.2):
    results = Results()
    try:
        latency_pass.run(contenders, [], results, seconds=seconds, say=lambda line: None)
    finally:
        results.rows = {r.subject.precision + r.subject.runtime: r for r in results.rows.values()}
        run.results = results
    return results.rows


def test_rows_are_compared_with_our_int8():
    rows = run(
        contender("float32", lambda: Busy(400)),
        contender("int8", lambda: Busy(200)),
        contender("int8", lambda: Busy(1200), runtime="Peer", path=Path("none"), batch=4),
        contender("gpu", no_delegate),
    )
    base, slow, peer, broken = (
        rows[k] for k in ("int8edge_runtime", "float32edge_runtime", "int8Peer", "gpuedge_runtime")
    )
    assert base.latency["verdict"] == "the reference"
    assert slow.latency["against"] == base.subject.name
    assert 1.5 < slow.latency["ratio"] < 2.5
    assert slow.latency["verdict"] == "slower"
    assert peer.latency["p50_us"] == pytest.approx(300, rel=0.3)  # per image
    assert broken.reasons == {"latency": "No GPU is available here."}
    assert broken.latency is None
    assert peer.macs == base.macs == 38_907_920  # the network's


def test_a_peer_has_the_multiply_adds_of_its_network_and_not_those_of_a_foreign_file():
    rows = run(
        contender("int8", lambda: Busy(50)),
        contender("float32", lambda: Busy(50), path=RESNET18, network="foreign"),
        contender("int8", lambda: Busy(50), runtime="Peer"),
    )
    assert rows["int8Peer"].macs == rows["int8edge_runtime"].macs == 38_907_920
    assert rows["float32edge_runtime"].macs > 500_000_000


def test_a_single_row_is_measured_too():
    [row] = run(contender("int8", lambda: Busy(100))).values()
    assert row.latency["p50_us"] >= 100
    assert row.reasons == {}


def test_ctrl_c_keeps_what_was_measured():
    with pytest.raises(KeyboardInterrupt):
        run(
            contender("int8", lambda: Busy(100)),
            contender("float32", lambda: Busy(100)),
            contender("float16", lambda: Busy(100, interrupt_at=10)),
            seconds=0.5,
        )
    rows = run.results.rows
    part, never = rows["float32edge_runtime"], rows["float16edge_runtime"]
    assert part.latency["complete"] is False
    assert part.latency["calls"] > 0
    assert never.latency is None
    assert never.reasons == {"latency": "interrupted before its turn"}


def test_ctrl_c_keeps_previous_times():
    results = Results()
    previous = {"p50_us": 1.0}
    ours = contender("int8", lambda: Busy(100, interrupt_at=10))
    results.row(ours.subject).latency = previous
    with pytest.raises(KeyboardInterrupt):
        latency_pass.run([ours], [], results, seconds=0.2, say=lambda line: None)
    assert results.rows[ours.subject.name].latency == previous
    assert results.rows[ours.subject.name].reasons == {}


def test_ctrl_c_replaces_no_complete_times_with_partial_ones():
    results = Results()

    def measure(float32, seconds):
        both = [contender("int8", lambda: Busy(100)), contender("float32", lambda: float32)]
        latency_pass.run(both, [], results, seconds=seconds, say=lambda line: None)

    measure(Busy(100), 0.1)
    whole = {name: row.latency for name, row in results.rows.items()}
    assert all(latency["complete"] for latency in whole.values())
    with pytest.raises(KeyboardInterrupt):
        measure(Busy(100, interrupt_at=300), 20)  # in the second stretch
    assert {name: row.latency for name, row in results.rows.items()} == whole


def test_a_row_that_fails_during_the_pass_has_the_reason():
    class Fragile(Busy):
        def run(self, ready):
            super().run(ready)
            if self._calls > 4:  # after the first try
                raise RuntimeError("out of memory")

    rows = run(contender("int8", lambda: Busy(50)), contender("float32", lambda: Fragile(50)))
    assert rows["float32edge_runtime"].reasons == {"latency": "out of memory"}
    assert rows["float32edge_runtime"].latency is None
