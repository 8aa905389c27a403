"""The comparison of two checkouts accepts what is agreed, and nothing else."""

import json

import pytest

from tests.compare_outputs.cases import commands
from tests.compare_outputs.comparing import CSV_COLUMNS, Differences
from tests.compare_outputs.running import Outcome

PREDICTION = {"label": "cat", "index": 3, "score": 0.75}
OLD = {"source": "cat.png", "predictions": [PREDICTION], "run": {"delegate": "xnnpack"}}
NEW = {"source": "cat.png", "predictions": [PREDICTION], "accepted": True}
NEW |= {"model": "cnn-int8", "delegate": "xnnpack", "layout": 2}
OLD_CSV = "source,frame,rank,label,index,score,error\r\ncat.png,,1,cat,3,0.75,\r\n"
NEW_CSV = ",".join(CSV_COLUMNS) + "\r\ncat.png,,1,cat,3,0.75,true,cnn-int8,xnnpack,,2\r\n"


def outcome(*options, stdout="", stderr="", code=0):
    if isinstance(stdout, dict):
        stdout = json.dumps(stdout) + "\n"
    return Outcome(["edge-classify", *options, "cat.png"], False, code, stdout, stderr, {})


def compare(before, after):
    differences = Differences()
    differences.compare(before, after)
    return differences


@pytest.mark.parametrize(
    ("option", "before", "after"),
    [
        ("--json", OLD, NEW),
        ("--json", NEW, NEW),
        ("--json", {"source": "a", "error": "x"}, {"source": "a", "error": "x", "layout": 2}),
        ("--csv", OLD_CSV, NEW_CSV),
        ("--csv", NEW_CSV, NEW_CSV),
        ("--top-k=1", "cat.png: cat 0.750\n", "cat.png: cat 0.750\n"),
    ],
)
def test_what_is_agreed_is_no_difference(option, before, after):
    assert compare(outcome(option, stdout=before), outcome(option, stdout=after)).wrong == []


@pytest.mark.parametrize(
    ("option", "before", "after"),
    [
        ("--json", OLD, NEW | {"predictions": [PREDICTION | {"score": 0.5}]}),
        ("--json", OLD, NEW | {"delegate": "cpu"}),
        ("--json", OLD, NEW | {"accepted": False}),
        ("--json", OLD, {k: v for k, v in NEW.items() if k != "model"}),
        ("--json", OLD, {**{k: v for k, v in NEW.items() if k != "source"}, "source": "cat.png"}),
        ("--json", {"source": "a", "error": "x"}, NEW),
        ("--json", OLD, json.dumps(NEW, separators=(",", ":")) + "\n"),
        ("--json", OLD, ""),
        ("--csv", OLD_CSV, NEW_CSV.replace("0.75", "0.5")),
        ("--csv", OLD_CSV, NEW_CSV.replace("\r\n", "\n")),
        ("--csv", OLD_CSV, NEW_CSV.replace("accepted,model", "model,accepted")),
        ("--csv", OLD_CSV, NEW_CSV + "dog.png,,1,dog,5,0.75,true,cnn-int8,xnnpack,,2\r\n"),
        ("--top-k=1", "cat.png: cat 0.750\n", "cat.png: cat 0.500\n"),
        ("--top-k=1", "cat.png: cat 0.750\n", ""),
    ],
)
def test_any_other_difference_counts(option, before, after):
    assert compare(outcome(option, stdout=before), outcome(option, stdout=after)).wrong


def test_messages_may_be_reworded_but_not_dropped():
    reworded = compare(outcome(stderr="It is gone.\n"), outcome(stderr="There is no file.\n"))
    assert (reworded.wrong, reworded.reworded) == ([], [("It is gone.", "There is no file.")])
    assert compare(outcome(stderr="It is gone.\n"), outcome()).wrong
    assert compare(outcome(code=1), outcome(code=0)).wrong


def test_no_command_line_is_there_twice():
    lines = commands()
    assert len(lines) == len({*lines}) > 200
