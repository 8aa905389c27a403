"""The frames of cameras and videos: of a live one the latest wins, and nobody waits.

A thread reads frames as fast as they come and keeps the last one only, so that a slow model sees
fresh frames and memory does not grow; what it passed over is counted. A video that has an end is
read frame by frame. A live source that is lost is opened again, with growing pauses. OpenCV is
`edge_runtime.inputs.opencv`'s alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edge_runtime.classifier import Prediction
from edge_runtime.errors import StreamError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.classifier import Classifier

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One classified frame."""

    frame: int  # its number, from 1, of all that the source gave
    captured_at: float  # when it was read, seconds since the epoch
    age_ms: float  # how old it was when its classes were known
    dropped: int  # frames passed over since the last result, besides those that `every` skips
    predictions: list[Prediction]


class Capture(Protocol):
    """Where frames come from; `edge_runtime.inputs.opencv` has OpenCV's.

    Attributes:
        live: whether they come as time passes, and not from a video, which has an end.
        damaged: whether some could not be read, and were passed over.
    """

    live: bool
    damaged: bool

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, uint8 (H, W, 3), RGB, or None where there is none any more."""

    def close(self) -> None:
        """Let the device go."""


def classify_stream(
    classifier: Classifier,
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
        max_frames: stop after so many results.
        duration_s: stop after so long.
        every: classify each so manieth frame only.
        retry_s: how long a lost live source is tried again.
        report: gets a sentence when the source is lost, and when it is back.
        open_capture: what opens a source; OpenCV if None.

    Raises:
        StreamError: the source cannot be opened, gives no frame, stays lost for `retry_s`, or is a
            video some of whose frames cannot be decoded; then the others have been yielded.
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
                return
            number, captured_at, image = got
            predictions = classifier.classify(image, top_k=top_k)
            age_ms = 1000 * (time.time() - captured_at)
            yield Frame(number, captured_at, age_ms, number - last - every, predictions)
            last = number
            results += 1
    finally:
        reader.stop()


class _Reader:
    """Reads frames in a thread and keeps the latest."""

    def __init__(
        self,
        source: str,
        open_capture: Callable[[str], Capture],
        *,
        retry_s: float,
        report: Callable[[str], None] | None,
    ) -> None:
        self._source, self._open = source, open_capture
        self._retry_s = retry_s
        self._report = report or (lambda sentence: None)
        self._changed = Condition()
        self._latest: tuple[int, float, NDArray[np.uint8]] | None = None
        self._wanted = 1  # of a video, the frame that the caller waits for
        self._stopped = False
        self._error: BaseException | None = None
        self._capture: Capture | None = open_capture(source)  # not to be there is an error
        self._live = self._capture.live
        self._thread = Thread(target=self._run, daemon=True, name="edge-stream")
        self._thread.start()

    def next(self, number: int, end: float | None) -> tuple[int, float, NDArray[np.uint8]] | None:
        """Return the latest frame once its number is at least `number`, None when all is over."""

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
        self._thread.join(timeout=5)  # a device that hangs is left to the system

    def _run(self) -> None:
        try:
            self._read_all()
        except BaseException as exc:  # it is the caller's
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
                    raise StreamError(f"{self._source} gives no frame; save it in another format.")
                if self._capture is not None and self._capture.damaged:
                    raise StreamError(
                        f"{self._source} is damaged: some of its frames cannot be decoded. The "
                        f"others were classified; copy it again, or save it in another format."
                    )
                return
            number += 1
            with self._changed:
                while not (self._live or self._stopped or number <= self._wanted):
                    self._changed.wait()
                self._latest = (number, time.time(), image)
                self._changed.notify_all()

    def _read_again(self) -> NDArray[np.uint8] | None:
        """Open a source that was lost, and return its first frame; None when all is over."""
        self._report(f"{self._source} is lost; it is opened again as soon as it is back.")
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
                self._report(f"{self._source} is back.")
                return image
            if time.monotonic() - lost_at > self._retry_s:
                raise StreamError(
                    f"{self._source} was lost and did not come back in {self._retry_s:g} s; "
                    f"check its cable or address."
                ) from reason
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _close(self) -> None:
        capture: Any = self._capture
        self._capture = None
        if capture is not None:
            capture.close()
