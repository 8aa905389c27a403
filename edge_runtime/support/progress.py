"""Progress of a long job: a bar on a terminal, and a summary at the end."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TextIO

_EVERY_S = 0.1
_WIDTH = 24


class Progress:
    """Counts images, and shows a bar with rate and remaining time if there is a terminal.

    Attributes:
        classified: number of images with predictions.
        failed: number of images with an error.
        asked: number of images about which a second model was asked.
    """

    def __init__(
        self, total: int | None = None, stream: TextIO | None = None, *, second: str | None = None
    ) -> None:
        """Start the clock.

        Args:
            total: number of all images, if it is known.
            stream: terminal that shows the bar; None for no bar.
            second: name of the second model, if there is one.
        """
        self.classified = self.failed = self.asked = 0
        self._second = second
        self._total = total
        self._stream = stream
        self._started = time.monotonic()
        self._shown = self._started

    def count(self, images: int, *, failed: int, asked: int = 0) -> None:
        """Count images and redraw the bar if it is time.

        Args:
            images: how many there are.
            failed: how many of them have an error.
            asked: about how many of them a second model was asked.
        """
        self.failed += failed
        self.asked += asked
        self.classified += images - failed
        if self._stream is not None:
            now = time.monotonic()
            if now - self._shown >= _EVERY_S:
                self._shown = now
                show_line(self.bar(now - self._started), self._stream)

    def clear(self) -> None:
        """Erase the bar, so that something else can be printed."""
        show_line("", self._stream)

    def bar(self, elapsed_s: float) -> str:
        """Return the bar for the images counted so far.

        Args:
            elapsed_s: seconds since the start.
        """
        done = self.classified + self.failed
        rate = done / elapsed_s if elapsed_s > 0 else 0.0
        if not self._total:
            return f"{done:,} images, {rate:,.0f} images/s"
        filled = min(_WIDTH, _WIDTH * done // self._total)
        left_s = (self._total - done) / rate if rate else 0.0
        return (
            f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done:,}/{self._total:,} "
            f"{rate:,.0f} images/s, {int(left_s) // 60}:{int(left_s) % 60:02} left"
        )

    def summary(self) -> str:
        """Return the line that ends the job: images classified, images failed, and the rate.

        If there is a second model, it also says for how many of the classified it was asked.
        """
        elapsed_s = time.monotonic() - self._started
        rate = (self.classified + self.failed) / elapsed_s if elapsed_s > 0 else 0.0
        line = f"{self.classified:,} classified, {self.failed:,} failed, {rate:,.1f} images/s"
        if self._second is None:
            return line
        share = self.asked / max(self.classified, 1)
        return f"{line}, {self._second} asked about {share:.1%}"


def show_line(text: str, stream: TextIO | None) -> None:
    """Replace the current line of a terminal; without a terminal (None), do nothing."""
    if stream is not None:
        with suppress(OSError):  # the terminal may have been closed
            stream.write(f"\r\033[K{text}")
            stream.flush()


def terminal() -> TextIO | None:
    """Return standard error if it is a terminal, otherwise None."""
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
