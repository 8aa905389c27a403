"""A model in a child that was forked while threads of the parent used it."""

import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest

from edge_runtime import Classifier, ModelError
from edge_runtime.inference import shipped

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
IMAGE = np.full((32, 32, 3), 90, np.uint8)


def exit_code_of_child(work):
    """Fork, do some work in the child, and return its exit code; None if it hangs."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    for _ in range(3000):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_children_classify_while_a_thread_of_the_parent_does(threads, tmp_path, monkeypatch):
    monkeypatch.chdir(shipped.MODELS)
    with Classifier("cnn-int8.tflite", threads=threads) as classifier:
        monkeypatch.chdir(tmp_path)  # the child opens the file again
        expected = classifier.scores(IMAGE)
        stop = threading.Event()

        def classify():
            while not stop.is_set():
                classifier.classify(IMAGE)

        thread = threading.Thread(target=classify)
        thread.start()
        try:
            codes = [
                exit_code_of_child(lambda: np.array_equal(classifier.scores(IMAGE), expected))
                for _ in range(5)
            ]
        finally:
            stop.set()
            thread.join()
        assert codes == [0] * 5
        assert np.array_equal(classifier.scores(IMAGE), expected)  # the parent is as before


def test_a_child_does_not_open_another_file_that_took_the_model_s_place(tmp_path):
    model = shutil.copy(shipped.MODELS / "cnn-int8.tflite", tmp_path / "own.tflite")
    with Classifier(model) as classifier:
        expected = classifier.scores(IMAGE)
        other = shutil.copy(shipped.MODELS / "cnn-float32.tflite", tmp_path / "new.tflite")
        other.replace(model)

        def is_refused():
            try:
                classifier.classify(IMAGE)
            except ModelError as exc:
                return str(exc) == f"{model} has changed since it was opened; open it again."
            return False

        assert exit_code_of_child(is_refused) == 0
        assert np.array_equal(classifier.scores(IMAGE), expected)  # the parent goes on


def test_a_closed_model_stays_closed_in_a_child():
    classifier = Classifier()
    classifier.close()

    def is_closed():
        try:
            classifier.classify(IMAGE)
        except ValueError as exc:
            return "is closed" in str(exc)
        return False

    assert exit_code_of_child(is_closed) == 0
