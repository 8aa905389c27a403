"""Run `pytest benchmarks` on one model."""

import json
import os

import pytest

from tests.conftest import ROOT, run
from train.cifar10 import ENVIRONMENT_VARIABLE


def _without_xdist() -> dict[str, str]:
    """Return the environment of a process that is not one of several that share the tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


@pytest.mark.slow
def test_each_time_is_stored_with_its_conditions(tmp_path):
    pytest.importorskip("pytest_benchmark")
    out = tmp_path / "out.json"
    result = run(
        "-m", "pytest", "benchmarks", "--no-peers", f"--benchmark-json={out}", "-q",
        "-k", "cnn-int8 and xnnpack and not qat", "-p", "no:cacheprovider",
        "--benchmark-max-time=0.2",
        cwd=ROOT, env={**_without_xdist(), ENVIRONMENT_VARIABLE: "nowhere"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    [benchmark] = json.loads(out.read_text())["benchmarks"]
    info = benchmark["extra_info"]
    assert info["bytes"] == (ROOT / "edge_runtime/models/cnn-int8.tflite").stat().st_size
    assert (info["delegate"], info["threads"], info["runtime"]) == ("xnnpack", 1, "edge_runtime")
    assert (info["top1"], info["drop"]) == (None, None)
    assert "nowhere, which does not exist" in info["accuracy_missing"]
    assert info["p50_us"] == pytest.approx(benchmark["stats"]["median"] * 1e6, rel=0.01)
    assert info["p50_us"] <= info["p95_us"] <= info["p99_us"]
