import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, ImageError, ModelError
from edge_runtime.inference import shipped
from edge_runtime.inputs.names import Source
from edge_runtime.jobs import pool as batch
from edge_runtime.jobs.files import WORTHWHILE, classify_files
from tests.conftest import GOLDEN

COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """More pictures than are worth a batch, named by their colour."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3 * WORTHWHILE):
        colour = COLOURS[number % 3]
        image = np.zeros((4, 4, 3), np.uint8)
        image[..., number % 3] = 255
        Image.fromarray(image).save(folder / f"{number:04}-{colour}.png")
    return folder


def files(folder):
    return [Source(str(path)) for path in sorted(folder.iterdir())]


def children():
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in pids]


def test_answers_are_in_order_and_those_of_one_process(folder):
    sources = files(folder)
    alone = list(classify_files(Classifier(GOLDEN / "int8.tflite"), sources, top_k=2))
    together = list(classify_files(Classifier(GOLDEN / "int8.tflite", threads=2), sources, top_k=2))
    assert together == alone
    assert [result[0].label for _, result in together] == [
        source.name.rsplit("-")[-1].removesuffix(".png") for source in sources
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="counts child processes in /proc")
def test_a_pool_may_use_some_of_its_workers(folder):
    model = Classifier(GOLDEN / "int8.tflite")
    before = set(children())
    pool = batch.Pool(model, processes=3, top_k=1)
    try:
        expected = list(pool.results(iter(files(folder)), processes=2))
        assert len(set(children()) - before) == 2
        assert list(pool.results(iter(files(folder)))) == expected
        assert len(set(children()) - before) == 3
        assert list(pool.results(iter(files(folder)), processes=1)) == expected
        assert [name for name, _ in expected] == [source.name for source in files(folder)]
    finally:
        pool.close()


def test_failures_come_in_their_place(folder, tmp_path):
    sources = files(folder)
    (tmp_path / "text.png").write_bytes(b"no picture")
    sources[20] = Source(str(tmp_path / "text.png"))
    sources[40] = Source("there", error=ImageError("not this one"))
    sources[60] = Source("-", content=Path(sources[0].name).read_bytes())
    results = list(classify_files(Classifier(GOLDEN / "int8.tflite", threads=2), sources))
    assert [name for name, _ in results] == [source.name for source in sources]
    failed = {i: str(r.error) for i, (_, r) in enumerate(results) if r.error is not None}
    assert failed.keys() == {20, 40}
    assert "text.png is not an image" in failed[20]
    assert failed[40] == "not this one"
    assert results[60][1] == results[0][1]


def test_a_batch_has_an_error_in_the_place_of_each_image_that_fails(folder):
    paths = sorted(folder.iterdir())
    with Classifier(GOLDEN / "int8.tflite", threads=2) as classifier:
        answers = classifier.classify_batch(paths)
        assert [answer[0].label for answer in answers[:3]] == list(COLOURS)
        assert len(answers) == len(paths)
        for batch_of in (paths, paths[:2]):  # in processes, and in this one
            *others, failed = classifier.classify_batch([*batch_of, "nope.png"])
            assert str(failed.error) == "There is no file nope.png; check the name."
            assert isinstance(failed.error, ImageError)
            assert (len(failed), [*others]) == (0, answers[: len(batch_of)])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_few_files_or_one_thread_start_no_process(folder, monkeypatch):
    monkeypatch.setattr(batch, "_Worker", lambda *_: pytest.fail("a process was started"))
    few = files(folder)[: WORTHWHILE - 1]
    assert len(list(classify_files(Classifier(threads=2), few))) == len(few)
    assert len(list(classify_files(Classifier(threads=1), files(folder)))) == 3 * WORTHWHILE


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(folder):
    classifier = Classifier(GOLDEN / "int8.tflite", threads=2)
    results = classify_files(classifier, files(folder) * 3)
    got = [next(results)]
    assert len(children()) == 2
    os.kill(children()[0], signal.SIGKILL)
    got += results
    assert got == list(classify_files(Classifier(GOLDEN / "int8.tflite"), files(folder) * 3))
    assert children() == []


def test_a_file_that_kills_its_worker_is_named(folder, monkeypatch):
    """A worker that dies on one name stands for a decoder that crashes on one file."""
    sources = files(folder)
    killer = sources[70].name
    script = (
        "import os, edge_runtime.jobs.worker as w; real = w.opened;"
        f"w.opened = lambda source: os._exit(9) if source.name == {killer!r} else real(source);"
        "w._main()"
    )
    real = batch.child_command
    monkeypatch.setattr(batch, "child_command", lambda module: [*real(module)[:2], "-c", script])
    results = list(classify_files(Classifier(GOLDEN / "int8.tflite", threads=2), sources))
    failed = [(name, str(r.error)) for name, r in results if r.error is not None]
    assert failed == [(killer, f"{killer} makes the decoder crash; save the image again.")]
    assert len(results) == len(sources)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_leaving_early_ends_the_workers(folder):
    results = classify_files(Classifier(GOLDEN / "int8.tflite", threads=2), files(folder))
    next(results)
    results.close()
    assert children() == []


def test_sources_are_read_as_they_are_needed(folder):
    """An endless list must not be gone through first."""
    one = files(folder)[0]
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield one

    results = classify_files(Classifier(GOLDEN / "int8.tflite", threads=2), endless())
    for _ in range(100):
        next(results)
    results.close()
    assert taken < 100 + 2 * batch.CHUNK * (2 * batch.AHEAD + 2)


def test_long_names_and_many_classes_do_not_lock_up(tmp_path):
    """More bytes than two pipes hold go both ways."""
    folder = tmp_path / ("d" * 200) / ("e" * 200)
    folder.mkdir(parents=True)
    path = folder / ("f" * 200 + ".png")
    shutil.copy(shipped.samples()["cat"], path)
    sources = [Source(str(path))] * 500 + [Source(str(path) + "x" * 2000)] * 200
    results = list(classify_files(Classifier(threads=2), sources, top_k=10))
    assert len(results) == 700
    assert sum(isinstance(r.error, ImageError) for _, r in results) == 200


@pytest.mark.skipif(sys.platform != "linux", reason="pipes have a size there")
def test_small_pipes_do_not_lock_up(folder, monkeypatch):
    """As a user with many of them has: 8 KiB, which a chunk's answers alone exceed."""
    import fcntl

    class Small(batch._Worker):
        def _start(self):
            super()._start()
            for pipe in (self._process.stdin, self._process.stdout):
                self._pipe_bytes = fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)

    monkeypatch.setattr(batch, "_Worker", Small)
    long = [Source("x" * 200 + str(number)) for number in range(400)]
    with Classifier(GOLDEN / "int8.tflite", threads=2) as classifier:
        results = list(classify_files(classifier, long))
    assert len(results) == 400


def test_no_more_processes_than_chunks(folder):
    some = files(folder)[:WORTHWHILE]
    with Classifier(GOLDEN / "int8.tflite", threads=40) as classifier:
        before = len(children())
        results = classify_files(classifier, some)
        next(results)
        assert len(children()) - before == WORTHWHILE / batch.CHUNK
        assert len([*results]) == WORTHWHILE - 1
        assert len(children()) == before


@pytest.mark.parametrize("possible", [0, 1, 3])
def test_where_no_more_processes_can_be_started_fewer_do_it(folder, monkeypatch, possible):
    started = []

    class Scarce(batch._Worker):
        def _start(self):
            if len(started) >= possible:
                raise OSError(24, "Too many open files")
            started.append(1)
            super()._start()

    monkeypatch.setattr(batch, "_Worker", Scarce)
    with Classifier(GOLDEN / "int8.tflite", threads=8) as classifier:
        results = list(classify_files(classifier, files(folder)))
    assert len(started) == possible
    assert [result.error is None for _, result in results] == [True] * 3 * WORTHWHILE
    assert children() == []


def test_a_closed_classifier_and_numpy_s_integers(folder):
    names = [source.name for source in files(folder)]
    classifier = Classifier(GOLDEN / "int8.tflite", threads=2)
    assert len(classifier.classify_batch(names, top_k=np.int64(2))[0]) == 2
    classifier.close()
    with pytest.raises(ValueError, match="is closed"):
        classifier.classify_batch(names)


def test_more_labels_than_an_argument_of_a_process_holds(folder):
    labels = [colour + "x" * (1 << 16) for colour in COLOURS]
    with Classifier(GOLDEN / "int8.tflite", threads=2, labels=labels) as classifier:
        results = list(classify_files(classifier, files(folder)))
    assert [result[0].label[:3] for _, result in results[:3]] == ["red", "gre", "blu"]


def test_the_working_directory_may_change(folder, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    with Classifier("int8.tflite", threads=2) as classifier:
        monkeypatch.chdir(folder)
        results = list(classify_files(classifier, files(folder)))
    assert not [result for _, result in results if result.error is not None]


def test_a_model_that_has_gone_is_not_the_pictures_fault(folder, tmp_path):
    model = tmp_path / "own.tflite"
    shutil.copy(GOLDEN / "int8.tflite", model)
    with Classifier(model, threads=2) as classifier:
        model.unlink()
        results = list(classify_files(classifier, files(folder)))
    assert len(results) == 3 * WORTHWHILE
    assert {type(result.error) for _, result in results} == {ModelError}


def test_wrong_numbers(folder):
    with pytest.raises(ValueError, match="`top_k` to be at least 1, but got 0"):
        Classifier(threads=2).classify_batch([s.name for s in files(folder)], top_k=0)


def test_a_classifier_serves_several_threads():
    pictures = [np.asarray(Image.open(path)) for path in shipped.samples().values()]
    with Classifier() as classifier:
        expected = [classifier.classify(picture) for picture in pictures]
        wrong = []

        def check():
            for _ in range(20):
                for picture, answer in zip(pictures, expected, strict=True):
                    if classifier.classify(picture) != answer:
                        wrong.append(picture)

        threads = [threading.Thread(target=check) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
