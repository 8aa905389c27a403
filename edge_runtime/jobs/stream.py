"""The frames of cameras and videos.

Live sources yield the newest frame; older frames are dropped and counted. A thread reads frames as
fast as they come and keeps only the last one. So a slow model sees fresh frames, and memory does
not grow. A video that has an end is read frame by frame. A live source that is lost is
opened again, after growing pauses. Only `edge_runtime.inputs.opencv` imports OpenCV.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from edge_runtime.errors import StreamError
from edge_runtime.inputs.urls import shown
from edge_runtime.results import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.model import Model

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0


class Capture(Protocol):
    """Where frames come from; `edge_runtime.inputs.opencv` has the one through OpenCV.

    Attributes:
        live: whether frames come as time passes, unlike those of a video, which has an end.
        damaged: whether frames could not be read and were passed over.
    """

    live: bool
    damaged: bool

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, uint8 (H, W, 3), RGB, 0-255, or None after the last one."""

    def close(self) -> None:
        """Release the device."""


def classify_stream(
    model: Model,
    source: str,
    *,
    top_k: int = 1,
    max_frames: int | None = None,
    duration_s: float | None = None,
    every: int = 1,
    retry_s: float = 300.0,
    report: Callable[[str], None] | None = None,
    open_capture: Callable[[str], Capture] | None = None,
) -> Iterator[Frame]:
    """Yield the frames of a camera or video with their classes.

    Args:
        source: `camera:0`, a video file or its URL, or an rtsp:// or http:// stream.
        top_k: how many classes a frame gets.
        max_frames: stop after this many results.
        duration_s: stop after this many seconds.
        every: classify every Nth frame.
        retry_s: for how many seconds a lost live source is opened again.
        report: called with a sentence when the source is lost, and when it is back.
        open_capture: opens a source; None stands for OpenCV.

    Raises:
        StreamError: the source cannot be opened, gives no frame or fewer than `every`, or stays
            lost for `retry_s`. It is also raised after the last frame of a video if other frames
            cannot be decoded.
        ModelError: the model fails on a frame.
        ValueError: `every` or `max_frames` is not positive.
    """
    for name, value in (("every", every), ("max_frames", max_frames)):
        if value is not None and value < 1:
            raise ValueError(f"Expected `{name}` to be at least 1, but got {value}.")
    if open_capture is None:
        from edge_runtime.inputs.opencv import open_capture as with_opencv

        open_capture = partial(with_opencv, timeout_s=duration_s)
    end = None if duration_s is None else time.monotonic() + duration_s
    reader = _Reader(source, open_capture, retry_s=retry_s, report=report)
    last = results = 0
    try:
        while max_frames is None or results < max_frames:
            got = reader.next(last + every, end)
            if got is None:
                if not results and 0 < reader.frames < every:
                    raise StreamError(
                        f"{shown(source)} has {reader.frames} frames, so none was due with every "
                        f"{every}th; give a smaller number."
                    )
                return
            number, captured_at, read_at, image = got
            result = model.classify(image, top_k=top_k)
            yield Frame(
                predictions=result.predictions,
                accepted=result.accepted,
                model=result.model,
                frame=number,
                captured_at=captured_at,
                age_ms=1000 * (time.monotonic() - read_at),  # the clock may be set meanwhile
                dropped=number - last - every,
            )
            last = number
            results += 1
    finally:
        reader.stop()


class _Read(NamedTuple):
    """A frame that was read: its number, when (since the epoch, and monotonic), and its pixels."""

    number: int
    captured_at: float
    read_at: float
    image: NDArray[np.uint8]


class _Reader:
    """Reads frames in a thread and keeps the newest.

    Attributes:
        frames: how many frames were read.
    """

    def __init__(
        self,
        source: str,
        open_capture: Callable[[str], Capture],
        *,
        retry_s: float,
        report: Callable[[str], None] | None,
    ) -> None:
        self._source, self._open = source, open_capture
        self._name = shown(source)
        self._retry_s = retry_s
        self._report = report or (lambda sentence: None)
        self._changed = Condition()
        self._latest: _Read | None = None
        self._wanted = 1  # the frame of a video that the caller waits for
        self.frames = 0
        self._stopped = False
        self._error: BaseException | None = None
        self._capture: Capture | None = open_capture(source)  # raises if there is no source
        self._live = self._capture.live
        self._thread = Thread(target=self._run, daemon=True, name="edge-stream")
        self._thread.start()

    def next(self, number: int, end: float | None) -> _Read | None:
        """Return the newest frame once its number is at least `number`, or None at the end."""

        def ready() -> bool:
            return self._stopped or (self._latest is not None and self._latest[0] >= number)

        with self._changed:
            self._wanted = number
            self._changed.notify_all()
            timeout = None if end is None else max(0.0, end - time.monotonic())
            in_time = self._changed.wait_for(ready, timeout)
            if not in_time or (end is not None and time.monotonic() >= end):
                return None
            if self._latest is not None and self._latest[0] >= number:
                return self._latest
            if self._error is not None:
                raise self._error
            return None

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(timeout=5)  # a device that hangs must not hang the caller

    def _run(self) -> None:
        try:
            self._read_all()
        except BaseException as exc:  # `next` raises it in the caller's thread
            self._error = exc
        finally:
            self._close()
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _read_all(self) -> None:
        number = 0
        while not self._stopped:
            image = None if self._capture is None else self._capture.read()
            if image is None and self._live:
                image = self._read_again()
            if image is None:
                if not (number or self._stopped):
                    raise StreamError(f"{self._name} gives no frame; save it in another format.")
                if self._capture is not None and self._capture.damaged:
                    raise StreamError(
                        f"{self._name} is damaged: some frames cannot be decoded. The others "
                        f"were classified; copy the video again, or save it in another format."
                    )
                return
            number += 1
            self.frames = number
            with self._changed:
                while not (self._live or self._stopped or number <= self._wanted):
                    self._changed.wait()
                self._latest = _Read(number, time.time(), time.monotonic(), image)
                self._changed.notify_all()

    def _read_again(self) -> NDArray[np.uint8] | None:
        """Open a lost source again and return its first frame, or None if the caller stops."""
        self._report(f"{self._name} is lost; it is opened again when it is back.")
        lost_at = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            self._close()
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, pause_s)
            if self._stopped:
                return None
            reason = None
            try:
                self._capture = self._open(self._source)
                image = self._capture.read()
            except StreamError as exc:
                image, reason = None, exc
            if image is not None:
                self._report(f"{self._name} is back.")
                return image
            if time.monotonic() - lost_at > self._retry_s:
                raise StreamError(
                    f"{self._name} was lost and did not come back in {self._retry_s:g} s; "
                    f"check its cable or address."
                ) from reason
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _close(self) -> None:
        capture: Any = self._capture
        self._capture = None
        if capture is not None:
            capture.close()
