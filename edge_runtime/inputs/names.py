"""The names that a user gives to inputs: files, folders, patterns, `-`, URLs, cameras and videos.

Owns how these kinds are told apart. `edge_runtime.inputs.listing` expands names to images;
`edge_runtime.jobs.stream` reads the frames of cameras and videos.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edge_runtime.errors import ImageError

STANDARD_INPUT = "-"
_CAMERAS = ("camera:", "rtsp://", "rtsps://")
_VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m1v", ".m2ts", ".m2v", ".m4v"),
    *(".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
    *(".qt", ".ts", ".vob", ".webm", ".wmv"),
)
_MOTION_JPEG = (".mjpeg", ".mjpg")  # a camera, if a server has it
_WEB = ("http://", "https://")


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


def is_url(name: str) -> bool:
    """Return whether a name is an http(s) address."""
    return name.lower().startswith(_WEB)


def is_file(name: str) -> bool:
    """Return whether the name of a camera or video is that of a file."""
    return not (_is_camera(name) or is_url(name))


def is_video(name: str) -> bool:
    """Return whether a name ends in a video's suffix."""
    return name.lower().endswith(_VIDEO_SUFFIXES)


def is_pattern(name: str) -> bool:
    """Return whether a name is a glob pattern, and no file has that very name."""
    return not os.path.lexists(name) and any(c in name for c in "*?[")


def is_stream(name: str) -> bool:
    """Return whether a name is that of a camera or video.

    If a URL has neither an image's nor a video's suffix, this asks its server.
    """
    if _is_camera(name):
        return True
    if not is_url(name):
        return is_video(name) and not (os.path.isdir(name) or is_pattern(name))  # noqa: PTH112
    if is_video(name):
        return True
    from edge_runtime.inputs.decode import SUFFIXES

    if os.path.splitext(name.partition("?")[0])[1].lower() in SUFFIXES:  # noqa: PTH122
        return False
    from edge_runtime.inputs.http import serves_frames

    return serves_frames(name)


def gives_the_same_again(name: str) -> bool:
    """Return whether a stream has the same frames each time: a video has, a camera has not."""
    if _is_camera(name):
        return False
    return is_file(name) or (is_video(name) and not name.lower().endswith(_MOTION_JPEG))


def _is_camera(name: str) -> bool:
    return name.lower().startswith(_CAMERAS)
