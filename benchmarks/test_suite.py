"""Run the measurements of `python -m benchmarks` under pytest-benchmark: `pytest benchmarks`.

`--benchmark-json FILE` stores the results. The `extra_info` of each benchmark has the accuracy on
the test images, its drop from float32, bytes, delegate, threads and percentiles of the raw times.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import accuracy_pass, networks, peers
from benchmarks.contenders import Contender, Missing, contenders_of, model_files
from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import decode
from edge_runtime.support.timing import summarize
from train import cifar10
from train.dataset import DataError, Dataset

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.timeout(1800)  # ResNet18 on the built-in kernels


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each contender; what cannot be measured is skipped with the reason."""
    found: list[Contender | Missing] = list(contenders_of(model_files([]), [], [1]))
    if not metafunc.config.getoption("--no-peers"):
        for network in list(networks.trained(found)):
            if isinstance(network, Missing):
                found.append(network)
                continue
            found += peers.contenders(network, Path("runs/benchmark/peers"), [1], [1])
    found.sort(key=lambda one: not accuracy_pass.is_base(one.subject))  # others need its scores
    parameters = []
    for one in found:
        reason = one.reason if isinstance(one, Missing) else ""
        marks = [pytest.mark.skip(reason=reason)] if reason else []
        parameters.append(pytest.param(one, id=one.subject.name, marks=marks))
    metafunc.parametrize("contender", parameters)


@pytest.fixture(scope="session")
def data_set() -> Dataset | str:
    """CIFAR-10, or the reason why it cannot be loaded."""
    try:
        return cifar10.load()
    except DataError as exc:
        return str(exc)


@pytest.fixture(scope="session")
def float32_scores() -> dict[str, NDArray[np.float32]]:
    """The scores of each network's float32 file, which is evaluated first."""
    return {}


def test_latency(
    contender: Contender,
    benchmark: BenchmarkFixture,
    data_set: Dataset | str,
    float32_scores: dict[str, NDArray[np.float32]],
) -> None:
    """Time a call from the input tensor to the raw output, and evaluate the accuracy."""
    runner = contender.open()
    ready = runner.ready(np.asarray(decode(shipped.samples()["ship"])))
    benchmark.group = contender.subject.network
    benchmark(runner.run, ready)
    subject = contender.subject
    benchmark.extra_info.update(
        bytes=contender.size_bytes,
        runtime=subject.runtime,
        delegate=subject.delegate,
        threads=subject.threads,
        **_accuracy(contender, data_set, float32_scores),
    )
    if benchmark.stats is not None:  # not with --benchmark-disable
        raw_ns = np.rint(np.array(benchmark.stats.stats.data) * 1e9).astype(np.int64)
        percentiles = summarize(raw_ns)
        for name in ("p50_us", "p90_us", "p95_us", "p99_us"):
            benchmark.extra_info[name] = getattr(percentiles, name)


def _accuracy(
    contender: Contender, data_set: Dataset | str, float32_scores: dict[str, NDArray[np.float32]]
) -> dict[str, Any]:
    if isinstance(data_set, str):
        return {"top1": None, "drop": None, "accuracy_missing": data_set}
    scores = accuracy_pass.all_scores(contender.open(), data_set.test.images)
    network = contender.subject.network
    if accuracy_pass.is_base(contender.subject):
        float32_scores[network] = scores
    found = accuracy_pass.figures(scores, data_set.test.labels, float32_scores.get(network))
    return {"top1": found["top1"], "drop": found.get("drop")}
