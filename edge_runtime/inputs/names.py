"""The names that a user gives to inputs: files, folders, patterns, `-`, URLs, cameras and videos.

Owns how these kinds are told apart. `edge_runtime.inputs.listing` expands names to images;
`edge_runtime.jobs.stream` reads the frames of cameras and videos.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.inputs.urls import is_url, suffix_of

if TYPE_CHECKING:
    from edge_runtime.errors import ImageError
    from edge_runtime.inputs.http import Kind

STANDARD_INPUT = "-"
_RTSP = ("rtsp://", "rtsps://")
_CAMERAS = ("camera:", *_RTSP)
_VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m1v", ".m2ts", ".m2v", ".m4v"),
    *(".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
    *(".qt", ".ts", ".vob", ".webm", ".wmv"),
)
_MOTION_JPEG = (".mjpeg", ".mjpg")  # a camera, if a server has it


class Source(NamedTuple):
    """One image that a name stands for, or the reason why there is none.

    Attributes:
        name: path or URL of the image.
        content: bytes of the image file if they were read already, such as from standard input.
        error: why there is no image of that name.
    """

    name: str
    content: bytes | None = None
    error: ImageError | None = None


def is_file(name: str) -> bool:
    """Return whether the name of a camera or video is that of a file."""
    return not (_is_camera(name) or is_url(name))


def is_remote(name: str) -> bool:
    """Return whether the name of a camera or video is an address in the network."""
    return is_url(name) or name.lower().startswith(_RTSP)


def is_video(name: str) -> bool:
    """Return whether a name ends in a video's suffix; of a URL, its path."""
    return (suffix_of(name) if is_url(name) else name.lower()).endswith(_VIDEO_SUFFIXES)


def is_heic(name: str) -> bool:
    """Return whether a file has the suffix of HEIC, in which telephones save photographs."""
    return name.lower().endswith((".heic", ".heif"))


def is_pattern(name: str) -> bool:
    """Return whether a name is a glob pattern, and no file has that very name."""
    return not os.path.lexists(name) and any(c in name for c in "*?[")


def is_stream(name: str) -> bool:
    """Return whether a name is that of a camera or video.

    If the path of a URL has neither an image's nor a video's suffix, this asks its server.
    """
    if _is_camera(name):
        return True
    if is_url(name):
        return _kind_of(name) != "image"
    return is_video(name) and not (os.path.isdir(name) or is_pattern(name))  # noqa: PTH112


def gives_the_same_again(name: str) -> bool:
    """Return whether a stream has the same frames each time: a video has, a camera has not.

    If the path of a URL has neither an image's nor a video's suffix, this asks its server.
    """
    if _is_camera(name):
        return False
    return is_file(name) or _kind_of(name) == "video"


def is_told_by_path(url: str) -> bool:
    """Return whether the path of a URL says whether it is an image or a video."""
    from edge_runtime.inputs.decode import SUFFIXES

    suffix = suffix_of(url)
    return suffix in SUFFIXES or suffix in _VIDEO_SUFFIXES


def _kind_of(url: str) -> Kind:
    if not is_told_by_path(url):
        return _served_kind(url)
    if not is_video(url):
        return "image"
    return "live" if suffix_of(url) in _MOTION_JPEG else "video"


@lru_cache(maxsize=4096)  # callers ask again, and a server needs to be asked once
def _served_kind(url: str) -> Kind:
    from edge_runtime.inputs.http import served_kind

    return served_kind(url)


def _is_camera(name: str) -> bool:
    return name.lower().startswith(_CAMERAS)
