"""Files that mean harm, or were hit by it: short here, whole in `make slow`."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inference import trial as probe
from edge_runtime.inference.trial import ensure_sound
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inputs.images import black_png

FORMATS = ("png", "jpeg", "webp", "gif", "bmp", "tiff")


def flipped(data: bytes, rng: np.random.Generator, most: int) -> bytes:
    """Change up to `most` bytes."""
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
    return bytes(damaged)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, and sometimes cut the end off or a piece out."""
    damaged = bytearray(flipped(data, rng, 20))
    kind = rng.integers(4)
    if kind == 0:
        del damaged[int(rng.integers(1, len(damaged))) :]
    elif kind == 1:
        start = int(rng.integers(len(damaged)))
        del damaged[start : start + int(rng.integers(1, 200))]
    return bytes(damaged)


def images(folder: Path, count: int) -> list[Path]:
    rng = np.random.default_rng(0)
    picture = Image.open(shipped.samples()["ship"]).convert("RGB").resize((48, 40))
    originals = {}
    for kind in FORMATS:
        stream = io.BytesIO()
        picture.save(stream, kind)
        originals[kind] = stream.getvalue()
    paths = []
    for number in range(count):
        kind = FORMATS[number % len(FORMATS)]
        paths.append(folder / f"{number:05}.{kind}")
        paths[-1].write_bytes(mutated(originals[kind], rng))
    return paths


def answer_all(folder: Path, count: int) -> None:
    folder.mkdir()
    paths = images(folder, count)
    good = folder / "zzz.png"
    good.write_bytes(shipped.samples()["ship"].read_bytes())
    result = run("edge-classify", "--json", "--threads", "2", folder)
    assert result.returncode == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["source"] for line in lines] == [str(path) for path in (*paths, good)]
    assert lines[-1]["predictions"][0]["label"] == "ship"
    failed = [line for line in lines if "error" in line]
    assert 0.2 * count < len(failed) < count
    *complaints, summary = result.stderr.splitlines()
    assert len(complaints) == len(failed)
    assert all(c.startswith(f"edge-classify: {folder}") for c in complaints)
    assert f"{len(failed):,} failed" in summary


def test_mutated_images(tmp_path):
    answer_all(tmp_path / "images", 300)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_thousand_mutated_images(tmp_path):
    answer_all(tmp_path / "images", 5000)


def test_odd_names_bombs_and_shapes_in_one_folder(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    ship = shipped.samples()["ship"].read_bytes()
    names = [b"line\nbreak.png", b"bro\xffken.png", b"\x1b[31mred.png", b" .png", b"-.png"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(ship)
    (folder / "bomb.png").write_bytes(black_png(30_000))
    Image.new("RGB", (1, 100_000), "red").save(folder / "tall.png")
    Image.new("RGB", (100_000, 1), "red").save(folder / "wide.png")
    (folder / "no-pixels.gif").write_bytes(b"GIF89a\0\0\0\0\0\0\0;")
    (folder / "round").symlink_to(folder)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "fifo.png")
    result = run("edge-classify", "--json", folder)
    assert result.returncode == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    answered = {os.fsencode(line["source"].removeprefix(f"{folder}/")) for line in lines}
    assert answered == {*names, b"bomb.png", b"tall.png", b"wide.png", b"no-pixels.gif"}
    assert sum("error" in line for line in lines) == 2
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_stdout_closed_in_a_batch(tmp_path):
    for number in range(300):
        (tmp_path / f"{number:03}.png").symlink_to(shipped.samples()["ship"])
    command = f"{Path(sys.executable).parent / 'edge-classify'} --threads 2 {tmp_path} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


def test_an_unknown_model_is_tried_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = GOLDEN / "uint8.tflite"
    assert probe._known() == set()
    Classifier(model)
    [line] = probe._known()
    assert line.split()[1] == "xnnpack"
    monkeypatch.setattr("subprocess.run", lambda *a, **k: pytest.fail("tried again"))
    Classifier(model)
    Classifier()  # the shipped ones need no trial
    with pytest.raises(pytest.fail.Exception):
        Classifier(GOLDEN / "int8.tflite")


def test_without_a_cache_it_still_works(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert Classifier(GOLDEN / "uint8.tflite").labels == ("red", "green", "blue")


def test_without_a_home_there_is_no_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    Classifier(GOLDEN / "uint8.tflite")
    assert list(tmp_path.iterdir()) == []


def test_children_find_the_modules_that_this_process_finds(tmp_path, monkeypatch):
    """Beside this package there may be one that is called as one of Python's own."""
    (tmp_path / "pathlib.py").write_text("raise ImportError")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    Classifier(GOLDEN / "uint8.tflite")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    Classifier(GOLDEN / "float32.tflite")


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_model_that_crashes_is_an_error(monkeypatch):
    """A child that kills itself stands for LiteRT's crash."""
    crash = [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"]
    monkeypatch.setattr(probe, "child_command", lambda *arguments: crash)
    path = GOLDEN / "two_inputs.tflite"
    with pytest.raises(EdgeRuntimeError, match=r"two_inputs\.tflite crashed LiteRT \(-11\)"):
        ensure_sound(path, "xnnpack")
    with pytest.raises(EdgeRuntimeError, match=r"crashed LiteRT \(-11\) .* on gpu; use --delegate"):
        ensure_sound(path, "gpu")


def test_a_model_that_hangs_is_an_error(monkeypatch):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(probe, "child_command", lambda *arguments: sleep)
    monkeypatch.setattr(probe, "_TIMEOUT_S", 0.2)
    with pytest.raises(EdgeRuntimeError, match=r"took more than 0\.2 s when it was tried"):
        ensure_sound(GOLDEN / "two_inputs.tflite", "xnnpack")


def survive_models(count: int, seed: int = 0) -> None:
    """Load mutated models in one child process, which must live through them all."""
    script = f"""
import sys, tempfile, numpy as np
from pathlib import Path
from edge_runtime import Classifier, EdgeRuntimeError
from tests.edge_runtime.test_hostile import flipped
rng = np.random.default_rng({seed})
data = (Path({str(GOLDEN)!r}) / "unlabelled.tflite").read_bytes()
picture = np.zeros((4, 4, 3), np.uint8)
answers = errors = crashes = 0
with tempfile.TemporaryDirectory() as folder:
    for number in range({count}):
        path = Path(folder) / f"{{number}}.tflite"
        path.write_bytes(flipped(data, rng, 4))
        try:
            with Classifier(path) as classifier:
                classifier.classify(picture)
            answers += 1
        except EdgeRuntimeError as exc:
            errors += 1
            crashes += "crashed" in str(exc)
print(answers, errors, crashes)
"""
    result = run("-c", script, cwd=GOLDEN.parents[1])
    assert result.returncode == 0, result.stderr[-2000:]
    answers, errors, crashes = map(int, result.stdout.split())
    print(f"{answers} answered, {errors} refused, {crashes} of them for crashing LiteRT")
    assert answers + errors == count
    assert answers > 0
    assert errors > count / 4


def test_mutated_models():
    survive_models(25)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_hundred_mutated_models():
    for seed in range(1, 6):
        survive_models(100, seed)
