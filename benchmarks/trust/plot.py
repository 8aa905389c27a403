"""The plot of `python -m benchmarks.trust`."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

_LINES = ("-", "--", ":", "-.")


def trust(record: dict[str, Any]) -> Figure:
    """Return the plot of a record, see `benchmarks.trust.measure`.

    Its panels: error against the share accepted, on test images and on photographs of the classes;
    the share of other images accepted against that of test images; accuracy against score.
    """
    models, images = record["models"], record["images"]
    figure = Figure(figsize=(11, 9), layout="constrained")
    (risk, photographs), (others, reliability) = figure.subplots(2, 2)
    _risk(risk, models, "test", f"{images['test']:,} test images")
    if images["inside"]:
        title = f"{images['inside']['images']:,} photographs of the classes"
        _risk(photographs, models, "inside", title)
    else:
        photographs.set_axis_off()
    _others(others, models)
    _reliability(reliability, models)
    return figure


def _risk(axes: Axes, models: list[dict[str, Any]], part: str, title: str) -> None:
    for at, model in enumerate(models):
        rows = model[part]["risk_coverage"]
        accepted = [row["accepted"] for row in rows]
        low, high = zip(*(row["risk_interval"] for row in rows), strict=True)
        axes.plot(accepted, [row["risk"] for row in rows], color=f"C{at}", label=model["model"])
        axes.fill_between(accepted, low, high, color=f"C{at}", alpha=0.15, linewidth=0)
        if model[part]["risk"] is not None:
            axes.plot(model[part]["accepted"], model[part]["risk"], "o", color=f"C{at}")
    axes.set(xlabel="accepted", ylabel="error among the accepted", title=title)
    worst = max(model[part]["risk_coverage"][0]["risk"] for model in models)
    axes.set_ylim(0, 1.5 * worst or None)  # the interval of few images is wide
    _finish(axes, "upper left")


def _others(axes: Axes, models: list[dict[str, Any]]) -> None:
    for at, model in enumerate(models):
        for number, source in enumerate(model["outside"]):
            axes.plot(
                [row["test"] for row in source["accepted_from"]],
                [row["others"] for row in source["accepted_from"]],
                _LINES[number % len(_LINES)],
                color=f"C{at}",
                label=f"{model['model']}, {source['name']}",
            )
            axes.plot(model["test"]["accepted"], source["accepted"], "o", color=f"C{at}")
    axes.set(xlabel="test images accepted", ylabel="others accepted", title="images of no class")
    _finish(axes, "upper left")


def _reliability(axes: Axes, models: list[dict[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], ":", color="black", linewidth=1, label="calibrated")
    for at, model in enumerate(models):
        rows = model["test"]["reliability"]
        top1 = [row["top1"] for row in rows]
        low, high = zip(*(row["top1_interval"] for row in rows), strict=True)
        scores = [row["score"] for row in rows]
        label = f"{model['model']}, ECE {model['test']['ece']:.3f}"
        axes.plot(scores, top1, ".-", color=f"C{at}", label=label)
        axes.vlines(scores, low, high, color=f"C{at}", linewidth=1)
    axes.set(xlabel="best score", ylabel="top-1", title="test images, in ten bins")
    _finish(axes, "lower right")


def _finish(axes: Axes, legend: str) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc=legend)
