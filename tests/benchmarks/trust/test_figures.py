"""The figures are those that one counts by hand."""

import numpy as np
import pytest

from benchmarks.trust.figures import Given, Shown, gains, of_model, promise_kept
from benchmarks.trust.images import Answers, Inside, Outside
from edge_runtime.inference.acceptance import Acceptance


def answers(best, found=None) -> Answers:
    best = np.array(best, np.float32)
    found = np.zeros(len(best), int) if found is None else np.array(found)
    return Answers(best, (1 - best) / 9, found)


HELD_OUT = answers(np.arange(1, 21) / 32)  # 19 of 20 are at least 2/32
TEST = Inside("test", [b""] * 4, np.array([0, 0, 1, 1]))
OTHERS = Outside("photos", [b""] * 3, np.array([0, 1, 1]))
SHOWN = Shown(TEST, TEST, (OTHERS,))
BEST = [0.9, 0.5, 0.75, 1 / 32]
GIVEN = Given(HELD_OUT, answers(BEST, [0, 1, 1, 1]), answers(BEST), (answers([0.6, 0, 0.01]),))


def test_of_a_model():
    found = of_model(SHOWN, GIVEN)
    assert found["threshold"] == 2 / 32
    test = found["test"]
    assert (test["images"], test["top1"], test["accepted"]) == (4, 0.75, 0.75)
    assert (test["accepted_right"], test["risk"]) == (0.5, pytest.approx(1 / 3))
    assert test["top1_interval"][0] < 0.75 < test["top1_interval"][1]
    assert found["inside"]["top1"] == 0.5
    [others] = found["outside"]
    assert (others["name"], others["images"], others["classes"]) == ("photos", 3, 2)
    assert others["accepted"] == pytest.approx(1 / 3)
    # Of the 12 pairs, an image of the classes scores higher in 11: 0.5 and 1/32 are below 0.6.
    assert others["auroc"] == pytest.approx(10 / 12)


def test_risk_against_coverage():
    test = of_model(SHOWN, GIVEN)["test"]
    assert [(row["accepted"], row["risk"]) for row in test["risk_coverage"]] == [
        (1, 0.25),
        (0.75, pytest.approx(1 / 3)),
        (0.5, 0),
        (0.25, 0),
    ]
    assert [row["threshold"] for row in test["risk_coverage"]] == [
        0,
        *((256 * np.array([1 / 32, 0.5, 0.75]) + 1) / 256),
    ]
    half = test["risk_at"][-1]
    assert (half["at_least"], half["accepted"], half["risk"]) == (0.5, 0.5, 0)
    assert half["threshold"] == 0.75


def test_reliability():
    rows = of_model(SHOWN, GIVEN)["test"]["reliability"]
    assert [(row["from"], row["images"], row["top1"]) for row in rows] == [
        (0, 1, 1),
        (0.5, 1, 0),
        (0.7, 1, 1),
        (0.9, 1, 1),
    ]
    assert rows[-1]["score"] == pytest.approx(0.9)


def test_other_images_are_accepted_less_and_less():
    rows = of_model(SHOWN, GIVEN)["outside"][0]["accepted_from"]
    assert rows[0] == {"threshold": 0, "test": 1, "others": 1}
    assert rows[1]["others"] == pytest.approx(2 / 3)
    assert rows[-1] == {"threshold": 1, "test": 0, "others": 0}


def test_no_image_is_accepted():
    low = Given(HELD_OUT, answers([0, 0, 0, 0]), None, (answers([0, 0, 0]),))
    found = of_model(Shown(TEST, None, (OTHERS,)), low)
    assert (found["test"]["accepted"], found["test"]["risk"]) == (0, None)
    assert "inside" not in found


def test_gains_are_paired():
    better = Given(
        answers(np.arange(1, 21) / 20),  # its threshold is 0.1
        answers([0.9, 0.5, 0.75, 0.25], [0, 0, 1, 1]),
        answers(BEST),
        (answers([0.05, 0, 0.01]),),
    )
    found = gains(SHOWN, GIVEN, better)
    test = found["test"]
    assert (test["top1"], test["accepted"], test["accepted_right"]) == (0.25, 0.25, 0.5)
    assert test["top1_interval"][0] < 0.25 < test["top1_interval"][1]
    assert test["top1_p"] == 1
    assert test["accepted_right_p"] == 0.5
    assert found["inside"]["top1"] == 0
    assert found["outside"][0]["accepted"] == pytest.approx(-1 / 3)
    assert found["outside"][0]["auroc"] == pytest.approx(2 / 12)
    same = gains(SHOWN, GIVEN, GIVEN)
    assert same["test"]["top1"] == same["outside"][0]["auroc"] == same["test"]["ece"] == 0


def test_a_promise_counts_the_threshold_and_the_lead_of_each_class():
    kept = promise_kept(TEST, GIVEN.test, Acceptance(0.5, (1.0, 20.0)))
    assert (kept["accepted"], kept["risk"]) == (0.5, 0)
