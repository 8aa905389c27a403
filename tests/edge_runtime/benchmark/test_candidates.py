"""What competes in `edge-benchmark --tune`, and how it is timed on folders."""

import numpy as np
import pytest

from edge_runtime.benchmark import candidates, folders
from edge_runtime.benchmark.candidates import Candidate, counts, look, promising
from edge_runtime.benchmark.folders import measure_folders
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

TINY = str(GOLDEN / "logits.tflite")
SAMPLES = list(shipped.samples().values())


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (4, [1, 2, 3, 4]),
        (6, [1, 2, 3, 4, 6]),
        (10, [1, 2, 3, 4, 6, 8, 10]),
        (64, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]),
    ],
)
def test_numbers_of_threads(cores, expected):
    assert counts(cores) == expected


def candidate(delegate, threads, us, refused=""):
    return Candidate(Setting("m", delegate, threads), refused, us)


def test_what_is_much_slower_is_not_measured_for_long():
    simplest = candidate("xnnpack", 1, 300)
    good = [candidate("openvino", 1, 100), candidate("openvino", 4, 40), candidate("gpu", 1, 199)]
    bad = [
        *(candidate("cpu", 1, 201), candidate("xnnpack", 4, 81), candidate("npu", 1, 201)),
        candidate("cpu", 4, np.nan, "it is wrong"),
    ]
    assert promising([simplest, *bad, *good]) == [simplest, *good]


def test_a_fast_accelerator_does_not_exclude_the_cpu():
    """Many processes may share the CPU, so its times are needed for folders."""
    competing = [candidate("xnnpack", 1, 300), candidate("cpu", 1, 500), candidate("gpu", 1, 10)]
    assert promising(competing) == competing


def test_only_what_agrees_counts(monkeypatch):
    real = candidates.open_agreeing

    def broken(path, delegate, reference, *, threads):
        if delegate == "xnnpack":
            raise DelegateError("its scores differ from the CPU's by 0.5; use another.")
        return real(path, delegate, reference, threads=threads)

    monkeypatch.setattr(candidates, "open_agreeing", broken)
    monkeypatch.setattr(candidates, "DELEGATES", ("xnnpack", "cpu"))
    monkeypatch.setattr(candidates, "ACCELERATORS", ())
    found = look(TINY, 2)
    assert [(c.setting.delegate, c.setting.threads) for c in found] == [
        *(("xnnpack", 1), ("cpu", 1), ("cpu", 2))
    ]
    assert found[0].refused == "its scores differ from the CPU's by 0.5"
    assert all(c.first_us > 0 and not c.refused for c in found[1:])
    assert found[0] not in promising(found)


def test_a_model_that_is_no_image_classifier_is_refused():
    with pytest.raises(ModelError, match="not an image classifier"):
        look(str(GOLDEN / "two_inputs.tflite"), 1)


def test_folders_are_timed_with_each_number_of_processes(monkeypatch):
    monkeypatch.setattr(folders, "_ROUND_S", 0.0)
    monkeypatch.setattr(folders, "_MIN_CHUNKS", 1)
    settings = [Setting(TINY, "xnnpack", 2), Setting(TINY, "xnnpack", 1)]
    found = measure_folders(settings, SAMPLES, print)
    assert list(found) == settings
    assert all(each.shape == (12,) and (each > 0).all() for each in found.values())


def test_a_system_that_starts_no_process_has_one(monkeypatch):
    def refuses(*arguments, **options):
        raise OSError("no processes here")

    monkeypatch.setattr(folders, "Pool", refuses)
    monkeypatch.setattr(folders, "_ROUND_S", 0.0)
    settings = [Setting(TINY, "xnnpack", 2), Setting(TINY, "xnnpack", 1)]
    assert list(measure_folders(settings, SAMPLES, print)) == settings[1:]
