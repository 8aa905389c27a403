"""Jobs with a second opinion: the command, worker processes, streams and actors."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.files import WORTHWHILE, classify_files
from edge_runtime.jobs.judge import judge
from edge_runtime.jobs.stream import classify_stream
from tests.conftest import GOLDEN, run
from tests.pair_files import COLOURS, golden_pair

COLOUR = {"red": (255, 0, 0), "greenish": (100, 130, 90), "blue": (0, 0, 255)}


def save(path, colour):
    Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """More images than one process gets; of every three, the first model is unsure of one."""
    folder = tmp_path_factory.mktemp("images")
    names = list(COLOUR)
    for number in range(WORTHWHILE + 8):
        name = names[number % 3]
        save(folder / f"{number:03}-{name}.png", COLOUR[name])
    return folder


@pytest.fixture
def pair(tmp_path):
    first, second = golden_pair(tmp_path)
    return ("--model", first, "--second-opinion", second)


def classify(*arguments, **options):
    return run("edge-classify", *arguments, **options)


def test_worker_processes_ask_too(folder, tmp_path):
    first, second = golden_pair(tmp_path)
    sources = [Source(str(path)) for path in sorted(folder.iterdir())]
    sources[1:1] = [Source("gone.png")]
    options = {"second_opinion": second, "max_error": 0.03}
    with Classifier(first, **options) as alone, Classifier(first, threads=2, **options) as shared:
        expected = list(classify_files(alone, sources, top_k=2))
        got = list(classify_files(shared, sources, top_k=2))
    assert str(got[1][1].error) == str(expected[1][1].error)
    assert [*got[:1], *got[2:]] == [*expected[:1], *expected[2:]]
    assert {result.model for _, result in got} == {"", "first", "first+second"}
    assert {result.accepted for _, result in got} == {True, False}


def test_the_command_says_who_decided_and_how_often(folder, pair):
    result = classify(*pair, "--json", "--threads", "1", folder)
    assert result.returncode == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    for line in lines:
        unsure = line["source"].endswith("greenish.png")
        assert line["model"] == ("first+second" if unsure else "first")
        assert line["accepted"] is not unsure
    assert result.stderr.endswith(" images/s, second asked about 33.3%\n")
    assert "asked" not in classify("--model", pair[1], folder).stderr


def test_unsure_below_overrules_the_card(folder, pair):
    result = classify(*pair, "--unsure-below", "0", "--csv", folder)
    assert result.stderr.endswith("second asked about 0.0%\n")
    assert "first+second" not in result.stdout
    assert "false" not in result.stdout  # no threshold was measured for it
    assert "none of these" in classify(*pair, folder / "001-greenish.png").stdout
    assert (
        "none of these" not in classify(*pair, "--accept-all", folder / "001-greenish.png").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--second-opinion", GOLDEN / "int8.tflite"], "does not say when to ask"),
        (
            ["--second-opinion", "cnn-int8", "--unsure-below", "0.9"],
            "it has 10 labels instead of 3",
        ),
        (["--second-opinion", "nope"], "--second-opinion: There is no model nope"),
        (["--unsure-below", "1.5"], "1.5 is not in the range"),
        (["--unsure-below", "nan"], "expected a number"),
        (["--unsure-below", "0.5", "--max-error", "3%"], "was not measured for"),
        (["--judge", "--save"], "--save keeps the thresholds of one model"),
        (["--info"], "--info takes the models as SOURCE"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder, pair, arguments, said):
    result = classify(*pair, *arguments, folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_threshold_needs_a_second_model_and_info_none(folder, pair):
    result = classify("--unsure-below", "0.5", folder)
    assert (result.returncode, "--unsure-below needs --second-opinion" in result.stderr) == (
        2,
        True,
    )
    result = classify("--info", "cnn-int8", "--second-opinion", "resnet18-int8")
    assert (result.returncode, "--info prints text" in result.stderr) == (2, True)


def test_the_second_model_is_an_input_that_is_not_replaced(folder, pair):
    second = pair[3]
    before = second.read_bytes()
    result = classify(*pair, "--json", "--out", second, "--overwrite", folder)
    assert (result.returncode, "which is an input" in result.stderr) == (2, True)
    assert second.read_bytes() == before


def test_resuming_needs_the_same_second_opinion(folder, pair, tmp_path):
    out = ("--json", "--out", tmp_path / "results")
    images = sorted(folder.iterdir())[:6]
    everything = classify(*pair, "--json", *images).stdout
    part = tmp_path / "results.part"

    def stop():
        """Leave what a run leaves that was stopped after the first image."""
        from edge_runtime.jobs.job import Job, dependencies, model_files
        from edge_runtime.output.file import Output

        with Classifier(pair[1], second_opinion=pair[3]) as classifier:
            job = Job(format="json", out=str(out[2]))
            output = Output(out[2], "json", dependencies(classifier, model_files(classifier), job))
            output.write(everything.splitlines(keepends=True)[0])
            output.keep()

    stop()
    for changed, names in (
        (("--unsure-below", "0.5"), "threshold for none of these, --unsure-below"),
        (("--accept-all",), "threshold for none of these"),
        (("--second-opinion", GOLDEN / "int8.tflite", "--unsure-below", "0.9"), "--second-opinion"),
    ):
        result = classify(*pair, *changed, *out, "--resume", *images)
        assert result.returncode == 2, changed
        assert "was written with a different" in result.stderr
        assert names in result.stderr
    result = classify("--model", pair[1], *out, "--resume", *images)
    assert (result.returncode, "--second-opinion" in result.stderr) == (2, True)
    assert part.exists()
    result = classify(*pair, *out, "--resume", *images)
    assert (result.returncode, "(1 kept)" in result.stderr) == (0, True)
    assert (tmp_path / "results").read_text() == everything


def test_judging_measures_the_pair(tmp_path):
    images = tmp_path / "images"
    for name, colour in zip(COLOURS, COLOUR.values(), strict=True):
        (images / name).mkdir(parents=True)
        for number in range(4):
            save(images / name / f"{number}.png", colour)
    first, second = golden_pair(tmp_path)
    with Classifier(first, second_opinion=second) as classifier:
        found = judge(classifier, images)
        both = float(classifier.scores(np.full((4, 4, 3), COLOUR["greenish"], np.uint8)).max())
    assert (found.model, found.images, found.right, found.accepted) == ("first+second", 12, 12, 8)
    assert found.acceptance["leads"][0] == [0, 12, 0]
    assert found.acceptance["threshold"] == pytest.approx(both, abs=1 / 256)
    text = classify("--model", first, "--second-opinion", second, "--judge", images).stdout
    assert text.startswith("first+second classifies 12 of 12 images correctly")


def test_frames_of_a_stream_ask_too(tmp_path):
    class Film:
        live = damaged = False

        def __init__(self):
            self._left = [np.full((4, 4, 3), colour, np.uint8) for colour in COLOUR.values()]

        def read(self):
            return self._left.pop(0) if self._left else None

        def close(self):
            pass

    first, second = golden_pair(tmp_path)
    with Classifier(first, second_opinion=second) as classifier:
        frames = list(classify_stream(classifier, "film", open_capture=lambda source: Film()))
    assert [frame.model for frame in frames] == ["first", "first+second", "first"]
    assert [frame.accepted for frame in frames] == [True, False, True]


def test_an_actor_on_a_machine_without_the_files(folder, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    from edge_runtime.jobs.actor import Actor
    from edge_runtime.jobs.copies import Copy
    from edge_runtime.jobs.job import Job, model_files
    from edge_runtime.jobs.partition import Done, Part
    from edge_runtime.output.parts import Parts

    (tmp_path / "away").mkdir()
    first, second = golden_pair(tmp_path / "away")
    with Classifier(first, second_opinion=second) as classifier:
        copy, files = Copy.of(classifier), model_files(classifier)
    shutil.rmtree(tmp_path / "away")
    parts = Parts(str(tmp_path / "out"), "json")
    parts.begin({}, resume=False)
    monkeypatch.chdir(tmp_path)  # an actor leaves its process in the directory of the command
    actor = Actor(copy, files, Job(format="json"), parts.arguments(), str(tmp_path))
    try:
        images = sorted(folder.iterdir())[:9]
        part = Part(0, [Source(str(path)) for path in images])
        done = Done.from_json(actor({"part": part.to_json()})["done"])
    finally:
        actor.close()
    assert (done.images, done.failed, done.asked) == (9, 0, 3)
    lines = (tmp_path / "out.part" / done.name).read_text().splitlines()
    assert [json.loads(line)["model"] for line in lines] == [
        "first+second" if path.name.endswith("greenish.png") else "first" for path in images
    ]


@pytest.mark.slow
def test_on_ray_the_rows_are_the_local_command_s(folder, pair, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    result = classify(*pair, folder, "--json", "--ray", "--out", "results", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.endswith("second asked about 33.3%\n")
    parts = sorted((tmp_path / "results").glob("part-*"))
    local = classify(*pair, folder, "--json", "--threads", "1").stdout
    assert "".join(path.read_text() for path in parts) == local
    manifest = json.loads((tmp_path / "results" / "_job.json").read_text())
    assert (len(manifest["second_opinion"]), manifest["unsure_below"]) == (64, 0.9)
