import os
import sys
import threading

import pytest

from edge_runtime import Classifier
from edge_runtime.support import native_log
from tests.conftest import GOLDEN


def test_a_model_loads_although_standard_error_is_closed(monkeypatch):
    class Closed:
        def flush(self):
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Closed())
    monkeypatch.setattr(sys, "stdout", object())
    assert Classifier(GOLDEN / "uint8.tflite").labels


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_by_another_thread_is_not_silent(capfd):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with native_log.dropped(), native_log.dropped():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    child = os.fork()
    if not child:
        with native_log.dropped():  # its lock is free
            os.write(2, b"dropped")
        os.write(2, b"heard")
        os._exit(0)
    os.waitpid(child, 0)
    os.write(2, b"lost")
    leave.set()
    thread.join()
    os.write(2, b" again")
    assert capfd.readouterr().err == "heard again"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_block_ends_in_a_child_forked_inside_it():
    code = 1
    with native_log.dropped():
        child = os.fork()
        if not child:
            code = 0  # the block has ended in the child too
    if not child:
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
