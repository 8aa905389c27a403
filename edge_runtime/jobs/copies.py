"""The same model in another process: in a worker of the pool, or in an actor of a cluster job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from edge_runtime.inference.loading import require_unchanged
from edge_runtime.inference.model import Model


class Copy(NamedTuple):
    """What makes the same model in another process, as JSON types.

    The first process has decided which best classes count. Another process does not decide again,
    because the file beside the model may be missing there, or may have changed.

    Attributes:
        arguments: of `Model`. With them alone, every best class counts.
        acceptance: threshold and leads of `Acceptance`; None if every best class counts.
        stamps: of the model files as the first process opened them, by the names of their
            arguments. Empty on another machine, where the files are others.
    """

    arguments: Mapping[str, Any]
    acceptance: tuple[float, Sequence[float]] | None
    stamps: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, model: Model) -> Self:
        """Return what makes this model again."""
        accepted = model.acceptance
        return cls(
            {**model.arguments(), "accept_all": True, "max_error": None},
            None if accepted is None else (accepted.threshold, accepted.leads),
            {name: scorer.stamp for name, scorer in model.scorers().items()},
        )

    def open(self) -> Model:
        """Load the model.

        Raises:
            ModelError: a file is gone, or has changed since the first process opened it.
            OptionError, DelegateError: as for `Model`, if this machine differs from the first.
        """
        self._require_unchanged()
        model = Model(**self.arguments)
        self._require_unchanged()  # it may have changed just now
        if self.acceptance is not None:
            from edge_runtime.inference.acceptance import Acceptance

            threshold, leads = self.acceptance
            model.acceptance = Acceptance(threshold, tuple(leads))
        return model

    def _require_unchanged(self) -> None:
        for name, opened in self.stamps.items():
            require_unchanged(Path(self.arguments[name]), opened)
