"""The tables of `python -m benchmarks.trust`, in Markdown: a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from export.verify import points

Figures = dict[str, Any]
Form = Callable[[Figures, str], str]


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        name: of the row.
        place: keys that lead from a model's record to the figures.
        key: of the figure.
        form: writes the figure.
    """

    name: str
    place: tuple[str | int, ...]
    key: str
    form: Form


_SHARES = {"top1": "top-1", "accepted": "accepted", "accepted_right": "accepted and right"}
_RISK = {"risk": "error among the accepted"}
_NOTE = (
    "In brackets: 95 % intervals. Shares have Wilson's, the AUROC has DeLong's, and the "
    "calibration error (ECE, 15 bins) has the basic bootstrap's. Intervals of other images take "
    "their classes for independent, not their images. Differences are paired: Agresti and Min's "
    "interval and McNemar's p for images of the classes, otherwise DeLong's, the bootstrap's, and "
    "that of a mean."
)


def markdown(record: Figures) -> str:
    """Return the tables of a record, see `benchmarks.trust.measure`."""
    models, images = record["models"], record["images"]
    rows = [
        Row("threshold", (), "threshold", lambda figures, key: f"{figures[key]:.3f}"),
        *_rows(images, _SHARES | _RISK, _share, _number),
        Row(f"`--max-error {100 * images['max_error']:g}%`", (), "max_error", _promise),
    ]
    blocks = [_about(images), *_table(models, rows), ""]
    blocks += [
        "Error among the accepted test images, if at least so many are accepted:",
        "",
        *_table(
            models,
            [
                Row(f"{risk['at_least']:.0%}", ("test", "risk_at", at), "risk", _risk_from)
                for at, risk in enumerate(models[0]["test"]["risk_at"])
            ],
        ),
    ]
    compared = [model for model in models if "gains" in model]
    if compared:
        against = compared[0]["gains"]["against"]
        blocks += ["", f"Difference from `{against}`; shares in points:", ""]
        blocks += _table(compared, _rows(images, _SHARES, _points, _difference, ("gains",)))
    return "\n".join([*blocks, "", _NOTE, ""])


def _about(images: Figures) -> str:
    """Return a sentence for each set of images."""
    outside = ", ".join(
        f"{source['name']} ({source['images']:,} images of {source['classes']:,} classes"
        f"{'' if source['all_classes'] else ' that no training saw'})"
        for source in images["outside"]
    )
    inside = images["inside"]
    of_classes = f" Photographs of the classes: {inside['images']:,}." if inside else ""
    return (
        f"The threshold is the highest that keeps 95 % of {images['held_out']:,} held-out images. "
        f"Test images: {images['test']:,}.{of_classes} Other images: {outside}.\n"
    )


def _rows(
    images: Figures,
    shares: dict[str, str],
    share: Form,
    number: Form,
    place: tuple[str | int, ...] = (),
) -> list[Row]:
    """Return the rows of all sets of images."""
    rows: list[Row] = []
    where: tuple[str | int, ...]
    parts = {"test": "test images"}
    if images["inside"]:
        parts["inside"] = f"`{images['inside']['name']}`"
    for part, name in parts.items():
        where = (*place, part)
        rows += [Row(f"{name}: {what}", where, key, share) for key, what in shares.items()]
        rows.append(Row(f"{name}: ECE", where, "ece", number))
    for at, source in enumerate(images["outside"]):
        where = (*place, "outside", at)
        rows.append(Row(f"`{source['name']}`: accepted", where, "accepted", share))
        rows.append(Row(f"`{source['name']}`: AUROC", where, "auroc", number))
    return rows


def _table(models: Sequence[Figures], rows: Sequence[Row]) -> list[str]:
    names = " | ".join(f"`{model['model']}`" for model in models)
    lines = [f"| | {names} |", "|---" * (len(models) + 1) + "|"]
    for row in rows:
        cells = " | ".join(row.form(_at(model, row.place), row.key) for model in models)
        lines.append(f"| {row.name} | {cells} |")
    return lines


def _at(model: Figures, place: Sequence[str | int]) -> Figures:
    """Return the figures to which the keys of `place` lead."""
    node: Any = model
    for key in place:
        node = node[key]
    return dict(node)


def _promise(figures: Figures, key: str) -> str:
    found = figures[key]
    if "reason" in found:
        return str(found["reason"])
    return f"{_share(found, 'accepted')} accepted, {_share(found, 'risk')} of them wrong"


def _risk_from(figures: Figures, key: str) -> str:
    accepted = f"{100 * figures['accepted']:.1f} %"
    return f"{_share(figures, key)} of {accepted}, scores from {figures['threshold']:.3f}"


def _share(figures: Figures, key: str) -> str:
    if figures[key] is None:
        return "none is accepted"
    low, high = figures[f"{key}_interval"]
    return f"{100 * figures[key]:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _number(figures: Figures, key: str) -> str:
    low, high = figures[f"{key}_interval"]
    return f"{figures[key]:.3f} ({low:.3f} to {high:.3f})"


def _points(figures: Figures, key: str) -> str:
    found, low, high = (points(value) for value in (figures[key], *figures[f"{key}_interval"]))
    p = f", p {figures[f'{key}_p']:.2g}" if f"{key}_p" in figures else ""
    return f"{found} ({low} to {high}){p}"


def _difference(figures: Figures, key: str) -> str:
    low, high = figures[f"{key}_interval"]
    return f"{figures[key]:+.3f} ({low:+.3f} to {high:+.3f})"
