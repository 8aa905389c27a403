"""Which outputs of a model have the name of a class, and what was measured for them.

A user's labels may name the outputs differently from the labels that were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_runtime.errors import OptionError
from edge_runtime.support.labels import composed


def table_of(
    name: str, measured: Mapping[str, Any], labels: Sequence[str], own: Sequence[str]
) -> tuple[list[int], Sequence[Sequence[float]]]:
    """Return the outputs with the name of a class, and the table that was measured for them.

    Args:
        name: of the class, as the user wrote it.
        measured: `acceptance` of a model card, see `edge_runtime.inference.acceptance`.
        labels: names in the order of the scores.
        own: the model's own labels; empty if it has none.

    Raises:
        OptionError: no output has the name, or these outputs were not measured by themselves.
    """
    outputs = _outputs(name, labels)
    if not outputs:
        raise OptionError(
            f"--max-error {name}: the model has no class {name}; its classes are "
            f"{', '.join(labels[:20])}."
        )
    tables = measured.get("leads_of")
    if tables is None:
        raise OptionError(f"--max-error {name}: it was measured for all classes together only.")
    names = measured.get("labels") or own or labels
    measured_as = names[outputs[0]]
    if measured_as not in tables or _outputs(measured_as, names) != outputs:
        raise OptionError(
            f"--max-error {name}: how often it is wrong was not measured for {name} by itself; "
            f"measure the model with these labels, with --judge FOLDER --save."
        )
    return outputs, tables[measured_as]


def _outputs(name: str, labels: Sequence[str]) -> list[int]:
    return [at for at, label in enumerate(labels) if composed(label) == composed(name)]
