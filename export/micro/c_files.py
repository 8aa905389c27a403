"""Write a model as a C source and header, measured and compared with the runtime.

The files hold the graph alone: labels and quantization become C, and the archive behind the graph
is left out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.support.files import replacing
from edge_runtime.support.outputs import output_file
from edge_runtime.tflite.metadata import detached
from export import committed
from export.calibration import evenly_spaced
from export.micro import c_source
from export.micro.agreement import Agreement, agree, open_interpreter
from export.micro.arena import smallest_arena

_IMAGES = 200


@dataclass(frozen=True)
class WrittenFiles:
    """The written files, and what was measured.

    Attributes:
        source: the C source.
        header: the C header.
        model_bytes: size of the graph.
        arena_bytes: working memory that the graph needs.
        agreements: with the runtime, one for each of its CPU delegates.
    """

    source: Path
    header: Path
    model_bytes: int
    arena_bytes: int
    agreements: tuple[Agreement, ...]


def write_c_files(model: str | Path, out: Path, *, overwrite: bool = False) -> WrittenFiles:
    """Write `NAME.c` and `NAME.h`, where NAME is the model's name as a C identifier.

    Args:
        model: a .tflite file, or the name of a shipped model.
        out: folder to write to; it is made if it is missing.
        overwrite: replace files that exist.

    Raises:
        EdgeRuntimeError: the model is missing, damaged, no image classifier, or has operations
            that TensorFlow Lite Micro does not support.
        OutputError: a file exists, is the model, or may not be written; found out before the work.
        CalibrationError: the committed images are damaged.
        OSError: the files cannot be written.
    """
    path = shipped.find(model)
    name = _identifier(path.stem)
    files = {
        suffix: output_file(
            out / f"{name}{suffix}",
            subject=str(out / f"{name}{suffix}"),
            inputs=[path],
            overwrite=overwrite,
            parents=True,
            trial=True,
        )
        for suffix in (".h", ".c")
    }
    with Classifier(model, delegate="cpu") as classifier:
        labels = classifier.labels
    graph = detached(path.read_bytes())
    interpret = open_interpreter(graph, path)
    arena_bytes = smallest_arena(graph, path)
    engine = open_engine(path, delegate="cpu")
    metadata = read_metadata(path)
    preprocessing = Preprocessing(engine.input, metadata, mean=None, std=None, how=None)
    images = evenly_spaced(committed.read().held_out.images, _IMAGES)
    inputs = [preprocessing(image) for image in images]
    outputs = np.stack([interpret(image) for image in inputs])
    agreements = tuple(agree(delegate, path, inputs, outputs) for delegate in ("cpu", "xnnpack"))

    text = {
        ".h": c_source.header(name, path, graph, engine, metadata, arena_bytes),
        ".c": c_source.source(name, graph, f"{name}.h", labels),
    }
    for suffix, content in text.items():
        with replacing(files[suffix], overwrite=overwrite) as temporary:
            temporary.write_text(content, encoding="ascii")
    return WrittenFiles(out / f"{name}.c", out / f"{name}.h", len(graph), arena_bytes, agreements)


def _identifier(name: str) -> str:
    """Return a name as a C identifier: letters without their accents, and underscores."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = "_".join(re.findall(r"[A-Za-z0-9]+", letters))
    return words if words[:1].isalpha() else f"model_{words}".rstrip("_")
