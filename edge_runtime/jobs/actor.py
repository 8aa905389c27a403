"""A Ray actor of a cluster job: classifies parts and writes them. Does not import Ray."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_runtime.inputs.remote import fetched
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs.copies import Copy
from edge_runtime.jobs.job import Job, second_names
from edge_runtime.jobs.partition import Done, Part
from edge_runtime.jobs.pool import Pool
from edge_runtime.output.parts import Parts
from edge_runtime.results import Result


class Actor:
    """Classifies parts in one worker process, which a damaged image may crash."""

    def __init__(
        self,
        copy: Copy,
        files: dict[str, bytes],
        job: Job,
        parts: dict[str, Any],
        directory: str,
    ) -> None:
        """Load the model and start the worker process.

        Args:
            copy: of the command's model.
            files: from `model_files`, because this machine may lack them.
            job: the job's options.
            parts: from `Parts.arguments`.
            directory: the working directory of the command.
        """
        with suppress(OSError):  # not every machine has it, and not every source needs it
            os.chdir(directory)
        here = {name: local_model(copy.arguments[name], files[name]) for name in files}
        copy = copy._replace(arguments={**copy.arguments, **here}, stamps={})
        with copy.open() as model:
            self._delegate = model.placement.delegate
            _, self._both = second_names(model)
            self._pool = Pool(model, processes=1, top_k=job.top_k)
        self._threshold = job.threshold
        self._resume = job.resume
        self._parts = Parts(**parts)

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Classify and write the part of a row of Ray's data set, and return what became of it."""
        return {"done": self.classify(Part.from_json(row["part"])).to_json()}

    def classify(self, part: Part) -> Done:
        """Classify and write a part, unless a previous run did."""
        name = self._parts.name(part.number, part.digest)
        count = self._parts.count(name) if self._resume else None
        if count and count.images == len(part.sources):
            return Done(name, *count, kept=True, complaints=[])
        results = list(self._results(part))
        complaints = [str(r.error) for _, r in results if r.error is not None]
        count = self._parts.write(name, results, self._delegate)
        asked = sum(result.model == self._both for _, result in results)
        return Done(name, *count, kept=False, complaints=complaints, asked=asked)

    def close(self) -> None:
        """End the worker process."""
        self._pool.close()

    def _results(self, part: Part) -> Iterator[tuple[str, Result]]:
        for source, result in self._pool.results(fetched(part.sources)):
            yield shown(source), result.at_least(self._threshold)


def local_model(path: str, content: bytes) -> str:
    """Return the path of a model on this machine, where it is written if it is not there.

    The name of the file stays, because results carry it.

    Args:
        path: where the command's machine has it.
        content: its bytes.
    """
    with suppress(OSError):
        if Path(path).read_bytes() == content:
            return path
    copy = Path(tempfile.mkdtemp(prefix="edge-classify-")) / Path(path).name
    copy.write_bytes(content)
    return str(copy)
