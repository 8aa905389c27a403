"""The command `python -m benchmarks.runtime`: compare the runtime with simple code.

There are three comparisons: one array, one photograph of 12 megapixels, and a folder of small PNG
files to JSON lines. `edge_runtime.support.timing` interleaves and evaluates each.
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

from benchmarks.png_folder import make_png_folder
from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.support.options import run_command
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
        result = interpreter.get_tensor(scores)[0] / 256
        best = int(result.argmax())
        line = {"source": str(path), "index": best, "score": float(result[best])}
        print(json.dumps(line), file=results)
"""


class BareInterpreter:
    """LiteRT's interpreter without our runtime."""

    def __init__(self, model: Path) -> None:
        self._interpreter: Any = Interpreter(model_path=str(model), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the raw scores of an image, uint8 (1, 32, 32, 3), RGB, 0-255."""
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def run_photograph(self, path: Path) -> np.ndarray:
        """Return the raw scores of an image file, which is decoded at full size and resized."""
        image = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
        return self.run(np.asarray(image)[np.newaxis])


def compare_array(bare: BareInterpreter, classifier: Classifier) -> TimeRatio:
    """Compare `classify` on an array with the three calls of the interpreter."""
    pixels = np.asarray(Image.open(shipped.samples()["ship"]).convert("RGB"))
    batch = pixels[np.newaxis].copy()
    times = measure({"bare": lambda: bare.run(batch), "ours": lambda: classifier.classify(pixels)})
    return compare_times(times["bare"], times["ours"])


def compare_photograph(bare: BareInterpreter, classifier: Classifier, folder: Path) -> TimeRatio:
    """Compare `classify` on a JPEG of 4000 x 3000 pixels with decoding it at full size."""
    path = folder / "photograph.jpg"
    sample = Image.open(shipped.samples()["ship"]).convert("RGB")
    sample.resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    times = measure(
        {"bare": lambda: bare.run_photograph(path), "ours": lambda: classifier.classify(path)},
        rounds=30,
        warm_up=2,
    )
    return compare_times(times["bare"], times["ours"])


def compare_folder(model: Path, folder: Path, files: int, runs: int) -> TimeRatio:
    """Compare `edge-classify` on a folder of PNG files with a loop in one process."""
    images = folder / "images"
    make_png_folder(images, files)
    loop = [sys.executable, "-c", LOOP, model, images, folder / "loop.jsonl"]
    command = [Path(sys.executable).parent / "edge-classify", "--json", images]
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
    files: Annotated[
        int, typer.Option(min=1, help="Put this many PNG files into the folder.")
    ] = 10_000,
    runs: Annotated[int, typer.Option(min=1, help="Classify the folder this many times.")] = 7,
) -> None:
    """Print the time of the runtime divided by that of simple code."""
    model = shipped.models()[shipped.DEFAULT_MODEL]
    bare = BareInterpreter(model)
    with tempfile.TemporaryDirectory() as temporary, Classifier() as classifier:
        folder = Path(temporary)
        for name, ratio in (
            ("an array", compare_array(bare, classifier)),
            ("a 12-megapixel JPEG", compare_photograph(bare, classifier, folder)),
            (f"{files:,} PNG files", compare_folder(model, folder, files, runs)),
        ):
            typer.echo(
                f"{name}: {ratio.ratio:.3f} times the time of simple code "
                f"({ratio.low:.3f} to {ratio.high:.3f}), {ratio.verdict}"
            )


if __name__ == "__main__":
    run_command(main)
