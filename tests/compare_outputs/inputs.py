"""Make the inputs of the comparison from the committed images and models."""

from __future__ import annotations

import io
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import ROOT

SAMPLES = sorted((ROOT / "edge_runtime" / "samples").glob("*.png"))
PHOTOGRAPH = ROOT / "examples" / "chelsea.png"
MANY = 1000  # enough that several processes share the work, and a signal arrives in time


def make(folder: Path, before: Path) -> None:
    """Fill an empty folder.

    Args:
        before: the older checkout. Its models are used on both sides, so that a model that was
            exported again does not count as a difference.
    """
    shutil.copytree(SAMPLES[0].parent, folder / "samples")
    _encodings(folder / "encodings")
    _tree(folder / "folder")
    _bad(folder / "bad")
    _odd_names(folder / "odd")
    (folder / "many").mkdir()
    for number in range(MANY):
        shutil.copy(SAMPLES[number % len(SAMPLES)], folder / "many" / f"{number:04}.png")
    (folder / "many" / "0123.png").write_bytes(b"not an image")
    (folder / "empty").mkdir()
    names = [f"inputs/samples/{path.name}" for path in SAMPLES]
    (folder / "names.txt").write_text("\n".join([*names, "", "inputs/missing.png"]) + "\n")
    (folder / "no-names.txt").write_text("")
    (folder / "labels.txt").write_text("".join(f"class {number}\n" for number in range(10)))
    (folder / "short-labels.txt").write_text("one\ntwo\n")
    _models(folder / "models", before)
    if find_spec("cv2"):
        _video(folder / "video.avi")
    (folder / "broken.avi").write_bytes(b"not a video")


def _encodings(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(PHOTOGRAPH, folder / "photograph.png")
    photograph = Image.open(PHOTOGRAPH).convert("RGB")
    small = photograph.resize((64, 48))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    photograph.save(folder / "rotated.jpg", quality=90, exif=exif)
    photograph.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    small.convert("L").save(folder / "grey.png")
    small.convert("P").save(folder / "palette.png")
    transparent = small.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(small.size))
    transparent.save(folder / "transparent.png")
    deep = np.asarray(small.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    small.save(folder / "animated.gif", save_all=True, append_images=[small.rotate(180)])
    for suffix in ("bmp", "webp", "tiff", "ppm"):
        small.save(folder / f"small.{suffix}")


def _tree(folder: Path) -> None:
    for index, path in enumerate(SAMPLES):
        place = folder / "abc"[index % 3] / ("deeper" if index % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    (folder / "notes.txt").write_text("not an image\n")
    (folder / ".hidden.png").write_bytes(SAMPLES[0].read_bytes())
    (folder / "a" / "damaged.png").write_bytes(SAMPLES[0].read_bytes()[:300])


def _bad(folder: Path) -> None:
    folder.mkdir()
    whole = SAMPLES[0].read_bytes()
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not an image")
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    stream = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(stream, "PNG")  # small in the file, large when decoded
    (folder / "huge.png").write_bytes(stream.getvalue())


def _odd_names(folder: Path) -> None:
    folder.mkdir()
    for name in ('comma, quote".png', "Gänse.png", "line\nbreak.png", "[1].png", "-dash.png"):
        shutil.copy(SAMPLES[0], folder / name)
    # A name that is not valid UTF-8, as surrogateescape writes it.
    shutil.copy(SAMPLES[0], folder / "\udcff.png")


def _models(folder: Path, before: Path) -> None:
    shutil.copytree(before / "edge_runtime" / "models", folder)
    for path in (before / "tests" / "golden").glob("*.tflite"):
        shutil.copy(path, folder / f"golden-{path.name}")
    whole = (folder / "cnn-int8.tflite").read_bytes()
    (folder / "truncated.tflite").write_bytes(whole[: len(whole) // 2])
    (folder / "text.tflite").write_text("not a model")


def _video(path: Path) -> None:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 128))
    for sample in SAMPLES:
        frame = Image.open(sample).convert("RGB").resize((128, 128))
        writer.write(np.asarray(frame)[..., ::-1])
    writer.release()
