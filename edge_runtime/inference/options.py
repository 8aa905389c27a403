"""What the caller of a model asks for, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.inference import shipped
from edge_runtime.inference.placement import SCORES
from edge_runtime.inputs.resize import FITS

if TYPE_CHECKING:
    from edge_runtime.inference.acceptance import MaxError

_MAX_THREADS = 1024  # far more crash LiteRT
# Those that change scores. A card has the number of views by itself.
_OF_SCORES: dict[str, Any] = {
    "mean": None,
    "std": None,
    "fit": None,
    "scores": "auto",
    "gpu_precision": "fp32",
    "views": 1,
}


class Options(NamedTuple):
    """The arguments of `edge_runtime.inference.model.Model`, which describes them."""

    path: Path
    delegate: str
    threads: int | None
    many: bool
    gpu_precision: str
    labels: tuple[str, ...] | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    fit: str | None
    scores: str
    views: int
    allow_urls: bool
    accept_all: bool
    max_error: MaxError | None
    second_opinion: str | Path | None
    unsure_below: float | None


def checked(
    model: str | Path,
    *,
    delegate: str,
    threads: int | None,
    many: bool,
    gpu_precision: str,
    labels: Sequence[str] | None,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
    fit: str | None,
    scores: str,
    views: int,
    allow_urls: bool,
    accept_all: bool,
    max_error: MaxError | None,
    second_opinion: str | Path | None,
    unsure_below: float | None,
) -> Options:
    """Return the arguments of `edge_runtime.inference.model.Model` if their values are allowed.

    Raises:
        ModelError: there is no such model.
        ValueError: an argument has none of the values that `Model` lists.
    """
    require("delegate", delegate != "", "a name", delegate)
    threads = None if threads is None else index(threads)
    in_range = threads is None or 1 <= threads <= _MAX_THREADS
    require("threads", in_range, f"1 to {_MAX_THREADS:,}", threads)
    require("gpu_precision", gpu_precision in ("fp32", "fp16"), "fp32 or fp16", gpu_precision)
    require("fit", fit is None or fit in FITS, ", ".join(FITS), fit)
    require("scores", scores in SCORES, ", ".join(SCORES), scores)
    views = index(views)
    if views != 1:
        from edge_runtime.inference.views import MOST

        require("views", 1 <= views <= MOST, f"1 to {MOST}", views)
    require("labels", not isinstance(labels, str), "a list of names", labels)
    if max_error is not None:
        limits = max_error if isinstance(max_error, Mapping) else {"": max_error}
        for name, limit in limits.items():
            allowed = isinstance(name, str) and not isinstance(limit, str) and 0 < limit < 1
            require("max_error", allowed, "above 0 and below 1, such as 0.01", limit)
        several = {str(name): float(limit) for name, limit in limits.items()}
        max_error = several if isinstance(max_error, Mapping) else several[""]
        require("accept_all", not accept_all, "False beside max_error", accept_all)
    if unsure_below is not None:
        require("second_opinion", second_opinion is not None, "a model", second_opinion)
        require("unsure_below", 0 <= unsure_below <= 1, "0 to 1", unsure_below)
    return Options(
        path=shipped.find(model),
        delegate=delegate,
        threads=threads,
        many=many,
        gpu_precision=gpu_precision,
        labels=None if labels is None else tuple(map(str, labels)),
        mean=_numbers(mean),
        std=_numbers(std),
        fit=fit,
        scores=scores,
        views=views,
        allow_urls=allow_urls,
        accept_all=accept_all,
        max_error=max_error,
        second_opinion=second_opinion,
        unsure_below=None if unsure_below is None else float(unsure_below),
    )


def _numbers(given: float | Sequence[float] | None) -> tuple[float, ...] | None:
    """Return one number or several as a tuple of them."""
    if given is None:
        return None
    return tuple(map(float, given)) if hasattr(given, "__iter__") else (float(given),)


def chosen(options: Options) -> dict[str, Any]:
    """Return, as JSON types, those options but `views` that change scores and are no default."""
    values = {name: getattr(options, name) for name in _OF_SCORES if name != "views"}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != _OF_SCORES[name]
    }


def difference(measured: Mapping[str, Any], options: Options) -> tuple[str, str]:
    """Return the options that differ, as on a command line: when it was measured, and now.

    A threshold and what is promised about it hold for scores that are made in the same way.

    Args:
        measured: `acceptance` of a model card.
        options: of the caller.

    Returns:
        Two empty strings if none differs.
    """
    recorded = measured.get("options")
    then = _OF_SCORES | (dict(recorded) if isinstance(recorded, Mapping) else {})
    then["views"] = measured.get("views", 1)
    now = _OF_SCORES | chosen(options) | {"views": options.views}
    differing = [name for name in _OF_SCORES if then[name] != now[name]]
    before, after = (" and ".join(_shown(n, of[n]) for n in differing) for of in (then, now))
    return before, after


def _shown(name: str, value: Any) -> str:
    option = f"--{name.replace('_', '-')}"
    if value is None:
        return f"the model's own {name}"
    values = value if isinstance(value, list) else [value]
    return f"{option} {','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in values)}"


def require(name: str, holds: bool, expected: str, got: object) -> None:
    """Raise a ValueError unless an argument has one of its allowed values.

    Args:
        name: of the argument.
        holds: whether its value is allowed.
        expected: names the allowed values.
        got: its value.
    """
    if not holds:
        raise ValueError(f"Expected `{name}` to be {expected}, but got {got!r}.")
