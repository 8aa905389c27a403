import shutil
import time

import pytest

from edge_runtime.benchmark.cold_start import ColdStart, cold_start, median
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

IMAGES = list(shipped.samples().values())
TINY = str(GOLDEN / "logits.tflite")


@pytest.mark.parametrize("batch", [1, 2])
def test_the_parts_make_the_whole(batch):
    begun = time.perf_counter()
    start = cold_start(Setting("cnn-int8", batch=batch), IMAGES[:batch])
    wall_ms = (time.perf_counter() - begun) * 1000
    assert min(start[:5]) > 0
    assert start.total_ms == pytest.approx(sum(start[:4]))
    assert 0.3 * wall_ms < start.total_ms < wall_ms
    assert start.first_invoke_ms < start.first_image_ms < start.total_ms


def test_the_peak_is_that_of_the_child_and_not_of_this_process():
    ballast = bytearray(200 << 20)
    peak = cold_start(Setting("cnn-int8"), IMAGES[:1]).peak_bytes
    assert 25 << 20 < peak < 150 << 20 < len(ballast)


def test_the_error_of_the_process_is_passed_on():
    with pytest.raises(ModelError, match=r"in a new process .*no model nothing"):
        cold_start(Setting("nothing"), IMAGES[:1])


def test_a_process_that_cannot_be_started_is_a_model_error(monkeypatch):
    def no_memory(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.run", no_memory)
    with pytest.raises(ModelError, match=r"cnn-int8 could not be started .*\(Cannot allocate"):
        cold_start(Setting("cnn-int8"), IMAGES[:1])


def test_more_images_than_a_command_line_holds(tmp_path):
    """Linux limits a command line to 2 MiB, and each of its arguments to 128 KiB."""
    path = tmp_path
    while len(str(path)) < 800:
        path /= "d" * 100
    path.mkdir(parents=True)
    image = path / "image.png"
    shutil.copy(IMAGES[0], image)
    batch = (3 << 20) // len(str(image))
    assert cold_start(Setting(TINY, batch=batch), [image] * batch).total_ms > 0


def test_medians_of_each_part_and_the_highest_peak():
    starts = [ColdStart(n, 2 * n, 1, 1, 1, peak) for n, peak in ((1, 7), (3, None), (2, 5))]
    assert median(starts) == ColdStart(2, 4, 1, 1, 1, 7)
    assert median(starts[1:2]).peak_bytes is None
