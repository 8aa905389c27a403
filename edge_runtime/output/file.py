"""The file that results go to, which appears when all is done.

Until then the results lie beside it in `FILE.part`, and what they depend on in `FILE.part.job`.
`--resume` continues from both.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

from edge_runtime.errors import OutputError
from edge_runtime.output.formats import ENCODING_ERRORS, Format, header
from edge_runtime.output.resume import previous_results, require_same_job
from edge_runtime.support.files import replacing
from edge_runtime.support.lock import Lock
from edge_runtime.support.outputs import identities, identity

if TYPE_CHECKING:
    from edge_runtime.inputs.names import Source


BESIDE = (".part", ".part.job")  # suffixes of the files beside an unfinished one


class Output:
    """A file that takes its name when the job is finished.

    An output is a context manager: leaving it keeps what was written.

    Attributes:
        done: hashes of the sources whose results a previous run left.
        name: the file's path.
    """

    def __init__(
        self,
        path: Path,
        format: Format,
        job: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        again: Container[str] = (),
    ) -> None:
        """Open the output.

        Args:
            path: the file.
            format: how the results are written.
            job: what results depend on, as JSON types; see `edge_runtime.jobs.job.dependencies`.
            resume: keep the results that a previous run left, see `done`.
            overwrite: replace a file that exists.
            again: videos to classify again; their earlier rows are dropped.

        Raises:
            OutputError: the file has appeared since the command line was checked.
            OSError: the file cannot be written, or its name is that of something else.
            ResumeError: the previous results have another format or come from another job.
        """
        self.done: set[int] = set()
        self.name = str(path)
        self._path = path
        if path.exists() and not path.is_file():
            number = errno.EISDIR if path.is_dir() else errno.EINVAL
            raise OSError(number, os.strerror(number), str(path))
        self._replaces = identities([path])
        self._part = path.with_name(path.name + BESIDE[0])
        self._job = path.with_name(path.name + BESIDE[1])
        self._lock = Lock(self._part)
        try:
            if path.exists() and not (resume or overwrite):  # another run has finished meanwhile
                raise OutputError(f"--out {path} exists; add --overwrite to replace it.")
            with replacing(self._part, parents=False) as new:
                self._begin(new, format, job, resume=resume, again=again)
            with replacing(self._job, parents=False) as new:
                new.write_text(json.dumps(job))
            self._stream: TextIO = self._part.open(
                "a", encoding="utf-8", errors=ENCODING_ERRORS, newline=""
            )
        except BaseException:
            self._lock.release()
            raise

    def write(self, lines: str) -> None:
        """Write whole lines."""
        with self._naming():
            self._stream.write(lines)

    def require_other(self, source: Source) -> Source:
        """Return a source unless it is the file that the output will replace.

        Raises:
            OutputError: it is.
        """
        if source.content is None and identity(source.name) in self._replaces:
            raise OutputError(
                f"--out {self.name} would replace {source.name}, which is an input; name another "
                f"file."
            )
        return source

    def keep(self) -> None:
        """Leave what was written in the part file, for `--resume`."""
        try:
            with self._naming():
                self._stream.close()
        finally:
            self._lock.release()

    def finish(self) -> None:
        """Give the file its name."""
        with self._naming():
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        self._part.replace(self._path)
        self._job.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.keep()

    def _begin(
        self,
        new: Path,
        format: Format,
        job: Mapping[str, Any],
        *,
        resume: bool,
        again: Container[str],
    ) -> None:
        """Write the header, and after it the results that a previous run left."""
        begun = self._part.exists() and (self._part.stat().st_size or self._job.exists())
        previous = None
        if resume and begun:
            require_same_job(self._part, self._job, job)
            previous = self._part
        elif resume and self._path.exists():
            previous = self._path
        with new.open("w", encoding="utf-8", errors=ENCODING_ERRORS, newline="") as stream:
            stream.write(header(format))
            if previous is None:
                return
            for source, lines, is_frame in previous_results(
                previous, format, cut=previous == self._part
            ):
                if not is_frame:
                    self.done.add(hash(source))
                if not (is_frame and source in again):
                    stream.write(lines)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Add the file's name to errors that have none, such as that of a full disk."""
        try:
            yield
        except OSError as exc:
            exc.filename = self.name
            raise
