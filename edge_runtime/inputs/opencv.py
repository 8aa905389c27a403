"""Frames of cameras and videos through OpenCV, extra `camera`; no other file imports OpenCV."""

from __future__ import annotations

import os
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StreamError
from edge_runtime.inputs.names import is_file, is_remote
from edge_runtime.inputs.urls import is_url, shown, with_login
from edge_runtime.support import native_log

_TIMEOUT_MS = 10_000
_MOST_IN_A_ROW = 1000  # undecodable frames of a video in a row, after which it counts as over
# Containers may overstate the number of frames by this fraction, because some only estimate it.
_OVERSTATED = 0.1


def open_capture(source: str, *, timeout_s: float | None = None) -> OpenCv:
    """Open a camera or video.

    Args:
        source: `camera:0`, the path or URL of a video, or an rtsp:// or http:// stream.
        timeout_s: seconds to wait for a server; at most 10, which is also the default.

    Raises:
        StreamError: OpenCV is not installed, there is no such file, or OpenCV cannot open the
            source in time.
    """
    longest_s = _TIMEOUT_MS / 1000
    return OpenCv(source, longest_s if timeout_s is None else min(timeout_s, longest_s))


class OpenCv:
    """An open camera or video.

    Attributes:
        live: whether frames come as time passes. A video is not live, even on a server, because
            it has a number of frames.
        damaged: whether frames of a video could not be decoded and were skipped.
    """

    def __init__(self, source: str, timeout_s: float) -> None:
        # Otherwise FFmpeg prints messages of its own.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        try:
            import cv2
        except ImportError as exc:
            raise StreamError(
                "Cameras and videos need OpenCV; pip install 'edge-classify[camera]'."
            ) from exc
        self._cv2 = cv2
        with native_log.dropped():
            self._capture = self._opened(source, timeout_s)
        if self._capture is None or not self._capture.isOpened():
            raise StreamError(f"{shown(source)} cannot be opened; check {_what_to_check(source)}.")
        announced = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.live = not is_file(source) and announced <= 0
        self.damaged = False
        self._announced, self._asked = 0.0 if self.live else announced, 0

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, uint8 (H, W, 3), RGB, 0-255, or None after the last one."""
        failed = 0
        while True:
            there, frame = self._capture.read()
            self._asked += 1
            if there and frame is not None:
                break
            failed += 1
            if self._asked >= self._announced or failed >= _MOST_IN_A_ROW:
                # The last failure is the end of the video, not damage.
                self.damaged |= failed - 1 > _OVERSTATED * self._announced
                return None
        self.damaged |= failed > 0
        code = self._cv2.COLOR_GRAY2RGB if frame.ndim == 2 else self._cv2.COLOR_BGR2RGB
        image: NDArray[np.uint8] = self._cv2.cvtColor(frame, code)
        return image

    def close(self) -> None:
        """Release the camera or file."""
        with native_log.dropped():
            self._capture.release()

    def _opened(self, source: str, timeout_s: float) -> Any:
        """Return OpenCV's capture, or None if there is no such file or the time is over."""
        cv2 = self._cv2
        if source.lower().startswith("camera:"):
            number = source.partition(":")[2]
            try:
                return cv2.VideoCapture(int(number) if number.isdecimal() else number)
            except (cv2.error, OverflowError):  # a number far beyond any camera's
                return cv2.VideoCapture()
        if is_remote(source):
            return self._opened_in_time(source, timeout_s)
        # FFmpeg would take a name such as ftp://host/clip.mp4 for an address, but no full path.
        path = os.path.abspath(source)  # noqa: PTH100 - unlike Path.resolve, it keeps links
        return cv2.VideoCapture(path, cv2.CAP_FFMPEG) if os.path.exists(path) else None  # noqa: PTH110

    def _opened_in_time(self, url: str, timeout_s: float) -> Any:
        """Open a URL in a thread, because FFmpeg's own limit does not end the look-up of a name."""
        cv2 = self._cv2
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            max(1, round(1000 * timeout_s)),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _TIMEOUT_MS,
        ]
        address = with_login(url) if is_url(url) else url
        outcome: SimpleQueue[Any] = SimpleQueue()

        def run() -> None:
            outcome.put(cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts))

        Thread(target=run, daemon=True, name="edge-open").start()
        try:
            return outcome.get(timeout=timeout_s)
        except Empty:
            return None


def _what_to_check(source: str) -> str:
    if source.lower().startswith("camera:"):
        return "its number and its cable"
    if is_remote(source):
        return "its address and the network"
    return "the file" if os.path.exists(source) else "its name"  # noqa: PTH110
