"""The options with which scores were measured, and how those of a caller differ.

A threshold and what is promised about it hold for scores that are made in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.inference.options import Options

# Those that change scores. A card has the number of views by itself.
_DEFAULTS: dict[str, Any] = {
    "mean": None,
    "std": None,
    "fit": None,
    "scores": "auto",
    "gpu_precision": "fp32",
    "views": 1,
}


def chosen(options: Options) -> dict[str, Any]:
    """Return, as JSON types, those options but `views` that change scores and are no default."""
    values = {name: getattr(options, name) for name in _DEFAULTS if name != "views"}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != _DEFAULTS[name]
    }


def difference(measured: Mapping[str, Any], options: Options) -> tuple[str, str]:
    """Return the options that differ, as on a command line: when it was measured, and now.

    Args:
        measured: `acceptance` of a model card.
        options: of the caller.

    Returns:
        Two empty strings if none differs.
    """
    recorded = measured.get("options")
    then = _DEFAULTS | (dict(recorded) if isinstance(recorded, Mapping) else {})
    then["views"] = measured.get("views", 1)
    now = _DEFAULTS | chosen(options) | {"views": options.views}
    differing = [name for name in _DEFAULTS if then[name] != now[name]]
    before, after = (" and ".join(_shown(n, of[n]) for n in differing) for of in (then, now))
    return before, after


def _shown(name: str, value: Any) -> str:
    option = f"--{name.replace('_', '-')}"
    if value is None:
        return f"the model's own {name}"
    values = value if isinstance(value, list) else [value]
    return f"{option} {','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in values)}"
