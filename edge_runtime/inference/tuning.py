"""What `edge-benchmark --tune` found for a model on this device, kept for the delegate `auto`.

The choice holds for one content of the model file, on one CPU, with the versions and the GPU
drivers that it was measured with. Each is a small JSON file in the user's cache folder (on Linux
`$XDG_CACHE_HOME/edge-classify/tuned`). To find it takes no hash of the model, because the file's
name begins with the model's size, and the file says where the model was and when it was written.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.inference.placement import DELEGATES
from edge_runtime.support.cores import usable_cores
from edge_runtime.support.drivers import gpu_drivers
from edge_runtime.support.environment import cpu_model
from edge_runtime.support.files import cache_folder, file_sha256, replacing

_FORMAT = "edge-tuned 1"
_MAX_BYTES = 1 << 16  # a choice takes one kilobyte
_MAX_THREADS = 1024
_MAX_NAME = 60  # letters of the CPU's name in a file's name
_NAME = re.compile(r"\d+-[0-9a-f]{16}-[\w-]+\.json")  # the model's size and hash, and the CPU
_CPU = "CPU"
# The packages that run models: what users call them, the module, and the distribution.
_PACKAGES = (
    ("LiteRT", "ai_edge_litert", "ai_edge_litert"),
    ("OpenVINO", "openvino", "openvino"),
    ("edge-classify", "edge_runtime", "edge_classify"),
)


class Chosen(NamedTuple):
    """What was fastest.

    Attributes:
        delegate: one of `DELEGATES`.
        threads: CPU threads for one image, or processes for many.
        gain: how many times as fast as `over` it was; 1.0 if it is the same.
        over: what runs without tuning, in words.
    """

    delegate: str
    threads: int
    gain: float
    over: str

    @property
    def advantage(self) -> str:
        """What the choice gains, in words."""
        if self.gain == 1.0:
            return "no other was faster"
        return f"{self.gain:.2f} times as fast as {self.over}"


class Tuned(NamedTuple):
    """The choice for a model.

    Attributes:
        model: name of the model when it was tuned.
        day: when it was tuned, YYYY-MM-DD.
        one: what is fastest for one image at a time.
        many: what is fastest for a folder, which several processes may share.
    """

    model: str
    day: str
    one: Chosen
    many: Chosen

    def __str__(self) -> str:
        """What was chosen, in one line."""
        one, many = self.one, self.many
        return (
            f"{worded(one.delegate, one.threads, 'thread')} ({one.advantage}), and for many images "
            f"{worded(many.delegate, many.threads, 'process')} ({many.advantage})"
        )


class _Record(NamedTuple):
    """The content of one file: the choice, and what it holds for."""

    tuned: Tuned
    sha256: str
    place: list[Any]
    circumstances: dict[str, Any]


def worded(delegate: str, count: int, unit: str) -> str:
    """Return a delegate with its number of threads or processes in words."""
    plural = "" if count == 1 else "es" if unit.endswith("s") else "s"
    return f"{delegate} with {count} {unit}{plural}"


def recall(path: Path) -> tuple[Tuned | None, str]:
    """Return the choice that is kept for a model and holds, or why the one that is kept does not.

    Args:
        path: the model file.

    Raises:
        OSError: the model cannot be read.
    """
    place = _place(path)
    records = [record for _, record in _records(f"{place[1]}-") if record]
    if not records:
        return None, ""
    now = circumstances()
    sha256 = ""
    for record in records:
        if record.circumstances.get(_CPU) != now[_CPU]:
            continue  # the folder may be shared with other machines
        if record.place != place:
            sha256 = sha256 or file_sha256(path)
            if record.sha256 != sha256:
                continue
        changed = [name for name in now if record.circumstances.get(name) != now[name]]
        if changed:
            return None, (
                f"what was tuned on {record.tuned.day} is not used, because these changed: "
                f"{', '.join(changed)}; run edge-benchmark --tune again"
            )
        if record.place != place:
            with suppress(OSError):  # it only saves the next start a hash
                _write(record._replace(place=place))
        return record.tuned, ""
    return None, ""


def keep(path: Path, tuned: Tuned) -> Path:
    """Keep a choice in place of an older one for the same content and CPU; return its file.

    Args:
        path: the model file.
        tuned: the choice.

    Raises:
        OSError: it cannot be written, or the model cannot be read. The older choice stays.
    """
    return _write(_Record(tuned, file_sha256(path), _place(path), circumstances()))


def forget(path: Path | None = None) -> list[str]:
    """Remove what is kept, and return what that was, a clause each.

    Args:
        path: the model file; None stands for every model and every CPU.

    Raises:
        OSError: a file cannot be removed, or the model cannot be read.
    """
    prefix = "" if path is None else f"{path.stat().st_size}-"
    sha256 = ""
    gone = []
    for file, record in _records(prefix):
        if path is not None:
            sha256 = sha256 or file_sha256(path)
            if record is None or record.sha256 != sha256:
                continue
        file.unlink(missing_ok=True)
        gone.append(
            f"{record.tuned.model}, tuned on {record.tuned.day}: {record.tuned}"
            if record
            else f"{file}, which is damaged"
        )
    return gone


def tuned_folder() -> Path | None:
    """Return the folder of all choices, or None for a user without a home folder."""
    folder = cache_folder()
    return folder and folder / "tuned"


def circumstances() -> dict[str, Any]:
    """Return what a choice depends on besides the model, by name, as JSON types."""
    versions = {name: _installed(module, package) for name, module, package in _PACKAGES}
    return {
        _CPU: cpu_model(),
        "usable cores": usable_cores(),
        **versions,
        "GPU drivers": list(gpu_drivers()),
    }


def _place(path: Path) -> list[Any]:
    """Return what changes whenever the content of a file may have changed."""
    status = path.stat()
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolving links takes longer
    return [absolute, status.st_size, status.st_mtime_ns, status.st_ino]


def _records(prefix: str) -> Iterator[tuple[Path, _Record | None]]:
    """Yield the files that are named like ours, with their records; None if damaged.

    Args:
        prefix: what their names begin with.
    """
    folder = tuned_folder()
    if folder is None:
        return
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return
    for file in files:
        if file.name.startswith(prefix) and _NAME.fullmatch(file.name):
            record = None
            with (
                suppress(OSError, ValueError, LookupError, TypeError, RecursionError),
                file.open("rb") as stream,
            ):
                record = _parsed(stream.read(_MAX_BYTES))
            yield file, record


def _parsed(text: bytes) -> _Record:
    """Return the record in a file; if it is none, raise one of many errors."""
    fields = json.loads(text)
    if fields["format"] != _FORMAT:
        raise ValueError("another format")
    one, many = (_chosen(**fields[name]) for name in ("one", "many"))
    day = date.fromisoformat(fields["tuned"]).isoformat()
    tuned = Tuned(str(fields["model"]), day, one, many)
    return _Record(
        tuned, str(fields["sha256"]), list(fields["place"]), dict(fields["circumstances"])
    )


def _chosen(delegate: str, threads: int, gain: float, over: str) -> Chosen:
    if delegate not in DELEGATES or not 1 <= threads <= _MAX_THREADS:
        raise ValueError("another delegate, or a number of threads that LiteRT does not take")
    return Chosen(delegate, int(threads), float(gain), str(over))


def _write(record: _Record) -> Path:
    folder = tuned_folder()
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, "there is no home folder", "the cache folder")
    cpu = "".join(c if c.isalnum() else "-" for c in record.circumstances[_CPU])[:_MAX_NAME]
    path = folder / f"{record.place[1]}-{record.sha256[:16]}-{cpu}.json"
    fields = {
        "format": _FORMAT,
        "model": record.tuned.model,
        "tuned": record.tuned.day,
        "one": record.tuned.one._asdict(),
        "many": record.tuned.many._asdict(),
        "sha256": record.sha256,
        "place": record.place,
        "circumstances": record.circumstances,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    return path


def _installed(module: str, distribution: str) -> str | None:
    """Return the name and version of an installed package; None if it is not installed.

    `importlib.metadata` would say the same, but to import it takes a tenth of the whole start.
    """
    found = find_spec(module)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parents[1]
    prefix = f"{distribution}-"
    return next(
        (
            entry.name.removesuffix(".dist-info")
            for entry in sorted(folder.iterdir())
            if entry.name.startswith(prefix) and entry.name.endswith(".dist-info")
        ),
        "unknown",
    )
