"""The figures of `python -m benchmarks.trust`, as JSON types; shares and errors are fractions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.trust.images import Answers, Inside, Outside
from benchmarks.trust.intervals import (
    Interval,
    auroc,
    auroc_gain,
    calibration_gain,
    calibration_interval,
    share_gain,
    share_interval,
)
from edge_runtime.inference.acceptance import Acceptance, lead
from edge_runtime.inference.acceptance_table import KEPT
from edge_runtime.support.metrics import (
    calibration_error,
    drop_interval,
    mcnemar_p,
    threshold_that_accepts,
)

_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)  # at which the table gives the error
_BINS = 10  # of the reliability diagram
_STEPS = 256  # of int8 scores, between which thresholds make no difference


@dataclass(frozen=True)
class Shown:
    """What the models are shown.

    Attributes:
        test: test images.
        inside: further photographs of the classes; None if there are none.
        outside: images of none of the classes.
    """

    test: Inside
    inside: Inside | None
    outside: tuple[Outside, ...]


@dataclass(frozen=True)
class Given:
    """What a model answered.

    Attributes:
        held_out: to the held-out images.
        test: to the test images.
        inside: to the further photographs.
        outside: to the images of each source of outliers.
    """

    held_out: Answers
    test: Answers
    inside: Answers | None
    outside: tuple[Answers, ...]

    @property
    def threshold(self) -> float:
        """The highest threshold that accepts 95 % of the held-out images."""
        return threshold_that_accepts(KEPT, self.held_out.best)


def of_model(shown: Shown, given: Given) -> dict[str, Any]:
    """Return the figures of a model.

    Args:
        shown: the images.
        given: its answers.
    """
    lowest = given.threshold
    outside = [
        _outside(source, answers.best, given.test.best, lowest)
        for source, answers in zip(shown.outside, given.outside, strict=True)
    ]
    figures: dict[str, Any] = {
        "threshold": lowest,
        "test": _inside(shown.test, given.test, lowest),
        "outside": outside,
    }
    if shown.inside and given.inside:
        figures["inside"] = _inside(shown.inside, given.inside, lowest)
    return figures


def gains(shown: Shown, before: Given, after: Given) -> dict[str, Any]:
    """Return what a model gains over another, by figure: the difference with its interval.

    Each model has its own threshold, which counts as given. Shares of images of the classes also
    have the p-value of McNemar's test.

    Args:
        shown: the images.
        before: answers of the other model.
        after: those of the model.
    """
    found: dict[str, Any] = {"test": _inside_gains(shown.test, before, after, "test")}
    if shown.inside:
        found["inside"] = _inside_gains(shown.inside, before, after, "inside")
    found["outside"] = []
    for source, old, new in zip(shown.outside, before.outside, after.outside, strict=True):
        area, area_interval = auroc_gain(
            (before.test.best, old.best), (after.test.best, new.best), source.groups
        )
        share, interval = share_gain(
            old.best >= before.threshold, new.best >= after.threshold, source.groups
        )
        found["outside"].append(
            {"name": source.name}
            | _with_interval("auroc", area, area_interval)
            | _with_interval("accepted", share, interval)
        )
    return found


def promise_kept(test: Inside, given: Answers, acceptance: Acceptance) -> dict[str, Any]:
    """Return which test images a model accepts under a promise, and how many are wrong.

    Args:
        test: the test images.
        given: the model's answers.
        acceptance: of the model, with a lead for each class.
    """
    leads = lead(given.best.astype(np.float64), given.second.astype(np.float64))
    accepted = given.best >= acceptance.threshold
    accepted &= leads >= np.array(acceptance.leads)[given.found]
    return _share("accepted", accepted) | _risk(accepted, given.found == test.labels)


def _inside(shown: Inside, given: Answers, lowest: float) -> dict[str, Any]:
    right, accepted = given.found == shown.labels, given.best >= lowest
    return (
        {"images": len(right)}
        | _share("top1", right)
        | _share("accepted", accepted)
        | _share("accepted_right", accepted & right)
        | _risk(accepted, right)
        | _with_interval(
            "ece", calibration_error(given.best, right), calibration_interval(given.best, right)
        )
        | {
            "risk_at": [_risk_at(share, given.best, right) for share in _COVERAGES],
            "risk_coverage": _curve(given.best, right),
            "reliability": _reliability(given.best, right),
        }
    )


def _outside(
    source: Outside,
    best: NDArray[np.float32],
    inside: NDArray[np.float32],
    lowest: float,
) -> dict[str, Any]:
    area, interval = auroc(inside, best, source.groups)
    accepted = best >= lowest
    return (
        {
            "name": source.name,
            "images": len(best),
            "classes": int(source.groups.max()) + 1,
        }
        | _with_interval("auroc", area, interval)
        | _with_interval(
            "accepted", float(accepted.mean()), share_interval(accepted, source.groups)
        )
        | {
            "accepted_from": [
                {
                    "threshold": threshold,
                    "test": float((inside >= threshold).mean()),
                    "others": float((best >= threshold).mean()),
                }
                for threshold in _thresholds()
            ]
        }
    )


def _inside_gains(shown: Inside, before: Given, after: Given, part: str) -> dict[str, Any]:
    old, new = getattr(before, part), getattr(after, part)
    old_right, new_right = old.found == shown.labels, new.found == shown.labels
    old_accepted, new_accepted = old.best >= before.threshold, new.best >= after.threshold
    error = calibration_gain((old.best, old_right), (new.best, new_right))
    return (
        _paired("top1", old_right, new_right)
        | _paired("accepted", old_accepted, new_accepted)
        | _paired("accepted_right", old_accepted & old_right, new_accepted & new_right)
        | _with_interval("ece", *error)
    )


def _paired(name: str, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> dict[str, Any]:
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    low, high = drop_interval(lost, gained, len(before))
    gain = (gained - lost) / len(before)
    return _with_interval(name, gain, (-high, -low)) | {f"{name}_p": mcnemar_p(lost, gained)}


def _share(name: str, hits: NDArray[np.bool_]) -> dict[str, Any]:
    return _with_interval(name, float(hits.mean()), share_interval(hits))


def _risk(accepted: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the error among the accepted; None if no image is accepted."""
    if not accepted.any():
        return {"risk": None, "risk_interval": None}
    return _share("risk", ~right[accepted])


def _risk_at(share: float, best: NDArray[np.float32], right: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the error among the accepted if at least a share of the images is accepted."""
    lowest = threshold_that_accepts(share, best)
    accepted = best >= lowest
    coverage = {"at_least": share, "threshold": lowest, "accepted": float(accepted.mean())}
    return coverage | _risk(accepted, right)


def _curve(best: NDArray[np.float32], right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return risk against coverage, from all images to few; thresholds that change nothing miss."""
    rows: list[dict[str, Any]] = []
    for threshold in _thresholds():
        accepted = best >= threshold
        share = float(accepted.mean())
        if share and not (rows and rows[-1]["accepted"] == share):
            rows.append({"threshold": threshold, "accepted": share} | _risk(accepted, right))
    return rows


def _reliability(best: NDArray[np.float32], right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the accuracy of images by their best score, in bins of equal width."""
    bin_of = np.minimum((best * _BINS).astype(int), _BINS - 1)
    rows = []
    for number in np.unique(bin_of).tolist():
        inside = bin_of == number
        rows.append(
            {
                "from": number / _BINS,
                "to": (number + 1) / _BINS,
                "images": int(inside.sum()),
                "score": float(best[inside].mean()),
            }
            | _share("top1", right[inside])
        )
    return rows


def _thresholds() -> list[float]:
    return [step / _STEPS for step in range(_STEPS + 1)]


def _with_interval(name: str, value: float, interval: Interval) -> dict[str, Any]:
    return {name: value, f"{name}_interval": list(interval)}
