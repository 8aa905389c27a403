"""The photographs of a folder, one folder for each class: FOLDER/CLASS/*.

If the folder holds the folders `train` and `test`, the model learns from `train` and is tested on
`test`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge_runtime.errors import TeachingError
from edge_runtime.inputs.folders import images_below, is_housekeeping
from edge_runtime.inputs.names import is_heic
from edge_runtime.results import NONE_OF_THESE
from edge_runtime.support.labels import composed, first_of_same_name

COUNTER_EXAMPLES = NONE_OF_THESE  # the folder of images that belong to no class
MAX_CLASSES = 1000
MIN_PHOTOGRAPHS = 2  # of each class
_PARTS = TRAIN, TEST = "train", "test"


class Photograph(NamedTuple):
    """A photograph and its class.

    Attributes:
        path: of the file.
        label: index of the class; -1 for a counter-example.
    """

    path: str
    label: int


class Photographs(NamedTuple):
    """What a folder holds.

    Attributes:
        classes: names in alphabetical order, without that of counter-examples; equal names once.
        photographs: those of all classes in order, then the counter-examples.
        unreadable: sentences that say which folders could not be searched.
    """

    classes: tuple[str, ...]
    photographs: tuple[Photograph, ...]
    unreadable: tuple[str, ...]


class Parts(NamedTuple):
    """The folders of a data set.

    Attributes:
        train: folder to teach on.
        test: folder to test on; None if there is none.
        others: names of folders beside these two, which are not read.
    """

    train: Path
    test: Path | None
    others: tuple[str, ...]


def parts_of(folder: Path) -> Parts:
    """Return the folder to teach on, and the one to test on if `folder` has both.

    Raises:
        TeachingError: it is not a folder, or cannot be searched.
    """
    _require_folder(folder)
    train, test = folder / TRAIN, folder / TEST
    if not (train.is_dir() and test.is_dir()):
        return Parts(folder, None, ())
    others = [name for name in _class_folders(folder, lambda name: None) if name not in _PARTS]
    return Parts(train, test, tuple(others))


def find_photographs(folder: Path, left_out: Callable[[str], None]) -> Photographs:
    """Find the photographs of each class.

    Args:
        folder: holds a folder for each class; photographs may lie in folders below that.
        left_out: called with each file that has no suffix of an image or lies beside the classes.

    Raises:
        TeachingError: there are too few or too many classes, a class has no name that a label can
            have, or too few photographs.
    """
    names = _class_folders(folder, left_out)
    different = [names[at] for at in sorted({*first_of_same_name(names)})]
    classes = tuple(name for name in different if name != COUNTER_EXAMPLES)
    for name in classes:
        if not name.isprintable() or name != name.strip():  # programs strip the lines of labels
            raise TeachingError(
                f"{folder} has the class {name!r}, which cannot be a label; rename the folder to "
                f"printable text without spaces around it."
            )
        if name.lower().replace("_", "-").replace(" ", "-") == COUNTER_EXAMPLES:
            raise TeachingError(
                f"{folder / name} would be a class; rename the folder to {COUNTER_EXAMPLES}, as "
                f"counter-examples are called."
            )
    if not 2 <= len(classes) <= MAX_CLASSES:
        found = f"{len(classes)} ({', '.join(classes)})" if classes else "none"
        raise TeachingError(
            f"Expected {folder} to hold one folder of photographs for each of 2 to "
            f"{MAX_CLASSES:,} classes, but found {found if len(classes) <= 2 else len(classes)}; "
            f"give each class a folder of its own, and name the folder above them."
        )
    photographs = _photographs(folder, names, classes, left_out)
    require_enough(photographs, folder)
    return photographs


def find_tests(
    folder: Path, classes: tuple[str, ...], left_out: Callable[[str], None]
) -> Photographs:
    """Find photographs that only judge a model; a class may have none of them.

    Args:
        folder: holds a folder for each class.
        classes: that the model knows. The folder of a name holds images of all classes of this
            name, and they get the index of the first.
        left_out: as in `find_photographs`.

    Raises:
        TeachingError: there are none, or a folder has the name of no class.
    """
    _require_folder(folder)
    names = _class_folders(folder, left_out)
    known = {COUNTER_EXAMPLES, *map(composed, classes)}
    for name in names:
        if composed(name) not in known:
            raise TeachingError(
                f"{folder / name} has the name of no class ({', '.join(classes[:10])}); rename the "
                f"folder or move it away."
            )
    found = _photographs(folder, names, classes, left_out)
    if not any(photograph.label >= 0 for photograph in found.photographs):
        raise TeachingError(
            f"Expected {folder} to hold photographs in folders named like the classes, but found "
            f"none."
        )
    return found


def require_enough(found: Photographs, folder: Path) -> None:
    """Refuse classes with fewer photographs than can be taught.

    Raises:
        TeachingError: a class has fewer.
    """
    for label, name in enumerate(found.classes):
        count = sum(photograph.label == label for photograph in found.photographs)
        if count < MIN_PHOTOGRAPHS:
            heic = any(is_heic(file) for _, _, files in os.walk(folder / name) for file in files)
            remedy = "save those in HEIC as JPEG" if heic else "add some"
            raise TeachingError(
                f"Expected {folder / name} to hold at least {MIN_PHOTOGRAPHS} photographs that can "
                f"be read, but found {count or 'none'}; {remedy}, or move the folder away."
            )


def _photographs(
    folder: Path, names: list[str], classes: tuple[str, ...], left_out: Callable[[str], None]
) -> Photographs:
    photographs: list[Photograph] = []
    unreadable: list[str] = []
    known = [composed(name) for name in classes]
    labels = {
        name: -1 if name == COUNTER_EXAMPLES else known.index(composed(name)) for name in names
    }
    for name, label in sorted(labels.items(), key=lambda pair: (pair[1] < 0, pair[1], pair[0])):
        for source in images_below(str(folder / name), left_out):
            if source.error is None:
                photographs.append(Photograph(source.name, label))
            else:
                unreadable.append(str(source.error))
    return Photographs(classes, tuple(photographs), tuple(unreadable))


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise TeachingError(f"{folder} {what}; expected a folder with one folder for each class.")


def _class_folders(folder: Path, left_out: Callable[[str], None]) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones are no classes."""
    try:
        entries = list(_entries(folder))
    except OSError as exc:
        raise TeachingError(
            f"{folder} cannot be searched ({exc.strerror}); check it and its permissions."
        ) from exc
    names = []
    for name, is_folder in entries:
        if is_folder:
            names.append(name)
        else:
            left_out(str(folder / name))
    return sorted(names)


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] != "." and not is_housekeeping(entry.name):
                is_folder = False
                with suppress(OSError):  # a link that leads to itself
                    is_folder = entry.is_dir()
                yield entry.name, is_folder
