"""The command `python -m benchmarks.runtime`: the runtime against straightforward code.

Three comparisons, each interleaved and judged by `edge_runtime.support.timing`: one ready array, one
photograph of 12 megapixels, and a folder of small PNG files to JSON lines.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.support.timing import TimeRatio, compare_times, measure

LOOP = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
image = interpreter.get_input_details()[0]["index"]
scores = interpreter.get_output_details()[0]["index"]
with open(sys.argv[3], "w") as results:
    for path in sorted(Path(sys.argv[2]).rglob("*.png")):
        pixels = np.asarray(Image.open(path).convert("RGB").resize((32, 32)))
        interpreter.set_tensor(image, pixels[None])
        interpreter.invoke()
        answer = interpreter.get_tensor(scores)[0] / 256
        best = int(answer.argmax())
        line = {"source": str(path), "index": best, "score": float(answer[best])}
        print(json.dumps(line), file=results)
"""


class Bare:
    """The interpreter, with nothing around it."""

    def __init__(self, model: Path) -> None:
        self._interpreter: Any = Interpreter(model_path=str(model), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the raw scores of uint8 (1, 32, 32, 3), RGB."""
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def photo(self, path: Path) -> np.ndarray:
        """Return the raw scores of an image that is decoded and resized at full size."""
        image = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
        return self.run(np.asarray(image)[np.newaxis])


def array(bare: Bare, classifier: Classifier) -> TimeRatio:
    """Compare `classify` on a ready array with the interpreter's three calls."""
    pixels = np.asarray(Image.open(shipped.samples()["ship"]).convert("RGB"))
    batch = pixels[np.newaxis].copy()
    times = measure({"bare": lambda: bare.run(batch), "ours": lambda: classifier.classify(pixels)})
    return compare_times(times["bare"], times["ours"])


def photo(bare: Bare, classifier: Classifier, folder: Path) -> TimeRatio:
    """Compare `classify` on a JPEG of 4000 x 3000 pixels with decoding it at full size."""
    path = folder / "photo.jpg"
    sample = Image.open(shipped.samples()["ship"]).convert("RGB")
    sample.resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    times = measure(
        {"bare": lambda: bare.photo(path), "ours": lambda: classifier.classify(path)},
        rounds=30,
        warm_up=2,
    )
    return compare_times(times["bare"], times["ours"])


def draw(folder: Path, files: int) -> None:
    """Make a folder of PNG files, 32 x 32 pixels, each another."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(files):
        noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        noise.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{number:06}.png")


def batch(model: Path, folder: Path, files: int, runs: int) -> TimeRatio:
    """Compare the command on a folder of PNG files with a loop in one process."""
    pictures = folder / "pictures"
    draw(pictures, files)
    loop = [sys.executable, "-c", LOOP, model, pictures, folder / "loop.jsonl"]
    command = [Path(sys.executable).parent / "edge-classify", "--json", pictures]
    commands = {"loop": loop, "ours": [*command, "--out", folder / "ours.jsonl"]}
    times = measure(
        {
            name: partial(subprocess.run, c, check=True, stderr=subprocess.DEVNULL)
            for name, c in commands.items()
        },
        rounds=runs,
        warm_up=0,
    )
    return compare_times(times["loop"], times["ours"])


def main(
    files: Annotated[int, typer.Option(min=1, help="PNG files in the folder.")] = 10_000,
    runs: Annotated[int, typer.Option(min=1, help="Of the folder, each.")] = 7,
) -> None:
    """Print how long the runtime takes, as a ratio to straightforward code."""
    model = shipped.models()[shipped.DEFAULT_MODEL]
    bare = Bare(model)
    with tempfile.TemporaryDirectory() as temporary, Classifier() as classifier:
        folder = Path(temporary)
        for name, comparison in (
            ("a ready array", array(bare, classifier)),
            ("a 12-megapixel JPEG", photo(bare, classifier, folder)),
            (f"{files:,} PNG files", batch(model, folder, files, runs)),
        ):
            typer.echo(
                f"{name}: {comparison.ratio:.3f} times the straightforward time "
                f"({comparison.low:.3f} to {comparison.high:.3f}), {comparison.verdict}"
            )


if __name__ == "__main__":
    typer.run(main)
