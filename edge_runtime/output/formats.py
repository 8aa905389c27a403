"""How results are written: for people, as JSON lines, or as CSV; to standard output or a file.

A file appears under its name only when all is done. Until then what there is lies beside it, in
`FILE.part`, which `--resume` goes on with, and in `FILE.part.job` what the answers depend on.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from edge_runtime.errors import EdgeRuntimeError, ResumeError
from edge_runtime.support.console import one_line
from edge_runtime.support.files import replacing

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier, Prediction
    from edge_runtime.jobs.stream import Frame

    Result = list[Prediction] | EdgeRuntimeError

Format = Literal["text", "json", "csv", "parquet"]  # the last has no lines, see `parts`
_ERRORS = "surrogateescape"  # names of files may be no valid UTF-8
_CSV_COLUMNS = ("source", "frame", "rank", "label", "index", "score", "error")


def record(classifier: Classifier) -> dict[str, Any]:
    """Return what ran a model: the delegate asked for and the actual one, threads, operations."""
    placement = classifier.placement
    return {
        "requested": classifier.delegate,
        "delegate": placement.delegate,
        "threads": classifier.threads,
        "delegated": placement.delegated,
        "operations": placement.operations,
        "outside": list(placement.outside),
    }


def formatter(
    kind: Format, run: dict[str, Any] | None = None, *, colours: bool = False
) -> Callable[[str, Result, Frame | None], str]:
    """Return what turns a source and its result into lines, each with its line break.

    Args:
        run: from `record`, goes into every JSON line.
        colours: for a terminal; `text` alone has them.
    """
    if kind == "json":
        tail = f', "run": {json.dumps(run)}}}\n' if run else "}\n"
        return lambda source, result, frame: _json(source, result, frame, tail)
    if kind == "csv":
        return _csv
    return lambda source, result, frame: _text(source, result, frame, colours)


def differing(job: Mapping[str, Any], former: Mapping[str, Any]) -> str:
    """Return why a job cannot go on with a former one's answers, or nothing where it can.

    Args:
        job: what answers depend on, see `job.decisive`, as is `former`.
    """
    keys = sorted(key for key in job if job[key] != former.get(key))
    others = ", ".join(keys)
    return f"was made with other values of {others}; leave --resume out to begin anew" * bool(keys)


def header(kind: Format) -> str:
    """Return what stands above all lines."""
    return ",".join(_CSV_COLUMNS) + "\r\n" if kind == "csv" else ""


class Output:
    """Standard output, or a file that takes its name when the block ends well."""

    def __init__(
        self,
        path: Path | None,
        kind: Format,
        job: Mapping[str, Any],
        *,
        resume: bool = False,
        again: Container[str] = (),
    ) -> None:
        """Open it.

        Args:
            path: the file; None is standard output.
            job: what a stopped one must have been the same in to go on, as JSON types.
            resume: keep the answers that a former run left, see `done`.
            again: videos, whose same frames come again, so that the former ones go.

        Raises:
            OSError: the file cannot be written, or what has its name is no file.
            ResumeError: a former run's answers are of another kind or job.
        """
        self._path = path
        self.done: set[int] = set()
        self._stream: TextIO = sys.stdout
        if path is None:
            if self._stream is None:  # closed, as in `>&-`
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
            self.write(header(kind))
            return
        if path.exists() and not path.is_file():
            number = errno.EISDIR if path.is_dir() else errno.EINVAL
            raise OSError(number, os.strerror(number), str(path))
        part = self.part = path.with_name(path.name + ".part")
        self._made_with = part.with_name(part.name + ".job")
        with _locked(part) as was_there:
            begun = was_there and bool(part.stat().st_size or self._made_with.exists())
            former: list[Path] = []
            if resume and begun:
                self._require_job(job)
                former = [part]
            elif resume and path.exists():
                former = [path]
            with replacing(part, parents=False) as new:
                with new.open("w", errors=_ERRORS, newline="") as stream:
                    stream.write(header(kind))
                    for file in former:
                        for source, lines, is_frame in _answered(file, kind, cut=file == part):
                            if not is_frame:
                                self.done.add(hash(source))
                            if not (is_frame and source in again):
                                stream.write(lines)
                if os.name == "posix":  # else a file that is open keeps its name
                    self._stream = new.open("a", errors=_ERRORS, newline="")
                    _lock(self._stream, new)
            if os.name != "posix":
                self._stream = part.open("a", errors=_ERRORS, newline="")
        with replacing(self._made_with, parents=False) as temporary:
            temporary.write_text(json.dumps(job))

    def write(self, lines: str) -> None:
        """Write whole lines; standard output sees them at once."""
        with self._naming():
            self._stream.write(lines)
            if self._path is None:
                self._stream.flush()

    def keep(self) -> None:
        """Make sure that what was written lies in the part file."""
        if self._path is not None:
            self._stream.close()

    def finish(self) -> None:
        """Give the file its name."""
        if self._path is not None:
            with self._naming():
                self._stream.flush()
                os.fsync(self._stream.fileno())
                if os.name != "posix":
                    self._stream.close()
            self.part.replace(self._path)  # while it is locked
            self._stream.close()
            self._made_with.unlink(missing_ok=True)

    def _require_job(self, job: Mapping[str, Any]) -> None:
        """Refuse to mix answers of another model, say, with this job's.

        Raises:
            ResumeError: they would be.
        """
        with suppress(FileNotFoundError, ValueError):
            why = differing(job, json.loads(self._made_with.read_text()))
            if why:
                raise ResumeError(f"{self.part} {why}.")

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Let errors of a full disk, say, which name no file, name it."""
        try:
            yield
        except OSError as exc:
            if self._path is not None:
                exc.filename = str(self._path)
            raise


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Keep other runs from a file, which is made where it is missing, inside the block.

    Yields whether it was there.

    Raises:
        OSError: another run is writing it.
    """
    there = path.exists()
    with path.open("a") as stream:
        _lock(stream, path)
        try:
            yield there
        except BaseException:
            if not there:
                path.unlink(missing_ok=True)
            raise


def _lock(stream: TextIO, path: Path) -> None:
    """Keep other runs from writing a file, until it is closed, where the system can do that.

    Raises:
        OSError: another run is writing it.
    """
    try:
        import fcntl
    except ImportError:
        return
    with suppress(FileNotFoundError):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        except OSError:  # a file system without locks
            return
        else:
            # Before the lock another run may have put its own in the place of this file.
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return
    raise OSError(errno.EAGAIN, "another run is writing it", str(path))


def _answered(path: Path, kind: Format, *, cut: bool) -> Iterator[tuple[str, str, bool]]:
    """Yield what a file has an answer to, with its lines, and whether that is a frame.

    Errors are no answers.

    Args:
        cut: whether the writing was stopped, so that the last image's lines may not all be there.

    Raises:
        ResumeError: the file is of another kind; what it holds would be lost.
    """
    with path.open(errors=_ERRORS, newline="") as stream:
        try:
            yield from (_answered_json if kind == "json" else _answered_csv)(stream, cut)
        except (ValueError, LookupError, TypeError) as exc:
            raise ResumeError(
                f"{path} does not hold what --{kind} writes; leave --resume out to begin anew."
            ) from exc


def _answered_json(stream: TextIO, cut: bool) -> Iterator[tuple[str, str, bool]]:
    for line in stream:
        if cut and not line.endswith("\n"):
            return
        result = json.loads(line)
        source, error = result["source"], "error" in result
        if not (error or isinstance(result["predictions"], list)):
            raise TypeError
        if not error:
            yield source, line, "frame" in result


def _answered_csv(stream: TextIO, cut: bool) -> Iterator[tuple[str, str, bool]]:
    import csv

    first = stream.readline()
    if first != header("csv"):
        if cut and header("csv").startswith(first):
            return
        raise ValueError
    rows = list(csv.reader(stream))
    if cut and rows:
        last = rows.pop()
        rows = [row for row in rows if row[0] != last[0]]
    for row in rows:
        source, frame, *_, error = row
        if len(row) != len(_CSV_COLUMNS):
            raise ValueError
        if not error:
            yield source, _rows([row]), frame != ""


def _text(source: str, result: Result, frame: Frame | None, colours: bool) -> str:
    if isinstance(result, EdgeRuntimeError):
        return ""  # standard error has it
    bold, plain = ("\033[1m", "\033[0m") if colours else ("", "")
    classes = ", ".join(f"{bold}{p.label}{plain} {p.score:.3f}" for p in result)
    name = one_line(source)
    if frame is not None:
        name += f" #{frame.frame} (age {frame.age_ms:.0f} ms, dropped {frame.dropped})"
    return f"{name}: {classes or 'no class reaches the threshold'}\n"


def _json(source: str, result: Result, frame: Frame | None, tail: str) -> str:
    line: dict[str, object] = {"source": source}
    if frame is not None:
        line |= {
            "frame": frame.frame,
            "captured_at": frame.captured_at,
            "age_ms": frame.age_ms,
            "dropped": frame.dropped,
        }
    if isinstance(result, EdgeRuntimeError):
        return json.dumps(line | {"error": str(result)}) + "\n"
    line["predictions"] = [{"label": p.label, "index": p.index, "score": p.score} for p in result]
    return json.dumps(line)[:-1] + tail


def _csv(source: str, result: Result, frame: Frame | None) -> str:
    start = [source, "" if frame is None else frame.frame]
    if isinstance(result, EdgeRuntimeError):
        return _rows([[*start, "", "", "", "", str(result)]])
    if not result:
        return _rows([[*start, "", "", "", "", ""]])
    return _rows(
        [*start, rank, p.label, p.index, p.score, ""] for rank, p in enumerate(result, start=1)
    )


def _rows(rows: Any) -> str:
    import csv
    from io import StringIO

    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
