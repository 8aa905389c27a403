"""Searching folders for images.

Only files with the suffix of an image count. What operating systems and network drives keep in
folders for themselves is never an image.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_runtime.errors import ImageError
from edge_runtime.inputs.names import Source

# Names of files and folders that hold no images of the user, in lower case.
_HOUSEKEEPING = frozenset(
    {
        # macOS
        *(".appledouble", ".apdisk", ".ds_store", ".documentrevisions-v100", ".fseventsd"),
        *(".localized", ".spotlight-v100", ".temporaryitems", ".trashes", "__macosx", "icon\r"),
        # Windows
        *("$recycle.bin", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "recycler"),
        *("system volume information", "thumbs.db"),
        # Linux
        *(".directory", ".nomedia", ".thumbnails", "lost+found"),
        # Synology and QNAP
        *("#recycle", "#snapshot", "@eadir", "@tmp", "@recycle", ".@__thumb"),
    }
)
_APPLE_DOUBLE = "._"  # macOS puts this before a file's name to keep the file's attributes


def is_housekeeping(name: str) -> bool:
    """Return whether an operating system or network drive keeps a file or folder for itself.

    Args:
        name: name of the file or folder, without the folders above it.
    """
    return name.startswith(_APPLE_DOUBLE) or name.lower() in _HOUSEKEEPING


def images_below(root: str, left_out: Callable[[str], None]) -> Iterator[Source]:
    """Yield the images in and below a folder, sorted.

    Links are followed, but no folder comes twice.

    Args:
        root: the folder.
        left_out: called with each file that has no suffix of an image.
    """
    from edge_runtime.inputs.decode import SUFFIXES

    search = _Search(root, lambda name: True)
    pending = [(root, True, False)]  # no recursion, because a tree may be too deep for it
    while pending:
        name, is_directory, linked = pending.pop()
        if not is_directory:
            if os.path.splitext(name)[1].lower() not in SUFFIXES:  # noqa: PTH122
                left_out(name)
            # A link to nowhere is reported when it is read.
            elif os.path.isfile(name) or not os.path.exists(name):  # noqa: PTH110, PTH113
                yield Source(name)
            continue
        try:
            found = search.entries(name, linked)
        except OSError as exc:
            error = ImageError(
                f"{name} cannot be searched ({exc.strerror}); check it and its permissions."
            )
            yield Source(name, error=error)
            continue
        # Leave "." out, as pathlib does.
        prefix = "" if name == "." else name.rstrip("/") + "/" if name.strip("/") else "/"
        pending += [(prefix + entry, kind, link) for entry, kind, link in reversed(found)]


def folders_below(root: str) -> Iterator[str]:
    """Yield a folder and all folders below it that are not hidden, each with a slash at its end.

    Links are followed, but no folder comes twice.

    Args:
        root: the folder with a slash at its end, or an empty string for the current one.
    """
    search = _Search(root or ".", lambda name: not name.startswith("."))
    pending = [(root, False)]
    while pending:
        folder, linked = pending.pop()
        try:
            found = search.entries(folder or ".", linked)
        except OSError:  # `glob` passes over it too
            continue
        yield folder
        pending += [(f"{folder}{name}/", linked) for name, is_folder, linked in found if is_folder]


class _Search:
    """Reads the folders of a tree, each of them once.

    A folder below the root comes under its own name, and one elsewhere under that of the first
    link to it. Links in a circle therefore end.
    """

    def __init__(self, root: str, enters: Callable[[str], bool]) -> None:
        self._enters = enters  # whether a folder of this name is searched
        self._root = os.path.realpath(root)
        self._seen = {self._root}  # the root, and folders that were reached through links

    def entries(self, folder: str, linked: bool) -> list[tuple[str, bool, bool]]:
        """Return what a folder holds, sorted, without housekeeping and folders not to enter.

        Args:
            folder: its path.
            linked: whether the path leads through a link below the root.

        Returns:
            name, whether it is a folder, and whether its path leads through a link.

        Raises:
            OSError: the folder cannot be searched.
        """
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_housekeeping(entry.name):
                    continue
                through_link = linked
                try:
                    is_folder = entry.is_dir()
                except OSError:  # a link in a circle, or into a folder without permission
                    found.append((entry.name, True, linked))  # searching it gives the error
                    continue
                if is_folder:
                    through_link = linked or _is_link(entry)
                    if not self._enters(entry.name) or (through_link and self._known(entry.path)):
                        continue
                found.append((entry.name, is_folder, through_link))
        return sorted(found)

    def _known(self, path: str) -> bool:
        """Return whether a folder is or will be found under another name; note it otherwise."""
        real = os.path.realpath(path)
        if real in self._seen:
            return True
        below = os.path.join(self._root, "")  # noqa: PTH118 - it ends in one separator
        if real.startswith(below):
            names = Path(real[len(below) :]).parts
            if all(self._enters(name) and not is_housekeeping(name) for name in names):
                return True
        self._seen.add(real)
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    is_junction = getattr(entry, "is_junction", None)  # Windows, Python 3.12
    return entry.is_symlink() or bool(is_junction and is_junction())
