"""What `edge-benchmark` refuses before it measures, and what its exit codes mean."""

import json
import re
import shutil

import pytest

from edge_runtime.inference import shipped
from edge_runtime.support.files import replacing
from tests.conftest import GOLDEN, run

TINY = GOLDEN / "logits.tflite"
BRIEF = ("--calls", "20", "--cold-starts", "0")


def benchmark(*arguments, **options):
    return run("edge-benchmark", *map(str, arguments), *BRIEF, **options)


def refused(result) -> str:
    """Return the message of a command line that was refused before anything was measured."""
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert "[Errno" not in result.stderr
    return " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A record of this machine."""
    path = tmp_path_factory.mktemp("old") / "old.json"
    result = benchmark(TINY, "--out", path)
    assert (result.returncode, result.stderr) == (0, "")
    return path


@pytest.fixture
def folder(tmp_path, old):
    """A folder with everything that the command reads, and links to some of it."""
    shutil.copy(TINY, tmp_path / "own.tflite")
    shutil.copy(shipped.samples()["cat"], tmp_path / "photo.png")
    shutil.copy(old, tmp_path / "old.json")
    (tmp_path / "delegate.so").write_bytes(b"library")
    (tmp_path / "names.txt").write_text("photo.png\n")
    (tmp_path / "link.tflite").symlink_to("own.tflite")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "photo.png")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("out", "arguments"),
    [
        ("own.tflite", ["own.tflite"]),
        ("own.tflite", ["link.tflite"]),
        ("link.tflite", ["own.tflite"]),
        ("photo.png", [TINY, "--images", "photo.png"]),
        ("hard.png", [TINY, "--images", "photo.png"]),
        ("photo.png", [TINY, "--images", "."]),
        ("photo.png", [TINY, "--images", "*.png"]),
        ("delegate.so", [TINY, "--delegate", "./delegate.so"]),
        ("old.json", [TINY, "--compare", "old.json"]),
    ],
)
def test_an_input_is_never_an_output(folder, out, arguments, overwrite):
    before = contents(folder)
    said = refused(benchmark(*arguments, "--out", out, *overwrite, cwd=folder))
    assert f"--out {out} would replace" in said
    assert contents(folder) == before


@pytest.mark.parametrize("out", ["photo.png", "names.txt"])
def test_an_input_on_standard_input_is_never_an_output(folder, out):
    before = contents(folder)
    with (folder / "names.txt").open("rb") as names:
        result = benchmark(
            TINY, "--images", "-", "--out", out, "--overwrite", stdin=names, cwd=folder
        )
    assert f"--out {out} would replace" in refused(result)
    assert contents(folder) == before


def test_a_shipped_sample_is_never_an_output():
    cat = shipped.samples()["cat"]
    before = cat.read_bytes()
    assert "would replace" in refused(benchmark(TINY, "--out", cat, "--overwrite"))
    assert cat.read_bytes() == before


def test_a_file_that_exists_is_replaced_only_if_asked(tmp_path):
    out = tmp_path / "notes.txt"
    out.write_text("precious")
    said = refused(benchmark(TINY, "--out", out))
    assert f"--out {out} exists; add --overwrite to replace it, or name another file" in said
    assert out.read_text() == "precious"
    assert benchmark(TINY, "--out", out, "--overwrite").returncode == 0
    assert json.loads(out.read_text())["format"] == "edge-benchmark 1"
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    """As when two benchmarks with the same --out run at once."""
    out = tmp_path / "record.json"
    with pytest.raises(FileExistsError), replacing(out, overwrite=False) as temporary:
        temporary.write_text("ours")
        out.write_text("theirs")
    assert contents(tmp_path) == {"record.json": b"theirs"}


def test_overwrite_alone_makes_no_sense():
    assert "--overwrite needs --out" in refused(benchmark(TINY, "--overwrite"))


@pytest.mark.parametrize(
    ("code", "arguments", "said"),
    [
        (0, [TINY], ""),
        (1, [GOLDEN / "two_inputs.tflite"], "is not an image classifier"),
        (1, [TINY, "--delegate", "npu"], "No NPU is available"),
        (1, [TINY, "--images", "nowhere.png"], "There is no file nowhere.png"),
        (2, ["nothing"], "There is no model nothing"),
        (2, [GOLDEN], "There is no model"),
        (2, [TINY, "nothing.tflite"], "There is no model nothing.tflite"),
        (2, [TINY, "--delegate", "gpux"], "expected --delegate xnnpack, "),
        (2, [TINY, "--delegate", "./no.so"], "but got ./no.so"),
        (2, [TINY, "--out", "."], "is a directory"),
        (3, [TINY, "--compare", "fast.json"], "slower than fast.json by more than 10%"),
    ],
)
def test_exit_codes(code, arguments, said, old, tmp_path):
    """Exit code 130 is tested with the interruptions of `test_cli`."""
    fast = re.sub(r'("p50(_low|_high)?_us": )[\d.]+', r"\g<1>0.01", old.read_text())
    (tmp_path / "fast.json").write_text(fast)
    result = benchmark(*arguments, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    shown = " ".join((result.stdout + result.stderr).split())
    assert said in shown
    assert "[Errno" not in shown
    assert (code == 2) == (result.stdout == "") or "nowhere" in said
