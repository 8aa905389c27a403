"""Images of none of the classes, as they lie in a folder or an archive.

Any folder of images will do, with or without class folders, and any zip or tar archive of one. The
runtime decodes them. The official Tiny-ImageNet archive is known by its folder: only its training
images are read, without the classes in `tiny_imagenet_overlap.txt`, which show those of CIFAR-10.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import SUFFIXES, decode
from edge_runtime.inputs.folders import is_housekeeping
from edge_runtime.support import native_log
from train.dataset import DataError
from train.download import DownloadError, fetch
from train.reason import reason

TINY_IMAGENET = "tiny-imagenet"  # names the official archive on the command line
ARCHIVE = "tiny-imagenet-200.zip"
URL = f"http://cs231n.stanford.edu/{ARCHIVE}"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"

_DAMAGED = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_WORDNET_ID = re.compile(r"(?<![0-9A-Za-z])n\d{8}(?!\d)")
_OFFICIAL = re.compile(r"(?:.*/)?tiny-imagenet-200/(.*)")
_OFFICIAL_TRAIN = re.compile(r"train/(n\d{8})/images/[^/]+")


def locate(named: str, cache: str | Path | None = None, option: str = "--outliers") -> Path:
    """Return the folder or archive that an option names; download Tiny-ImageNet if it is that.

    Args:
        named: a path, or `TINY_IMAGENET`.
        cache: folder of the downloaded file; by default the user's cache.
        option: the option that names it, for messages.

    Raises:
        DataError: the path is neither a folder nor an archive, or the download failed.
    """
    path = Path(named).expanduser()
    if path.is_dir() or (path.is_file() and path.name.lower().endswith(_ARCHIVES)):
        return path
    if named != TINY_IMAGENET:
        what = "is no archive that can be read" if path.exists() else "does not exist"
        raise DataError(
            f"{option} names {path}, which {what}; name a folder of images, an archive "
            f"({', '.join(_ARCHIVES)}), or {TINY_IMAGENET}, which is downloaded."
        )
    try:
        return fetch(URL, ARCHIVE, f"md5:{MD5}", cache)
    except DownloadError as exc:
        raise DataError(
            f"Tiny-ImageNet could not be downloaded from {URL} ({exc}); download it by hand and "
            f"name it with {option}."
        ) from exc


def wordnet_id(name: str) -> str | None:
    """Return the WordNet id in a path, such as n01440764, or None; the first one counts."""
    found = _WORDNET_ID.search(name)
    return found[0] if found else None


@cache
def overlapping_classes() -> frozenset[str]:
    """Return the WordNet ids of Tiny-ImageNet's classes that show a class of CIFAR-10."""
    lines = Path(__file__).with_name("tiny_imagenet_overlap.txt").read_text().splitlines()
    return frozenset(line.split()[0] for line in lines if not line.startswith("#"))


def read(path: Path, at_least: int) -> Iterator[tuple[str, Image.Image]]:
    """Yield the images of a folder or an archive with their names, sorted by name in a folder.

    Args:
        path: the folder or archive.
        at_least: shorter side in pixels that suffices; larger JPEGs may be decoded smaller.

    Yields:
        The path of each image below the folder or in the archive, with forward slashes, and the
        decoded image, RGB.

    Raises:
        DataError: an image or the archive cannot be read.
    """
    for name, content in files(path):
        try:
            with native_log.dropped():  # libtiff warns there of every odd file
                yield name, decode(content, at_least=(at_least, at_least), name=f"{path}: {name}")
        except ImageError as exc:
            raise DataError(f"{exc} It is one of the outliers.") from exc


def files(path: Path) -> Iterator[tuple[str, Path | BytesIO]]:
    """Yield the images of a folder or an archive, as `read` does, without decoding them.

    Raises:
        DataError: the archive cannot be read.
    """
    yield from _folder(path) if path.is_dir() else _archive(path)


def _folder(folder: Path) -> Iterator[tuple[str, Path]]:
    prefix = f"{folder.resolve().name}/"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _is_wanted(name, prefix + name) and path.is_file():
            yield name, path


def _archive(path: Path) -> Iterator[tuple[str, BytesIO]]:
    members = _zip if path.name.lower().endswith(".zip") else _tar
    try:
        yield from members(path)
    # RuntimeError: a zip file is encrypted, or compressed in a way that Python lacks.
    except (*_DAMAGED, RuntimeError) as exc:
        several = "\n" in str(exc)  # one line for each way of compression that was tried
        raise DataError(
            f"{path} could not be read as an archive of images "
            f"({'it is no archive' if several else reason(exc)}); download or pack it again."
        ) from exc


def _zip(path: Path) -> Iterator[tuple[str, BytesIO]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if _is_wanted(name, name):
                yield name, BytesIO(archive.read(name))


def _tar(path: Path) -> Iterator[tuple[str, BytesIO]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if _is_wanted(member.name, member.name) and member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None  # isfile() above
                yield member.name, BytesIO(stream.read())


def _is_wanted(name: str, place: str) -> bool:
    """Return whether a file is an image to read.

    Args:
        name: its path below the folder or in the archive.
        place: the same, with the folder's own name before it.
    """
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        return False
    if any(part.startswith(".") or is_housekeeping(part) for part in parts):
        return False
    official = _OFFICIAL.fullmatch(place)
    if official is None:
        return True
    # Its other parts do not name the classes in their paths, so their images may be of any.
    of_class = _OFFICIAL_TRAIN.fullmatch(official[1])
    return of_class is not None and of_class[1] not in overlapping_classes()
