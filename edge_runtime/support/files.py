"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | Path, *, parents: bool = True) -> Iterator[Path]:
    """Give the name of a file to write beside `path`, which it becomes when the block ends well.

    When the block raises, `path` is left as it was.

    Args:
        parents: make missing parent folders.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; it names the file.
    """
    path = Path(path)
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}{path.suffix}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # safetensors' files are for their owner alone
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as exc:
        # A full disk's error names no file, others the temporary one.
        if exc.errno is not None and exc.filename in (None, temporary, str(temporary)):
            raise OSError(exc.errno, exc.strerror, str(path)) from exc
        raise
    finally:
        with suppress(OSError):  # it took its name, or its folder is none
            temporary.unlink()


def target(path: str | Path) -> Path:
    """Return the file that a name means, so that a link to it stays one when it is replaced.

    Raises:
        OSError: it means a stream that this process has open, as `/dev/stdout` does; the file
            behind that is not to be replaced.
    """
    real = Path(os.path.realpath(path))
    if os.path.islink(path) and os.path.realpath(os.path.dirname(path)).startswith(  # noqa: PTH114, PTH120
        ("/dev", "/proc")
    ):
        raise OSError(errno.EINVAL, "it is a stream; leave --out out to write to it", str(path))
    return real


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
