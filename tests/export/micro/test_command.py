"""The command `python -m export.micro`: C that compiles, and results equal to the runtime's."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from edge_runtime.inference import shipped
from edge_runtime.support import native_log
from edge_runtime.tflite.metadata import attach, detached
from tests.conftest import GOLDEN, ROOT, run

runtime = pytest.importorskip("tflite_micro").runtime


def export(*arguments):
    return run("-m", "export.micro", *arguments, cwd=ROOT)


def defines(header):
    """Return the numbers that a header defines, by name."""
    found = re.findall(r"^#define (\w+) (\S+)$", header, re.MULTILINE)
    return {name: float(value.removesuffix("f")) for name, value in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder with the default model's files, and what the command printed."""
    out = tmp_path_factory.mktemp("micro") / "new"
    result = export("cnn-int8", "--out", out)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["cnn_int8.c", "cnn_int8.h"]
    return out, result.stdout


def test_results_agree_with_the_runtime_s(made):
    _, built_in, xnnpack = made[1].splitlines()
    assert "against --delegate cpu, 200 held-out images: agreement 100.00%" in built_in
    assert float(built_in.rsplit(" ", 1)[1]) <= 1 / 256
    # XNNPACK rounds each layer's sums differently, which changes the top-1 class if two classes are
    # close: with the shipped network, on 2 of 200 images.
    [agreement] = re.findall(r"against --delegate xnnpack, .* agreement ([\d.]+)%", xnnpack)
    assert float(agreement) >= 98.5
    assert float(xnnpack.rsplit(" ", 1)[1]) <= 0.1


def test_the_header_describes_the_graph(made):
    numbers = defines((made[0] / "cnn_int8.h").read_text())
    graph = detached(shipped.models()["cnn-int8"].read_bytes())
    assert numbers["CNN_INT8_MODEL_BYTES"] == len(graph)
    assert numbers["CNN_INT8_INPUT_SCALE"] == np.float32(1 / 255)
    assert numbers["CNN_INT8_OUTPUT_SCALE"] == 1 / 256
    assert numbers["CNN_INT8_INPUT_ZERO_POINT"] == numbers["CNN_INT8_OUTPUT_ZERO_POINT"] == 0
    shape = [numbers[f"CNN_INT8_{name}"] for name in ("HEIGHT", "WIDTH", "CHANNELS", "CLASSES")]
    assert shape == [32, 32, 3, 10]


def test_the_arena_is_no_larger_than_needed(made):
    arena = int(defines((made[0] / "cnn_int8.h").read_text())["CNN_INT8_ARENA_BYTES"])
    graph = detached(shipped.models()["cnn-int8"].read_bytes())
    assert 65_536 < arena < 80_000  # the two largest activations, and bookkeeping
    with native_log.dropped(), pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(graph, arena_size=arena - 1024)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("language", [("c", "c99"), ("c", "c11"), ("c++", "c++11")])
def test_it_compiles_and_holds_the_graph(made, tmp_path, language):
    main = tmp_path / "main.c"
    main.write_text(
        '#include <stdint.h>\n#include <stdio.h>\n#include "cnn_int8.h"\n'
        "int main(void) {\n"
        "  if ((uintptr_t)cnn_int8_model % 16 != 0) return 1;\n"
        "  for (int i = 0; i < CNN_INT8_CLASSES; i++) puts(cnn_int8_labels[i]);\n"
        "  return fwrite(cnn_int8_model, 1, sizeof cnn_int8_model, stdout) == 0;\n"
        "}\n"
    )
    name, standard = language
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-std={standard}", "-x", name]
    if name == "c++":
        shutil.which("g++") or pytest.skip("g++ is not installed")
    compiler = {"c": "gcc", "c++": "g++"}[name]
    files = [main, made[0] / "cnn_int8.c", f"-I{made[0]}", "-o", tmp_path / "main"]
    subprocess.run([compiler, *warnings, *files], check=True)
    printed = subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout
    graph = detached(shipped.models()["cnn-int8"].read_bytes())
    assert printed.endswith(graph)
    assert printed[: -len(graph)].decode().split() == [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip


def test_odd_names_and_labels_compile(tmp_path):
    graph = (GOLDEN / "unlabelled.tflite").read_bytes()
    odd = ['a "quoted\\ one', "trigraph ??=", "Katze\u00e91"]
    model = tmp_path / "3 - odd-näme.tflite"
    model.write_bytes(attach(graph, {"labels.txt": "\n".join(odd).encode()}))
    result = export(model, "--out", tmp_path / "out")
    assert (result.returncode, result.stderr) == (0, "")
    source = tmp_path / "out" / "model_3_odd_name.c"
    assert "model_3_odd_name_model" in source.read_text()
    if shutil.which("gcc"):
        files = [source, "-c", "-o", tmp_path / "odd.o"]
        subprocess.run(["gcc", "-Wall", "-Werror", "-trigraphs", *files], check=True)
        assert "Katze\u00e91".encode() in (tmp_path / "odd.o").read_bytes()
        assert odd[1].encode() in (tmp_path / "odd.o").read_bytes()


@pytest.mark.parametrize("name", ["missing", "text", "image_to_image"])
def test_bad_models(tmp_path, name):
    path = GOLDEN / f"{name}.tflite" if name == "image_to_image" else tmp_path / "model.tflite"
    if name == "text":
        path.write_text("no model")
    result = export(path, "--out", tmp_path / "out")
    assert (result.returncode, result.stdout) == (2 if name == "missing" else 1, "")
    assert path.name in result.stderr
    if name != "missing":
        assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    result = export(GOLDEN / "uint8.tflite", "--out", tmp_path / "file" / "out")
    assert (result.returncode, result.stdout) == (2, "")
    assert "is a file" in result.stderr
    assert (tmp_path / "file").read_text() == ""


def test_a_missing_extra_is_named():
    hide = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'tflite_micro' else find(name, *a);"
        "sys.argv = ['x', 'cnn-int8', '--out', 'nowhere'];"
        "import runpy; runpy.run_module('export.micro', run_name='__main__')"
    )
    result = run("-c", hide, cwd=ROOT)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "tflite_micro not found; install with: pip install -e '.[micro]'\n"
