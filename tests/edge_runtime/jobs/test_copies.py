"""Worker processes have the model that was opened, or say that its file has changed."""

import os
import shutil
import signal
import sys

import pytest
from PIL import Image

from edge_runtime import Classifier, ModelError
from edge_runtime.cli.classify import classify
from edge_runtime.inference import scorer
from edge_runtime.inference.sidecar import sidecar, write_sidecar
from edge_runtime.inputs.names import Source
from edge_runtime.jobs import pool as batch
from edge_runtime.jobs.copies import Copy
from edge_runtime.jobs.files import WORTHWHILE
from edge_runtime.jobs.job import Job, model_files
from tests.conftest import GOLDEN
from tests.edge_runtime.jobs.test_pool import children
from tests.pair_files import COLOURS, drawn_acceptance, golden_pair

GREY = 100  # of which the models are unsure


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """More images than one process gets: red ones and grey ones."""
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for number in range(3 * WORTHWHILE):
        paths.append(folder / f"{number:04}.png")
        colour = (255, 0, 0) if number % 2 else (GREY, GREY, GREY)
        Image.new("RGB", (4, 4), colour).save(paths[-1])
    return paths


@pytest.fixture
def model(tmp_path):
    return shutil.copy(GOLDEN / "uint8.tflite", tmp_path / "own.tflite")


def replace(model, by="int8.tflite"):
    """Put another model in a file's place, as `edge-teach --overwrite` does."""
    shutil.copy(GOLDEN / by, model.with_name("new")).replace(model)


def changed(model):
    return f"{model} has changed since it was opened; open it again."


@pytest.mark.parametrize("other", ["int8.tflite", "unlabelled.tflite", "no_image.tflite"])
def test_workers_refuse_another_file_that_took_the_model_s_place(images, model, other):
    with Classifier(model, threads=2, labels=COLOURS) as classifier:
        before = classifier.classify(images[0])
        replace(model, other)
        errors = {str(result.error) for result in classifier.classify_batch(images)}
        assert classifier.classify(images[0]) == before
    assert errors == {changed(model)}


def test_workers_refuse_a_file_that_was_written_anew(images, model):
    with Classifier(model, threads=2) as classifier:
        os.utime(model, ns=(0, 1))
        results = classifier.classify_batch(images)
    assert {str(result.error) for result in results} == {changed(model)}
    assert {type(result.error) for result in results} == {ModelError}


def test_workers_refuse_another_second_model(images, tmp_path):
    first, second = golden_pair(tmp_path)
    with Classifier(first, second_opinion=second, threads=2) as classifier:
        replace(second)
        errors = {str(result.error) for result in classifier.classify_batch(images)}
    assert errors == {changed(second)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_is_started_again_refuses_another_file(images, model):
    with Classifier(model) as classifier:
        expected = [classifier.classify(path) for path in images]
        pool = batch.Pool(classifier, processes=1, top_k=1)
        try:
            results = pool.results(Source(str(path)) for path in images)
            got = [next(results)]
            replace(model)
            os.kill(children()[-1], signal.SIGKILL)
            got += results
        finally:
            pool.close()
    failed = [str(result.error) for _, result in got if result.error is not None]
    assert 0 < len(failed) < len(images)
    assert set(failed) == {changed(model)}
    answers = zip((result for _, result in got), expected, strict=True)
    assert all(result.error is not None or result == answer for result, answer in answers)


@pytest.mark.parametrize("max_error", [None, 0.03])
def test_workers_do_not_read_the_file_beside_the_model_again(images, model, max_error):
    measured = {**drawn_acceptance([*COLOURS]), "threshold": 0.5}
    write_sidecar(model, measured, overwrite=False)
    with Classifier(model, threads=2, max_error=max_error) as classifier:
        expected = [classifier.classify(path).accepted for path in images]
        sidecar(model).write_text("}")
        results = classifier.classify_batch(images)
    assert [result.accepted for result in results] == expected
    assert set(expected) == {True, False}


def test_workers_do_not_read_a_file_that_came_meanwhile(images, model):
    with Classifier(model, threads=2) as classifier:
        write_sidecar(model, {"threshold": 0.5}, overwrite=False)
        assert {result.accepted for result in classifier.classify_batch(images)} == {True}


def test_a_copy_has_the_same_thresholds(model):
    write_sidecar(model, drawn_acceptance([*COLOURS]), overwrite=False)
    with Classifier(model, max_error={"red": 0.03}) as classifier:
        decided = classifier.acceptance
        assert decided.leads[0] > 1
        with Copy.of(classifier).open() as copy:
            assert copy.acceptance == decided._replace(promise="")
    with Classifier(model, accept_all=True) as classifier, Copy.of(classifier).open() as copy:
        assert copy.acceptance is None


def test_a_file_that_changes_while_it_is_read(model, monkeypatch):
    load = scorer.load

    def load_and_replace(options):
        loaded = load(options)
        replace(model)
        return loaded

    monkeypatch.setattr(scorer, "load", load_and_replace)
    with pytest.raises(ModelError, match="has changed since it was opened"):
        Classifier(model)


def test_a_job_is_not_recorded_with_another_file(images, model, tmp_path, monkeypatch, capsys):
    with Classifier(model) as classifier:
        replace(model)
        with pytest.raises(ModelError, match="has changed since it was opened"):
            model_files(classifier)
        model.unlink()
        with pytest.raises(ModelError, match=r"own\.tflite cannot be read \(No such file .*\); "):
            model_files(classifier)

    def refuse(classifier):
        raise ModelError("it has changed.")

    monkeypatch.setattr("edge_runtime.jobs.local.model_files", refuse)
    job = Job(out=str(tmp_path / "out.txt"))
    assert classify([str(images[0])], job) == 1
    assert capsys.readouterr().err == "edge-classify: it has changed.\n"
