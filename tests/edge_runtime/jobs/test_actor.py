"""An actor of a cluster's job, without Ray."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.errors import ImageError
from edge_runtime.inference import shipped
from edge_runtime.inference.sidecar import write_sidecar
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.job import Job, model_files
from tests.conftest import GOLDEN

pytest.importorskip("pyarrow")
from edge_runtime.jobs.actor import Actor, local_model
from edge_runtime.jobs.copies import Copy
from edge_runtime.jobs.partition import Done, Part
from edge_runtime.output.parts import Parts

SAMPLES = sorted(map(str, shipped.samples().values()))


@pytest.fixture
def actor(tmp_path):
    """What makes an actor that writes to `out` in the temporary directory."""
    made = []

    def make(**options):
        job = Job(format="json", **options)
        parts = Parts(str(tmp_path / "out"), "json")
        parts.begin({}, resume=job.resume)
        classifier = Classifier()
        files = model_files(classifier)
        made.append(Actor(Copy.of(classifier), files, job, parts.arguments(), str(Path.cwd())))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def done(worker, part):
    return Done.from_json(worker({"part": part.to_json()})["done"])


@pytest.fixture
def part(tmp_path):
    (tmp_path / "text.png").write_bytes(b"no picture")
    sources = [
        Source(SAMPLES[0]),
        Source(str(tmp_path / "text.png")),
        Source(Path(SAMPLES[1]).as_uri()),
    ]
    return Part(3, [*sources, Source("gone", error=ImageError("it is gone"))])


def test_an_actor_writes_every_row_of_a_part(tmp_path, actor, part):
    result = done(actor(top_k=2), part)
    assert (result.images, result.failed, result.kept) == (4, 2, False)
    assert [text.split()[-2:] for text in result.complaints] == [
        ["similar", "file."],
        ["is", "gone"],
    ]
    lines = (tmp_path / "out.part" / result.name).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["source"] for row in rows] == [source.name for source in part.sources]
    assert [len(row.get("predictions", [])) for row in rows] == [2, 0, 2, 0]


def test_an_actor_keeps_what_a_former_run_wrote(tmp_path, actor, part):
    first = done(actor(), part)
    path = tmp_path / "out.part" / first.name
    written = path.stat().st_mtime_ns
    again = actor(resume=True)
    assert done(again, part) == first._replace(kept=True, complaints=[])
    assert path.stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:50])  # damaged: made again
    assert done(again, part) == first
    other = Part(3, part.sources[:2])
    assert not done(again, other).kept


def test_an_actor_outlives_a_picture_that_kills_the_decoder(actor, part, monkeypatch):
    from edge_runtime.jobs import pool as batch

    script = (
        "import os, edge_runtime.jobs.worker as w; real = w.opened;"
        f"w.opened = lambda source: os._exit(9) if source.name == {SAMPLES[0]!r} else real(source);"
        "w._main()"
    )
    real = batch.child_command
    monkeypatch.setattr(batch, "child_command", lambda module: [*real(module)[:2], "-c", script])
    result = done(actor(), part)
    assert (result.images, result.failed) == (4, 3)
    assert result.complaints[0] == f"{SAMPLES[0]} makes the decoder crash; save the image again."


def test_a_model_that_is_not_on_the_machine_is_brought(tmp_path):
    model = tmp_path / "own.tflite"
    shutil.copy(GOLDEN / "int8.tflite", model)
    classifier = Classifier(model)
    content = model.read_bytes()
    assert local_model(str(model), content) == str(model)
    model.write_bytes(b"another")
    brought = local_model(str(model), content)
    assert Path(brought).read_bytes() == content
    assert classifier.labels == Classifier(brought).labels
    assert classifier.name == Classifier(brought).name  # which results carry
    shutil.rmtree(Path(brought).parent)


def test_the_thresholds_of_a_file_beside_the_model_reach_other_machines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an actor leaves its process in the directory of the command
    away = tmp_path / "away"
    away.mkdir()
    model = shutil.copy(GOLDEN / "uint8.tflite", away / "own.tflite")
    write_sidecar(model, {"threshold": 0.5}, overwrite=False)
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.png")
    Image.new("RGB", (4, 4), (100, 100, 100)).save(tmp_path / "grey.png")
    with Classifier(model) as classifier:
        copy, files = Copy.of(classifier), model_files(classifier)
    shutil.rmtree(away)
    parts = Parts(str(tmp_path / "out"), "json")
    parts.begin({}, resume=False)
    worker = Actor(copy, files, Job(format="json"), parts.arguments(), str(tmp_path))
    try:
        result = done(worker, Part(0, [Source("red.png"), Source("grey.png")]))
    finally:
        worker.close()
    lines = (tmp_path / "out.part" / result.name).read_text().splitlines()
    assert [json.loads(line)["accepted"] for line in lines] == [True, False]
