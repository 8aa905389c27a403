"""Progress on a terminal, and none without one."""

from io import StringIO

from edge_runtime.teaching import progress
from edge_runtime.teaching.progress import Bar, Progress


def test_stages_replace_each_other_and_are_cleared():
    stream = StringIO()
    bar = Bar(stream)
    bar.stage("cross-validating")
    bar.stage("fitting")
    bar.clear()
    assert stream.getvalue() == "\r\033[Kcross-validating ...\r\033[Kfitting ...\r\033[K"


def test_photographs_move_the_bar(monkeypatch):
    stream, now = StringIO(), [0.0]
    monkeypatch.setattr(progress.progress.time, "monotonic", lambda: now[0])
    bar = Bar(stream)
    bar.start(4)
    for at in range(4):
        now[0] += 1
        bar.read(failed=at == 2)
    assert "4/4" in stream.getvalue().rpartition("\r")[2]
    assert "2/4" in stream.getvalue()


def test_without_a_terminal_nothing_is_shown(capsys):
    for silent in (Bar(None), Progress()):
        silent.start(3)
        silent.read(failed=False)
        silent.stage("fitting")
        silent.clear()
    assert capsys.readouterr() == ("", "")
