"""The CIFAR-10 data set: official binary archive in, numpy arrays out.

This module finds, downloads, checks and reads the data, with numpy alone. It unpickles nothing, so
it refuses the Python ("pickled") archive.

Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". A record is one label byte
and 3,072 pixel bytes: red, green and blue plane, each 32 x 32, row-major.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from train.dataset import SIDE, DataError, Dataset, Split, split_held_out
from train.download import DownloadError, fetch
from train.reason import reason

ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published beside the archive
ENVIRONMENT_VARIABLE = "EDGE_CIFAR10"

_CLASSES = 10
_RECORDS_PER_FILE = 10_000
_RECORD_BYTES = 1 + 3 * SIDE * SIDE
_TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST_FILE = "test_batch.bin"
_NAMES_FILE = "batches.meta.txt"
_BLOCK = 1 << 20  # bytes


def load(path: str | Path | None = None) -> Dataset:
    """Load and split the data set.

    Args:
        path: the binary archive (.tar.gz), or a folder with it or its .bin files. Without a path
            the environment variable EDGE_CIFAR10 names it. Without both, the official archive is
            downloaded once and its checksum is verified.

    Raises:
        DataError: the path is missing or is not the binary CIFAR-10, or the download failed.
    """
    files = _read_files(_locate(path))
    class_names = tuple(files[_NAMES_FILE].decode("utf-8", "replace").split())
    if len(class_names) != _CLASSES:
        raise DataError(
            f"Expected {_CLASSES} class names in {_NAMES_FILE}, but got {len(class_names)}."
        )
    train, held_out = split_held_out(_parse(files, _TRAIN_FILES), _CLASSES)
    return Dataset(train, held_out, _parse(files, (_TEST_FILE,)), class_names)


def _locate(path: str | Path | None) -> Path:
    """Return the folder or archive to read; download the archive if none is named."""
    source = "--data"
    if path is None and os.environ.get(ENVIRONMENT_VARIABLE):
        path, source = os.environ[ENVIRONMENT_VARIABLE], ENVIRONMENT_VARIABLE
    if path is None:
        return download()
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(
            f"{source} names {path}, which does not exist; expected the folder "
            f"cifar-10-batches-bin, {ARCHIVE}, or a folder of images."
        )
    archive = path / ARCHIVE
    return archive if archive.is_file() else path


def download(url: str = URL, md5: str = MD5, cache: str | Path | None = None) -> Path:
    """Fetch the official archive into the user's cache, once, and verify its checksum.

    Raises:
        DataError: the download failed or the checksum differs.
    """
    try:
        return fetch(url, ARCHIVE, f"md5:{md5}", cache)
    except DownloadError as exc:
        raise DataError(
            f"CIFAR-10 could not be downloaded from {url} ({exc}); download it by hand and name "
            f"it with --data or {ENVIRONMENT_VARIABLE}."
        ) from exc


def _read_files(path: Path) -> dict[str, bytes]:
    """Return the contents of the seven files of the data set, by their names."""
    wanted = {*_TRAIN_FILES, _TEST_FILE, _NAMES_FILE}
    try:
        found = dict(_folder_files(path) if path.is_dir() else _archive_files(path, wanted))
    except (OSError, EOFError, tarfile.TarError, zlib.error) as exc:
        several = "\n" in str(exc)  # one line for each way of compression that was tried
        why = "it is not a tar archive" if several else reason(exc)
        raise DataError(
            f"{path} could not be read as the CIFAR-10 binary archive ({why}); expected {ARCHIVE}."
        ) from exc
    missing = sorted(wanted - found.keys())
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}; expected the CIFAR-10 *binary* version "
            f"({ARCHIVE}), not the Python or Matlab one, or images of your own as "
            f"{{train,test}}/CLASS/*.png."
        )
    return found


def _folder_files(path: Path) -> Iterator[tuple[str, bytes]]:
    inner = path / "cifar-10-batches-bin"
    folder = inner if inner.is_dir() else path
    for name in (*_TRAIN_FILES, _TEST_FILE, _NAMES_FILE):
        if (folder / name).is_file():
            yield name, (folder / name).read_bytes()


def _archive_files(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in wanted and member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None  # isfile() above
                yield name, stream.read()
        while archive.fileobj and archive.fileobj.read(_BLOCK):
            pass  # read to the end, because gzip checks its checksum only there


def _parse(files: dict[str, bytes], names: tuple[str, ...]) -> Split:
    """Decode the records of the named .bin files into one split."""
    for name in names:
        expected = _RECORDS_PER_FILE * _RECORD_BYTES
        if len(files[name]) != expected:
            raise DataError(
                f"Expected {name} to have {expected:,} bytes ({_RECORDS_PER_FILE:,} records), "
                f"but got {len(files[name]):,}; download the archive again."
            )
    records = np.frombuffer(b"".join(files[name] for name in names), np.uint8)
    records = records.reshape(-1, _RECORD_BYTES)
    labels = records[:, 0].copy()
    if labels.max() >= _CLASSES:
        raise DataError(
            f"Expected labels from 0 to {_CLASSES - 1} in {', '.join(names)}, "
            f"but got {labels.max()}; download the archive again."
        )
    planes = records[:, 1:]
    hashes = tuple(hashlib.sha256(row.tobytes()).hexdigest() for row in planes)
    images = planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), labels, hashes)
