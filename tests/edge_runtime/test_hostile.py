"""Malicious and damaged files: a few in the normal tests, many in `make slow`."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.inference import shipped
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inputs.images import black_png

FORMATS = ("png", "jpeg", "webp", "gif", "bmp", "tiff")


def flipped(data: bytes, rng: np.random.Generator, most: int) -> bytes:
    """Return data with up to `most` bytes changed."""
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
    return bytes(damaged)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return data with some bytes changed, sometimes without its end or a piece."""
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
    image = Image.open(shipped.samples()["ship"]).convert("RGB").resize((48, 40))
    originals = {}
    for kind in FORMATS:
        stream = io.BytesIO()
        image.save(stream, kind)
        originals[kind] = stream.getvalue()
    paths = []
    for number in range(count):
        kind = FORMATS[number % len(FORMATS)]
        paths.append(folder / f"{number:05}.{kind}")
        paths[-1].write_bytes(mutated(originals[kind], rng))
    return paths


def classify_all(folder: Path, count: int) -> None:
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
    classify_all(tmp_path / "images", 300)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_thousand_mutated_images(tmp_path):
    classify_all(tmp_path / "images", 5000)


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
    named = {os.fsencode(line["source"].removeprefix(f"{folder}/")) for line in lines}
    assert named == {*names, b"bomb.png", b"tall.png", b"wide.png", b"no-pixels.gif"}
    assert sum("error" in line for line in lines) == 2
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_stdout_closed_in_a_batch(tmp_path):
    for number in range(300):
        (tmp_path / f"{number:03}.png").symlink_to(shipped.samples()["ship"])
    command = f"{Path(sys.executable).parent / 'edge-classify'} --threads 2 {tmp_path} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


def survive_models(count: int, seed: int = 0) -> None:
    """Load damaged models in one child process, which must survive them all.

    A damaged model either gives a prediction that is one, or an error that names its file.
    """
    script = f"""
import sys, tempfile, numpy as np
from pathlib import Path
from edge_runtime import Classifier, EdgeRuntimeError
from tests.edge_runtime.test_hostile import flipped
rng = np.random.default_rng({seed})
data = (Path({str(GOLDEN)!r}) / "unlabelled.tflite").read_bytes()
image = np.zeros((4, 4, 3), np.uint8)
with tempfile.TemporaryDirectory() as folder:
    for number in range({count}):
        path = Path(folder) / f"{{number}}.tflite"
        path.write_bytes(flipped(data, rng, 4))
        try:
            with Classifier(path) as classifier:
                [best] = classifier.classify(image)
                assert best.label == classifier.labels[best.index], best
                assert np.isfinite(best.score), best
            print("classified")
        except EdgeRuntimeError as exc:
            print("crashed" if "crashed LiteRT" in str(exc) else "refused", exc)
"""
    result = run("-c", script, cwd=GOLDEN.parents[1])
    assert result.returncode == 0, result.stderr[-2000:]
    lines = result.stdout.splitlines()
    kinds = [line.split()[0] for line in lines]
    print(f"{', '.join(f'{kinds.count(kind)} {kind}' for kind in sorted(set(kinds)))}")
    # Damage to weights only changes scores, damage to the graph's structure is an error.
    assert kinds.count("classified") > 0
    assert kinds.count("refused") + kinds.count("crashed") > count / 4
    errors = [line for line in lines if not line.startswith("classified")]
    assert [line for line in errors if ".tflite" not in line] == []


def test_mutated_models():
    survive_models(25)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_hundred_mutated_models():
    for seed in range(1, 6):
        survive_models(100, seed)
