"""`edge-benchmark --tune`: what wins, and what is kept."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.benchmark import tune, tune_command
from edge_runtime.benchmark.candidates import Candidate
from edge_runtime.benchmark.images import find_images
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.session import Measurement, Session
from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import shipped, tuning
from edge_runtime.inference.tuning import Chosen, Tuned
from edge_runtime.support.environment import read_environment
from tests.conftest import GOLDEN, run

TINY = str(GOLDEN / "logits.tflite")
SAMPLES = list(shipped.samples().values())
OLD = Tuned(
    "tiny", "2026-01-02", Chosen("cpu", 2, 1.5, "xnnpack with 1 thread"), Chosen("cpu", 2, 1.0, "")
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def times(us, *, noise=0.02, seed=0):
    """Times of 100 turns of 5 calls in 10 loads."""
    rng = np.random.default_rng(seed)
    series = np.ones((500, len(STAGES)), np.int64)
    series[:, STAGES.index("invoke")] = 1000 * us * rng.normal(1, noise, 500)
    return series


@pytest.fixture
def measured(monkeypatch):
    """Let `tune` find given times: `one` and `many` by delegate and threads, in microseconds."""

    def install(one, many, refused=()):
        looked = [Candidate(Setting(TINY, *key), "", us) for key, us in one.items()]
        looked += [Candidate(Setting(TINY, *key), "it is wrong", np.nan) for key in refused]

        def fake_run(plan, show):
            rows = [
                Measurement(setting, times=times(one[setting[1:3]], seed=seed))
                for seed, setting in enumerate(plan.settings)
            ]
            session = Session(plan, datetime.now(UTC), read_environment(), rows)
            session.calls_per_load = 50
            return session

        def fake_folders(settings, images, show):
            rng = np.random.default_rng(1)
            return {
                setting: (1000 * many[setting[1:3]] * rng.normal(1, 0.01, 12)).astype(np.int64)
                for setting in settings
            }

        monkeypatch.setattr(tune, "usable_cores", lambda: 2)
        monkeypatch.setattr(tune, "look", lambda model, cores, show: looked)
        monkeypatch.setattr(tune, "run", fake_run)
        monkeypatch.setattr(tune, "measure_folders", fake_folders)
        return tune.tune(TINY, find_images([], print)).tuned

    return install


XNNPACK = {("xnnpack", 1): 200, ("xnnpack", 2): 200}
FOLDER = {("xnnpack", 1): 400, ("xnnpack", 2): 200}


def test_more_threads_win_if_they_are_clearly_faster(measured):
    one = measured({("xnnpack", 1): 200, ("xnnpack", 2): 150}, FOLDER).one
    assert one[:2] == ("xnnpack", 2)
    assert one.gain == pytest.approx(200 / 150, rel=0.02)
    assert one.over == "xnnpack with 1 thread"


@pytest.mark.parametrize("faster", [200, 199.5, 199])
def test_a_difference_within_the_noise_changes_nothing(measured, faster):
    one = measured({("xnnpack", 1): 200, ("xnnpack", 2): faster}, FOLDER).one
    assert one == Chosen("xnnpack", 1, 1.0, "xnnpack with 1 thread")


def test_what_disagrees_never_wins(measured):
    tuned = measured(XNNPACK, FOLDER, refused=[("gpu", 1)])
    assert tuned.one.delegate == "xnnpack"


def test_the_gain_refers_to_what_runs_without_tuning(measured):
    one = measured(
        {("xnnpack", 1): 200, ("xnnpack", 2): 150, ("gpu", 1): 100},
        {
            **FOLDER,
            ("gpu", 1): 300,
        },
    ).one
    assert one[:2] == ("gpu", 1)
    assert one.gain == pytest.approx(2, rel=0.02)


def test_a_folder_keeps_all_cores_unless_fewer_are_faster(measured):
    assert measured(XNNPACK, FOLDER).many == Chosen("xnnpack", 2, 1.0, "xnnpack with 2 processes")
    equal = {("xnnpack", 1): 200, ("xnnpack", 2): 200}
    assert measured(XNNPACK, equal).many[:2] == ("xnnpack", 2)
    many = measured(XNNPACK, {("xnnpack", 1): 200, ("xnnpack", 2): 250}).many
    assert many[:2] == ("xnnpack", 1)
    assert many.gain == pytest.approx(1.25, rel=0.02)


def test_a_folder_may_have_another_delegate_than_one_image(measured):
    tuned = measured(
        {("xnnpack", 1): 200, ("xnnpack", 2): 150, ("gpu", 1): 100}, {**FOLDER, ("gpu", 1): 300}
    )
    assert tuned.one[:2] == ("gpu", 1)
    assert tuned.many[:2] == ("xnnpack", 2)


def test_a_model_that_nothing_runs_is_refused(monkeypatch):
    refused = [Candidate(Setting("m", name, 1), "no", np.nan) for name in ("xnnpack", "cpu")]
    monkeypatch.setattr(tune, "look", lambda model, cores, show: refused)
    with pytest.raises(DelegateError, match=r"No delegate computes m\.tflite here"):
        tune.tune("m.tflite", find_images([], print))


def benchmark(*arguments, **options):
    return run("edge-benchmark", *map(str, arguments), **options)


def test_what_is_tuned_is_kept_used_and_forgotten(home):
    tuned = benchmark("--tune", TINY, "--calls", 30)
    assert tuned.returncode == 0, tuned.stderr
    for shown in ("one image at a time", "a folder of images", "npu", "processes", "yes"):
        assert shown in tuned.stdout
    assert f"{TINY}: --delegate auto now means " in tuned.stderr
    [file] = (home / "edge-classify" / "tuned").iterdir()
    kept = json.loads(file.read_text())
    assert kept["one"]["delegate"] in ("xnnpack", "cpu")
    info = run("edge-classify", "--info", "--delegate", "auto", "--json", TINY)
    placement = json.loads(info.stdout)["placement"]
    assert f"tuned on {kept['tuned']}" in placement["reason"]
    assert placement["delegate"] == kept["one"]["delegate"]
    measured = benchmark(TINY, "--delegate", "auto", "--calls", 20, "--cold-starts", 0, "--json")
    assert "tuned on" in json.loads(measured.stdout)["rows"][0]["reason"]
    gone = benchmark("--tune", "--forget", TINY)
    assert (gone.returncode, gone.stderr) == (0, "")
    assert gone.stdout.startswith(f"Forgot {TINY}, tuned on {kept['tuned']}: ")
    assert not file.exists()
    assert benchmark("--tune", "--forget").stdout == "Nothing was tuned.\n"


def test_json_has_every_setting(home):
    result = benchmark("--tune", TINY, "--calls", 30, "--json")
    record = json.loads(result.stdout)
    assert record["format"] == "edge-benchmark-tune 1"
    [model] = record["models"]
    one = {(row["delegate"], row["threads"]): row for row in model["one"]["rows"]}
    assert one["xnnpack", 1]["agrees"]
    assert one["xnnpack", 1]["summary"]["p50_us"] > 0
    assert not one["npu", 1]["agrees"]
    assert "No NPU is available" in one["npu", 1]["reason"]
    for part in ("one", "many"):
        assert [row["chosen"] for row in model[part]["rows"]].count(True) == 1
    assert model["many"]["rows"][0]["processes"] == tuning.usable_cores()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--forget"], "--forget needs --tune"),
        (["--tune", "--threads", "2"], "--tune takes no --threads; omit it."),
        (["--tune", "--delegate", "cpu", "--out", "x"], "--tune takes no --delegate, --out"),
        (["--tune", "--forget", "--json"], "--tune --forget takes no --json"),
        (["--tune", "nothing"], "There is no model nothing"),
        (["--tune", "--forget", "nothing"], "There is no model nothing"),
    ],
)
def test_what_is_refused(home, arguments, said):
    result = benchmark(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_a_cache_that_cannot_be_written_is_said_before_anything_is_measured(home):
    result = benchmark("--tune", TINY, env={**os.environ, "XDG_CACHE_HOME": "/dev/null"})
    assert (result.returncode, result.stdout) == (1, "")
    assert "the choice cannot be kept in /dev/null/edge-classify/tuned (Not a directory)" in (
        result.stderr
    )
    assert "let XDG_CACHE_HOME name a folder that can be written" in result.stderr


def test_a_disk_that_fills_up_loses_neither_tables_nor_the_older_choice(
    home, monkeypatch, capsys, measured
):
    measured(XNNPACK, FOLDER)  # installs the fakes
    file = tuning.keep(Path(TINY), OLD)
    before = file.read_bytes()

    def full(path, tuned):
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(tune_command, "keep", full)
    said = []
    code = tune_command.tune_models(
        [TINY], find_images([], print), said.append, print, calls=None, as_json=False
    )
    assert code == 1
    assert f"{TINY}, one image at a time" in capsys.readouterr().out
    assert said[-1].startswith(f"the choice for {TINY} cannot be kept in {file} (No space left")
    assert file.read_bytes() == before


def test_a_model_that_fails_does_not_keep_the_others_from_being_tuned(home, measured, monkeypatch):
    measured(XNNPACK, FOLDER)
    good = tune.look

    def look(model, cores, show):
        if model == "bad":
            raise ModelError("bad is damaged; copy it again.")
        return good(model, cores, show)

    monkeypatch.setattr(tune, "look", look)
    said = []
    arguments = {"calls": None, "as_json": True}
    images = find_images([], print)
    code = tune_command.tune_models(["bad", TINY], images, said.append, print, **arguments)
    assert code == 1
    assert said[0] == "bad is damaged; copy it again."
    assert tuning.recall(Path(TINY))[0].one.delegate == "xnnpack"


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interruption_leaves_the_older_choice(home):
    file = tuning.keep(Path(TINY), OLD)
    before = file.read_bytes()
    process = subprocess.Popen(
        [Path(sys.executable).parent / "edge-benchmark", "--tune", TINY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()  # the machine's name, printed before anything is measured
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "one image at a time" not in out
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
