import json
import re

import numpy as np
import pytest

from edge_runtime import Classifier, OptionError
from edge_runtime.inference import acceptance_table
from edge_runtime.inference.acceptance import (
    Acceptance,
    accept,
    bounded,
    default_threshold,
    lead,
    phrase,
)
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.results import Prediction
from tests.conftest import GOLDEN

CLASSES = ("red", "green", "blue")


def measured(images: int = 4000, error: float = 0.1, seed: int = 0):
    """Scores that are right as often as they say, and truths drawn accordingly.

    The best class and the next share all of the score, so the lead rises with the best score.
    """
    rng = np.random.default_rng(seed)
    best = 1 - 4 * error * rng.random(images) ** 3  # most images are easy
    found = rng.integers(0, 3, images)
    labels = np.where(rng.random(images) < best, found, (found + 1) % 3)
    return best, 1 - best, found, labels


def test_the_default_threshold_keeps_what_it_says():
    best, second, found, labels = measured()
    card = measure(Judged(best, second, found, labels, "random images"), CLASSES)
    assert (card["images"], card["measured_on"]) == (4000, "random images")
    assert card["threshold"] * 256 == int(card["threshold"] * 256)
    assert (best >= card["threshold"]).mean() >= acceptance_table.KEPT
    assert (best >= card["threshold"] + 1 / 256).mean() < acceptance_table.KEPT


def test_the_default_threshold_in_words():
    best, second, found, labels = measured()
    card = measure(Judged(best, second, found, labels, "4,000 images"), CLASSES)
    default = default_threshold(card)
    assert sorted(default) == ["accepted", "images", "measured_on", "threshold", "wrong"]
    accepted = best >= card["threshold"]
    error = (found != labels)[accepted].mean()
    assert phrase(default) == (
        f"accepts scores from {card['threshold']:.3f}: {accepted.mean():.1%} of 4,000 images, "
        f"{error:.1%} wrong among them"
    )
    assert phrase({"threshold": 0.5}) == "accepts scores from 0.500"


@pytest.mark.parametrize("card", [None, "yes", {}, {"threshold": "high"}])
def test_another_tools_card_has_no_default_threshold(card):
    assert default_threshold(card) is None
    assert accept(card, CLASSES, None) is None


def test_the_table_counts():
    best, second, found, labels = measured()
    card = measure(Judged(best, second, found, labels, "random images"), CLASSES)
    for row, (least, accepted, wrong) in enumerate(card["leads"]):
        chosen = (best >= card["threshold"]) & (lead(best, second) >= least) | (row == 0)
        assert (accepted, wrong) == (chosen.sum(), (found != labels)[chosen].sum())
    for row in bounded(card["leads"]):
        assert row.bound > row.wrong / max(row.accepted, 1)
    for at, name in enumerate(CLASSES):
        assert card["leads_of"][name][0][1] == (found == at).sum()
    json.dumps(card)


@pytest.mark.parametrize("limit", [0.03, 0.06])
def test_a_promised_error_is_kept_on_other_images(limit):
    """In 100 draws, the threshold that is chosen errs more than it may in at most 1 of 20."""
    truth = {}
    broken = kept = 0
    for seed in range(100):
        card = measure(Judged(*measured(seed=seed), "x"), CLASSES)
        try:
            least = accept(card, CLASSES, limit).leads[0]
        except OptionError:
            continue
        kept += 1
        if least not in truth:
            best, second, found, labels = measured(400_000, seed=1000)
            chosen = (best >= 0.6) & (lead(best, second) >= least)  # 0.6 is below any threshold
            truth[least] = (found != labels)[chosen].mean()
        broken += truth[least] > limit
    assert kept > 90
    assert broken / kept <= 0.05 + 0.05  # and what 100 draws may add by chance


def test_other_images_can_bound_the_error():
    few, many = Judged(*measured(500), "500 images", 100), Judged(*measured(9000, seed=1), "others")
    card = measure(few, CLASSES, bounds=many)
    alone = measure(few, CLASSES)
    assert card["threshold"] == alone["threshold"]
    assert (card["images"], card["wrong"]) == (alone["images"], alone["wrong"])
    assert card["bounds"] == {"measured_on": "others", "images": 9000, "compared": 1}
    other = measure(many, CLASSES)
    assert card["leads"][0] == other["leads"][0]
    assert card["leads"][1][1] == (many.best >= card["threshold"]).sum()
    for name, rows in other["leads_of"].items():
        assert card["leads_of"][name][0] == rows[0]
    assert " times the second best; of others, " in accept(card, CLASSES, 0.05).promise
    with pytest.raises(OptionError, match=r"No threshold keeps .* on others; "):
        accept(card, CLASSES, 0.0001)
    with pytest.raises(OptionError, match=r"No threshold keeps .* on 500 images; "):
        accept(alone, CLASSES, 0.02)


def test_mistakes_among_the_very_best_scores_do_not_stop_the_search():
    best = np.linspace(0.5, 1, 9000)
    found = np.zeros(9000, int)
    labels = ((best > 0.99) & (np.arange(9000) % 20 == 0)) | (best < 0.7)  # some labels are wrong
    card = measure(Judged(best, 1 - best, found, labels.astype(int), "x"), ("a", "b"))
    accepted = accept(card, ("a", "b"), 0.01)
    assert accepted.leads[0] == 2.34  # the lowest that is tested above that of 0.7


def test_one_class_can_be_stricter_than_the_others():
    card = measure(Judged(*measured(20_000), "x"), CLASSES)
    accepted = accept(card, CLASSES, {"green": 0.02})
    assert accepted.threshold == card["threshold"]
    assert accepted.leads[1] > 1
    assert accepted.leads[::2] == (0, 0)
    assert accepted.promise.startswith("--max-error green=2%: scores from ")
    both = accept(card, CLASSES, {"green": 0.02, "": 0.05})
    assert both.leads[1] == accepted.leads[1]
    assert both.leads[0] == accept(card, CLASSES, 0.05).leads[0]


def test_classes_of_the_same_name_are_one():
    best, second, found, labels = measured(20_000)
    card = measure(Judged(best, second, found, labels, "x"), ("box", "box", "can"))
    merged = measure(Judged(best, second, found // 2, labels // 2, "x"), ("box", "can"))
    for key in ("wrong", "leads", "leads_of"):
        assert card[key] == merged[key]
    accepted = accept(card, ("box", "box", "can"), {"box": 0.02})
    assert accepted.leads[0] == accepted.leads[1] > 0 == accepted.leads[2]


@pytest.mark.parametrize("asked", ["caf\u00e9", "cafe\u0301"])
def test_a_class_may_be_spelled_in_another_form_of_unicode(asked):
    labels = ("red", "cafe\u0301", "blue")
    card = measure(Judged(*measured(20_000), "x"), labels)
    assert accept(card, labels, {asked: 0.02}).leads[1] > 1


def test_other_labels_name_the_same_outputs():
    """What was measured belongs to an output, whatever it is called."""
    card = measure(Judged(*measured(20_000), "x"), CLASSES)
    card["leads_of"]["green"] = [[0, 5000, 9], [4.5, 5000, 0]]
    for labels in (("rot", "gr\u00fcn", "blau"), ("green", "red", "blue")):
        accepted = accept(card, labels, {labels[1]: 0.01}, own=CLASSES)
        assert accepted.leads[1] == 4.5
    with pytest.raises(
        OptionError, match="has no class green; its classes are rot, gr\u00fcn, blau"
    ):
        accept(card, ("rot", "gr\u00fcn", "blau"), {"green": 0.01}, own=CLASSES)
    german = {**card, "labels": ["rot", "gr\u00fcn", "blau"]}
    german["leads_of"] = dict(zip(german["labels"], card["leads_of"].values(), strict=True))
    assert accept(german, CLASSES, {"green": 0.01}, own=CLASSES).leads[1] == 4.5


@pytest.mark.parametrize(
    ("own", "labels"),
    [
        (CLASSES, ("red", "red", "blue")),  # two outputs, each of which has a table
        (("red", "red", "blue"), CLASSES),  # half of what the table is of
    ],
)
def test_outputs_that_were_not_measured_by_themselves(own, labels):
    card = measure(Judged(*measured(20_000), "x"), own)
    with pytest.raises(OptionError, match="not measured for red by itself; measure the model with"):
        accept(card, labels, {"red": 0.05}, own=own)
    assert accept(card, labels, {"blue": 0.05}, own=own) is not None


def test_a_class_of_very_many_has_no_table():
    card = measure(Judged(*measured(500), "x"), tuple(map(str, range(101))))
    with pytest.raises(OptionError, match="--max-error 7: it was measured for all classes togethe"):
        accept(card, tuple(map(str, range(101))), {"7": 0.1})


def test_what_cannot_be_promised_is_refused():
    card = measure(Judged(*measured(500), "500 images"), CLASSES)
    with pytest.raises(OptionError, match=r"No threshold keeps --max-error 0\.1% on 500 im") as exc:
        accept(card, CLASSES, 0.001)
    least = float(re.search(r"; allow at least (.*)%\.$", str(exc.value))[1])
    accept(card, CLASSES, least / 100)
    with pytest.raises(OptionError, match="No threshold keeps"):
        accept(card, CLASSES, (least - 0.1) / 100)
    best, second, found, _ = measured(500)
    always_wrong = measure(Judged(best, second, found, (found + 1) % 3, "x"), CLASSES)
    with pytest.raises(OptionError, match="the model is wrong too often for any promise"):
        accept(always_wrong, CLASSES, 0.001)
    with pytest.raises(OptionError, match="has no class purple; its classes are red, green, blue"):
        accept(card, CLASSES, {"purple": 0.1})
    with pytest.raises(OptionError, match="does not say how often it is wrong"):
        accept(None, CLASSES, 0.1)


@pytest.mark.parametrize("card", [None, "text", {}, {"threshold": "high"}, [1, 2]])
def test_another_tool_s_card_gives_no_threshold(card):
    assert accept(card, CLASSES, None) is None


def test_a_card_without_a_table_promises_nothing():
    card = {"threshold": 0.5}
    assert accept(card, CLASSES, None) is not None
    with pytest.raises(OptionError, match="does not say how often it is wrong"):
        accept(card, CLASSES, 0.1)


def test_the_lead_counts_besides_the_score():
    leading = Acceptance(0.5, (0.0, 8.0))
    first, second = Prediction("red", 0, 0.6), Prediction("green", 1, 0.4)
    assert leading.accepts([first, second])  # any lead of red counts
    assert not leading.accepts([Prediction("red", 0, 0.4), Prediction("green", 1, 0.0)])
    assert not leading.accepts([Prediction("green", 1, 0.6), Prediction("red", 0, 0.1)])
    assert leading.accepts([Prediction("green", 1, 0.6), Prediction("red", 0, 0.05)])
    assert leading.accepts([Prediction("green", 1, 0.6)])  # a model of one class


def test_what_an_earlier_version_measured_is_no_promise():
    card = {"threshold": 0.5, "table": [[0, 100, 5, 0.1], [0.5, 90, 0, 0.03]]}
    assert accept(card, CLASSES, None) == Acceptance(0.5)
    with pytest.raises(OptionError, match="does not say how often it is wrong"):
        accept(card, CLASSES, 0.1)


@pytest.mark.parametrize("limit", [0, 1, 5, float("nan"), "1%", {"red": 2}])
def test_an_error_that_is_no_fraction(limit):
    with pytest.raises(ValueError, match="`max_error` to be above 0 and below 1, such as"):
        Classifier(GOLDEN / "uint8.tflite", max_error=limit)


def test_all_are_accepted_or_an_error_is_kept():
    with pytest.raises(ValueError, match="`accept_all` to be False beside max_error"):
        Classifier(GOLDEN / "uint8.tflite", accept_all=True, max_error=0.01)
