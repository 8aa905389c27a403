"""Run `edge-benchmark` as users do."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import CARD_FILE
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inference.model_files import archive

TINY = GOLDEN / "logits.tflite"
BRIEF = ("--calls", "20", "--cold-starts", "0")
CAT = shipped.samples()["cat"]
BUSY = "print(flush=True)\nwhile 1: pass"


def benchmark(*arguments, **options):
    return run("edge-benchmark", *map(str, arguments), **options)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A record of the tiny model, and the tables that were printed with it."""
    path = tmp_path_factory.mktemp("records") / "old.json"
    result = benchmark(TINY, "--batch", 1, "--batch", 2, "--calls", 50, "--out", path)
    assert result.returncode == 0, result.stderr
    return path, result.stdout


def test_every_shipped_model_is_measured():
    result = benchmark("--calls", 100, "--cold-starts", 1)
    assert (result.returncode, result.stderr) == (0, "")
    for heading in ("Model alone", "From file to result", "Time relative to", "Cold start"):
        assert heading in result.stdout
    for model in shipped.models():
        assert re.search(rf"^{model} +xnnpack +1 +1 +\d\d/\d\d ", result.stdout, re.MULTILINE)
    assert re.search(r"^cnn-int8 .*(faster|slower|indistinguishable)$", result.stdout, re.MULTILINE)
    assert "ai-edge-litert 2" in result.stdout
    assert "Latency: " in result.stdout


def test_the_file_contains_what_the_tables_show(record):
    path, shown = record
    rows = json.loads(path.read_text())["rows"]
    assert [(row["threads"], row["batch"]) for row in rows] == [(1, 1), (1, 2)]
    for row in rows:
        assert f"{row['stages']['invoke']['p50_us']:,.1f}" in shown
        assert f"{row['stages']['decode']['p50_us']:,.1f}" in shown
    assert f"{rows[1]['against_baseline']['invoke']['ratio']:.3f}" in shown


def test_options_make_a_sweep_and_json_goes_to_stdout():
    result = benchmark(
        "cnn-int8", TINY, *("--threads", 1, "--threads", 2), "--delegate", "cpu", "--json", *BRIEF
    )
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert [(row["model"], row["threads"]) for row in record["rows"]] == [
        *(("cnn-int8", 1), ("cnn-int8", 2), (str(TINY), 1), (str(TINY), 2))
    ]
    assert {row["delegate"] for row in record["rows"]} == {"cpu"}
    assert record["rows"][0]["stages"].keys() == {
        *("decode", "preprocess", "invoke", "postprocess", "end_to_end")
    }
    assert record["environment"]["cpu"]
    assert record["conditions"]["latency"]["load_before"] is not None
    assert not record["interrupted"]


def test_auto_shows_the_chosen_delegate():
    result = benchmark(TINY, "--delegate", "auto", *BRIEF)
    assert re.search(rf"^{TINY} +(xnnpack|cpu|gpu) \(auto\) ", result.stdout, re.MULTILINE)


def test_the_baseline_can_be_chosen():
    result = benchmark(TINY, "cnn-int8", "--baseline", "cnn-int8", *BRIEF)
    assert "Time relative to cnn-int8" in result.stdout
    assert re.search(rf"^{TINY} .*faster$", result.stdout, re.MULTILINE)


def test_a_setting_that_cannot_run_is_a_row_with_the_reason(tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(TINY.read_bytes()[:100])
    names = [GOLDEN / "two_inputs.tflite", broken, TINY]
    result = benchmark(*names, "--delegate", "npu", "--delegate", "xnnpack", *BRIEF)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert sum("No NPU is available" in line for line in lines) == 1
    assert sum("is not an image classifier" in line for line in lines) == 2
    assert sum("broken.tflite is not a valid .tflite model" in line for line in lines) == 2
    assert re.search(rf"^{TINY} +xnnpack +1 +1 +2/2 +[\d.]+ ", result.stdout, re.MULTILINE)
    as_json = benchmark(broken, "--json", *BRIEF)
    assert as_json.returncode == 1
    assert (
        "broken.tflite is not a valid .tflite model"
        in json.loads(as_json.stdout)["rows"][0]["error"]
    )
    assert as_json.stderr.startswith(f"edge-benchmark: {broken} is not a valid .tflite model")


@pytest.mark.slow
def test_the_gpu_runs_where_there_is_one(vulkan):
    result = benchmark("cnn-float32", "--delegate", "gpu", *BRIEF, env=vulkan)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"^cnn-float32 +gpu +1 +1 +31/31 +[\d.,]+ ", result.stdout, re.MULTILINE)


def test_other_images_than_the_samples(tmp_path):
    shutil.copy(CAT, tmp_path / "cat.png")
    (tmp_path / "dog.png").write_bytes(b"not an image")
    result = benchmark(TINY, "--images", tmp_path, "--json", *BRIEF)
    assert result.returncode == 1
    assert json.loads(result.stdout)["pictures"] == 1
    assert "dog.png is not an image" in result.stderr
    none = benchmark(TINY, "--images", tmp_path / "dog.png", *BRIEF)
    assert (none.returncode, none.stdout) == (1, "")
    assert "name others with --images" in none.stderr


def test_a_long_run_shows_drift():
    result = benchmark(TINY, "--sustained", 0.5, *BRIEF)
    assert re.search(r" 1\.00 \d\.\d\d .*(steady|at the end)$", result.stdout, re.MULTILINE)
    short = benchmark("cnn-float32", "--delegate", "cpu", "--sustained", 0.01, *BRIEF)
    assert "too few calls in 0.01 s; raise --sustained" in short.stdout
    assert short.returncode == 1


def test_the_results_go_to_the_file_when_standard_output_is_closed(tmp_path):
    command = f"edge-benchmark {TINY} {' '.join(BRIEF)} --out {tmp_path}/out.json >&-"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(command, shell=True, check=True, env=environment)
    assert json.loads((tmp_path / "out.json").read_text())["rows"][0]["error"] is None


def test_no_regression_against_a_generous_record(record, tmp_path):
    path, _ = record
    old = altered(path, tmp_path, 3.0)
    result = benchmark(TINY, "--compare", old, *BRIEF)
    assert result.returncode == 0, result.stderr
    assert f"Compared with {old}, tolerance 10%" in result.stdout
    assert result.stdout.count("faster") >= 2


def test_a_regression_has_its_own_exit_code(record, tmp_path):
    path, _ = record
    old = altered(path, tmp_path, 1 / 20)
    result = benchmark(TINY, "--compare", old, "--json", *BRIEF)
    assert result.returncode == 3
    assert f"slower than {old} by more than 10%" in result.stderr
    regression = json.loads(result.stdout)["regression"]
    assert {change["verdict"] for change in regression["changes"]} == {"slower"}
    tolerant = benchmark(TINY, "--compare", old, "--tolerance", "100000", *BRIEF)
    assert tolerant.returncode == 0


def altered(path: Path, folder: Path, factor: float) -> Path:
    """Return a record in which all times are multiplied by `factor`."""
    record = json.loads(path.read_text())
    for row in record["rows"]:
        for summary in row["stages"].values():
            for name in ("p50_us", "p50_low_us", "p50_high_us"):
                summary[name] *= factor
    (folder / "altered.json").write_text(json.dumps(record))
    return folder / "altered.json"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--baseline", "other"], "expected --baseline to be one of"),
        (["--compare", "nothing.json"], "nothing.json cannot be read"),
        (["--calls", "3"], "--calls"),
        (["--threads", "0"], "--threads"),
        (["--sustained", "-1"], "--sustained"),
        (["--sustained", "nan"], "expected a number, but got nan"),
        (["--tolerance", "nan"], "expected a number, but got nan"),
        (["--threads", "1", "--threads", "100000"], "100000 is not in the range 1<=x<=1024"),
        (["--delegate", ""], "expected --delegate to be a name, but got an empty one"),
        (["--out", "nowhere/new.json"], "cannot be written: its folder does not exist"),
        (["--out", "/dev/null"], "is not a regular file"),
        (["--out", "."], "is a directory"),
        (["--out", "/proc/new.json"], "cannot be written: its folder is not writable"),
    ],
)
def test_wrong_usage(options, sentence):
    result = benchmark(TINY, *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in " ".join(result.stderr.split())


def test_deeply_nested_json_is_no_record(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000)
    result = benchmark(TINY, "--compare", tmp_path / "deep.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "deep.json is not JSON" in " ".join(result.stderr.split())


def test_a_record_from_another_machine_is_refused_at_once(record, tmp_path):
    other = json.loads(record[0].read_text())
    other["environment"]["cpu"] = "Cortex-A76"
    (tmp_path / "other.json").write_text(json.dumps(other))
    result = benchmark(TINY, "--compare", tmp_path / "other.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "another machine or setup (CPU: Cortex-A76 there," in " ".join(result.stderr.split())


def test_a_link_remains_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "shared.json")
    assert benchmark(TINY, "--out", tmp_path / "link.json", *BRIEF).returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert "rows" in json.loads((tmp_path / "shared.json").read_text())


def wait_for_cold_starts(process: int) -> None:
    """Wait until a process has started two children."""
    seen: set[str] = set()
    ends = time.monotonic() + 60
    while len(seen) < 2 and time.monotonic() < ends:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            seen.update(children.read_text().split())
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_measured(tmp_path, number):
    out = tmp_path / "out.json"
    program = Path(sys.executable).parent / "edge-benchmark"
    process = subprocess.Popen(
        [program, "cnn-int8", "--calls", "20", "--cold-starts", "1000", "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_cold_starts(process.pid)
    process.send_signal(number)
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "INTERRUPTED" in shown
    assert said == ("edge-benchmark: interrupted; the results so far are marked as incomplete.\n")
    record = json.loads(out.read_text())
    assert record["interrupted"]
    [row] = record["rows"]
    assert row["stages"]["invoke"]["calls"] == 30
    assert 0 < len(row["cold_start"]["processes"]) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat is Linux's")
def test_a_busy_loop_on_one_core_is_reported():
    busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    try:
        busy.stdout.readline()
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(busy.pid, {min(os.sched_getaffinity(0))})
        result = benchmark("cnn-int8", "--calls", 3000, "--cold-starts", 0)
    finally:
        busy.kill()
        busy.communicate()
    assert re.search(
        r"^Latency: Disturbed: other programs kept (0\.[3-9]|[1-9])", result.stdout, re.MULTILINE
    )


def test_a_closed_pipe_is_no_error():
    program = Path(sys.executable).parent / "edge-benchmark"
    command = f"{program} {TINY} {' '.join(BRIEF)} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1


def test_version():
    assert re.fullmatch(r"edge-benchmark [\d.]+\n", benchmark("--version").stdout)


def test_metadata_that_is_left_out_is_said_once(tmp_path):
    model = tmp_path / "other.tflite"
    model.write_bytes(archive(TINY.read_bytes(), {CARD_FILE: b"[]"}))
    result = benchmark(model, "--threads", 1, "--threads", 2, *BRIEF)
    [warning] = Classifier(model).warnings
    assert (result.returncode, result.stderr) == (0, f"edge-benchmark: {model}: {warning}.\n")
