"""Which images count as recognised: a threshold for the best score, and the error to expect.

A model card, or the file beside a model (`edge_runtime.inference.sidecar`), holds `acceptance`,
which `edge_runtime.inference.acceptance_table` measures:

    threshold    best scores below it count as none of the classes
    measured_on  names the images, in a phrase; the model was not trained on them
    images       how many there are
    accepted     how many of them the threshold accepts
    wrong        how many of these are wrong
    compared     how many models may have been compared on them before this one was chosen
    views        how many views of an image were averaged; absent stands for 1
    options      what else changed the scores, see `edge_runtime.inference.options`; absent
                 if nothing did
    bounds       `measured_on`, `images` and `compared` of the images behind the tables; absent if
                 they are those above
    leads        for rising leads: [lead, accepted, wrong]; a lead that accepts the images of the
                 one before is left out
    leads_of     the same table for images of which a class is the best, by the class's name
    labels       names of the outputs in `leads_of`; absent if they are the model's own labels

The lead is how many times the second-best score the best one is, see `lead`; the tables take it for
0 if the best score is below `threshold`. It tells right from wrong answers better than the best
score does, which in networks with an outlier head also says how foreign an image is.

In the tables too, `accepted` and `wrong` are numbers of images. What the share of wrong ones among
the accepted stays below with a confidence of 95 % follows from them, see `bounded`. If models were
compared on the images, each of these bounds has the confidence 1 - 0.05 / `compared`, so that 95 %
remain for whichever was chosen (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar

from edge_runtime.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.results import Prediction

LEVEL = 0.05  # 1 - confidence
_FIRST_TESTED = 1 / 3  # share of the images that the strictest lead tested accepts
_ADDED = 1 / 128  # two steps of int8 scores

MaxError = float | Mapping[str, float]
_Scores = TypeVar("_Scores", float, "NDArray[np.floating]")


class Acceptance(NamedTuple):
    """What the best score of an image must reach to count.

    Attributes:
        threshold: of the score itself.
        leads: of its `lead`, for each class; empty if any lead counts.
        promise: a sentence on what to expect, unless the default threshold is used as it was
            measured; then empty.
    """

    threshold: float
    leads: tuple[float, ...] = ()
    promise: str = ""

    def accepts(self, best: Sequence[Prediction]) -> bool:
        """Return whether the best class of an image counts.

        Args:
            best: the two best classes, best first; one if there are no more.
        """
        first, second = two_scores(best)
        if first < self.threshold:
            return False
        return not self.leads or lead(first, second) >= self.leads[best[0].index]


def two_scores(best: Sequence[Prediction]) -> tuple[float, float]:
    """Return the scores of the two best classes, best first; 0 for a class that is not there."""
    return best[0].score, best[1].score if len(best) > 1 else 0.0


def lead(best: _Scores, second: _Scores) -> _Scores:
    """Return how many times the second-best score the best one is: 1 to 129.

    Both are taken to be 1/128 larger, so that the steps of int8 scores near 0 weigh little. Which
    addition tells right from wrong answers best was measured on held-out images.

    Args:
        best: the best score, 0-1.
        second: the best score of another class, 0-1.
    """
    return (best + _ADDED) / (second + _ADDED)


def default_threshold(measured: object) -> dict[str, Any] | None:
    """Return what a card says about its default threshold, without the tables.

    Args:
        measured: `acceptance` of a model card.

    Returns:
        `threshold`, and of `measured_on`, `images`, `accepted` and `wrong` what the card has; None
        if it has no threshold.
    """
    if not has_threshold(measured):
        return None
    keys = ("threshold", "measured_on", "images", "accepted", "wrong")
    return {key: measured[key] for key in keys if key in measured}


def phrase(default: Mapping[str, Any]) -> str:
    """Return in words what `default_threshold` found."""
    found = f"accepts scores from {default['threshold']:.3f}"
    if not default.get("accepted"):  # a card of another tool or version
        return found
    return (
        f"{found}: {default['accepted'] / default['images']:.1%} of {default['measured_on']}, "
        f"{default['wrong'] / default['accepted']:.1%} wrong among them"
    )


def has_threshold(measured: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether `acceptance` of a card is ours; other tools may use the word otherwise."""
    return isinstance(measured, Mapping) and isinstance(measured.get("threshold"), float | int)


def accept(
    measured: Mapping[str, Any] | None,
    labels: Sequence[str],
    max_error: MaxError | None,
    *,
    own: Sequence[str] = (),
) -> Acceptance | None:
    """Return the thresholds to use; None if every best class counts.

    Args:
        measured: `acceptance` of a model card; None if it has none.
        labels: names in the order of the scores.
        max_error: share of wrong results among the accepted that must not be exceeded, 0-1, for all
            classes or, in a mapping, for some of them. The other classes keep the default
            threshold. None uses the default threshold for all.
        own: the model's own labels, if `labels` may replace them.

    Raises:
        OptionError: no threshold keeps `max_error`.
    """
    if not has_threshold(measured) or (max_error is not None and not measured.get("leads")):
        if max_error is None:
            return None
        raise OptionError(
            "The model does not say how often it is wrong, so no --max-error can be kept; measure "
            "it on images of your own with --judge FOLDER --save."
        )
    threshold = float(measured["threshold"])
    if max_error is None:
        return Acceptance(threshold)
    leads = [0.0] * len(labels)
    promises = []
    behind = measured.get("bounds", measured)  # the images behind the tables
    limits = max_error if isinstance(max_error, Mapping) else {"": max_error}
    for name, limit in sorted(limits.items()):  # for all classes first
        asked = f"--max-error {name}{'=' if name else ''}{100 * limit:g}%"
        outputs, table = list(range(len(labels))), measured["leads"]
        if name:
            from edge_runtime.inference.class_tables import table_of

            outputs, table = table_of(name, measured, labels, own)
        level = LEVEL / behind.get("compared", 1)
        rows = bounded(table, level)
        kept = _keeping(rows, limit, level)
        if kept is None:
            remedy = _allow(rows, level)
            raise OptionError(f"No threshold keeps {asked} on {behind['measured_on']}; {remedy}.")
        least, accepted, wrong, bound = kept
        for output in outputs:
            leads[output] = least
        share = accepted / max(table[0][1], 1)
        what = f"of those taken for {name}, " if name else ""
        distance = f" if they are {least:g} times the second best" if least > 1 else ""
        promises.append(
            f"{asked}: scores from {threshold:.3f} on count{distance}; of "
            f"{behind['measured_on']}, {what}{share:.1%} are accepted, and {wrong} of "
            f"{accepted:,} were wrong (95 % bound {bound:.2%})."
        )
    return Acceptance(threshold, tuple(leads), " ".join(promises))


class Bounded(NamedTuple):
    """A row of a table, with the bound that follows from it.

    Attributes:
        lead: the least one that is accepted.
        accepted: number of images with such leads.
        wrong: how many of them are wrong.
        bound: what the share of wrong ones stays below, 0-1.
    """

    lead: float
    accepted: int
    wrong: int
    bound: float


def bounded(table: Sequence[Sequence[float]], level: float = LEVEL) -> list[Bounded]:
    """Return the rows of a table with their bounds.

    Args:
        table: `leads`, or one of `leads_of`.
        level: 1 - the confidence of each bound.
    """
    from edge_runtime.support.metrics import error_bound

    rows = []
    for least, accepted, wrong in table:
        bound = error_bound(int(wrong), int(accepted), level) if accepted else 1.0
        rows.append(Bounded(least, int(accepted), int(wrong), bound))
    return rows


def _keeping(table: Sequence[Bounded], limit: float, level: float) -> Bounded | None:
    """Return the row with the lowest lead that keeps a limit; None if none does.

    Leads are tested from the strictest that accepts enough images down to the first that fails.
    A fixed order needs no allowance for the number of tests (Bauer 1991, Stat. Med. 10, 871-890;
    Angelopoulos et al. 2021, arXiv:2110.01052, section 3).
    """
    # With so many images and no error, the bound is the limit. Among the greatest leads in a
    # large set mistakes are often labels that are wrong, so the first test takes a third of it.
    least = math.log(level) / math.log1p(-limit) if 0 < limit < 1 else math.inf
    enough = max(least, _FIRST_TESTED * table[0].accepted)
    kept = None
    for row in reversed(table[1:]):  # the first has no threshold
        if row.accepted < enough:
            continue
        if row.bound > limit:
            break
        kept = row
    return kept


def _allow(table: Sequence[Bounded], level: float) -> str:
    """Return a clause about the smallest limit, in tenths of a percent, that a lead keeps."""
    for thousandths in range(1, 1000):
        if _keeping(table, thousandths / 1000, level):
            return f"allow at least {thousandths / 10:g}%"
    return "the model is wrong too often for any promise"
