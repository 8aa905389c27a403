"""Files: written whole or not at all, links followed, content hashed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | Path, *, parents: bool = True, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary file's name, and rename it to `path` when the block ends without an error.

    If the block raises, `path` stays as it was.

    Args:
        path: name of the file to write.
        parents: make missing parent folders.
        overwrite: replace a file that exists. If not, a file that appeared meanwhile stays.

    Raises:
        FileExistsError: the file exists, and `overwrite` is not set.
        OSError: the folder cannot be written to, or the disk is full; the error names `path`.
    """
    path = Path(path)
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}{path.suffix}")
    try:
        yield temporary
        # safetensors writes files that only their owner may read.
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            _name_new(temporary, path)
    except OSError as exc:
        # The error of a full disk names no file; other errors name the temporary one.
        if exc.errno is not None and exc.filename in (None, temporary, str(temporary)):
            raise OSError(exc.errno, exc.strerror, str(path)) from exc
        raise
    finally:
        with suppress(OSError):  # it has the name `path` now, or its folder is not one
            temporary.unlink()


def target(path: str | Path) -> Path:
    """Return the file behind a name, so that replacing it keeps a link that leads to it.

    Raises:
        OSError: the name leads to an open stream of this process, such as `/dev/stdout`, whose file
            must not be replaced.
    """
    real = Path(os.path.realpath(path))
    if os.path.islink(path) and os.path.realpath(os.path.dirname(path)).startswith(  # noqa: PTH114, PTH120
        ("/dev", "/proc")
    ):
        raise OSError(errno.EINVAL, "it is a stream; omit --out to write to it", str(path))
    return real


def cache_folder() -> Path | None:
    """Return the user's cache folder of this project, or None for a user without a home folder.

    On Linux it is `$XDG_CACHE_HOME/edge-classify`.
    """
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("edge-classify", appauthor=False)
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def write_new(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; missing folders are made.

    Raises:
        FileExistsError: the file exists.
        OSError: it cannot be written.
    """
    with replacing(path, overwrite=False) as temporary:
        temporary.write_bytes(data)


def _name_new(temporary: Path, path: Path) -> None:
    """Give a file its final name unless another file has it."""
    try:
        path.hardlink_to(temporary)  # unlike a check before the renaming, leaves no gap
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    except OSError:  # a file system without hard links, such as FAT
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.replace(path)


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
