"""The figures of `python -m benchmarks.views` as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.views.accuracy import Gain
from benchmarks.views.record import NUMBERS, SHRUNK, SHRUNK_VIEWS, Record
from edge_runtime.support.timing import TimeRatio
from export.verify import points


def markdown(records: Sequence[Record]) -> str:
    """Return the tables of all models."""
    return "\n\n".join((_of_photographs(records), _of_test_images(records), _of_small(records)))


def _of_photographs(records: Sequence[Record]) -> str:
    first = records[0]
    columns = [
        *("model", "views", "top-1", "gain, points", "geometric mean: gain"),
        *("accepted", "accepted and right", f"accepted of {first.outside:,} others", "time"),
    ]
    rows = [
        [
            f"`{record.model}`",
            str(views),
            f"{found.gain.top1:.1%}",
            _gain(found.gain, views),
            _gain(found.geometric, views),
            f"{found.accepted:.1%}",
            f"{found.accepted_right:.1%}",
            "" if found.outside_accepted is None else f"{found.outside_accepted:.1%}",
            _time(found.time),
        ]
        for record in records
        for views, found in record.by_views.items()
    ]
    thresholds = ", ".join(f"{record.threshold:.3f} (`{record.model}`)" for record in records)
    return (
        f"On {first.photographs:,} photographs; thresholds that accept 95 % of the held-out images "
        f"with one view: {thresholds}.\n\n{_table(columns, rows)}"
    )


def _of_test_images(records: Sequence[Record]) -> str:
    columns = [
        *("model", "views", "top-1", "gain, points", "time"),
        *("enlarged, JPEG: top-1", "gain, points", "12 megapixels: time"),
    ]
    rows = [
        [
            f"`{record.model}`",
            str(views),
            f"{record.test[views].top1:.2%}",
            _gain(record.test[views], views),
            _time(record.test_time.get(views)),
            f"{record.enlarged[views].top1:.2%}",
            _gain(record.enlarged[views], views),
            _time(record.camera_time.get(views)),
        ]
        for record in records
        for views in NUMBERS
    ]
    return f"On {records[0].test_images:,} test images.\n\n{_table(columns, rows)}"


def _of_small(records: Sequence[Record]) -> str:
    columns = ["model", *(f"{times:g}" for times in SHRUNK)]
    rows = [
        [f"`{record.model}`", *(_gain(each, SHRUNK_VIEWS) for each in record.shrunk.values())]
        for record in records
    ]
    return (
        f"Gain of {SHRUNK_VIEWS} views in points, all taken of the photographs shrunk to a shorter "
        f"side of so many times the model's.\n\n{_table(columns, rows)}"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _gain(found: Gain, views: int) -> str:
    if views == 1:
        return ""
    return f"{points(found.gain)} ({points(found.low)} to {points(found.high)})"


def _time(ratio: TimeRatio | None) -> str:
    return "1" if ratio is None else f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
