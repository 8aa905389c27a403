"""`Classifier`: the public face of the runtime."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import StreamError
from edge_runtime.inference.model import Model
from edge_runtime.inference.options import require
from edge_runtime.results import Frame, Result

if TYPE_CHECKING:
    from edge_runtime.inference.preprocessing import ImageLike


class Classifier(Model):
    """A model that also takes batches of images, cameras and videos.

    Attributes and arguments are those of `edge_runtime.inference.model.Model`.
    """

    def classify_batch(self, images: Iterable[ImageLike], *, top_k: int = 1) -> list[Result]:
        """Classify several images and return their results in order.

        If all images are files or URLs, and there are at least 64, several processes share them, as
        `processes` says. Fewer images are done before a second process has started.

        Args:
            images: as for `classify`.

        Returns:
            A result for each image. If an image cannot be read, or the model fails on it, the
            result has an `error`.

        Raises:
            ValueError: `images` is a single name, `top_k` is not positive, or the classifier is
                closed.
        """
        require("images", not isinstance(images, (str, bytes)), "a list of images", images)
        images = list(images)
        if self.closed:
            raise ValueError("The classifier is closed.")
        from edge_runtime.jobs.files import classify_files, classify_images

        if self.processes == 1 or not all(isinstance(image, (str, Path)) for image in images):
            return list(classify_images(self, images, top_k=top_k))
        from edge_runtime.inputs.names import Source

        sources = (Source(str(image)) for image in images)
        return [result for _, result in classify_files(self, sources, top_k=top_k)]

    def stream(
        self,
        source: str | Path,
        *,
        top_k: int = 1,
        max_frames: int | None = None,
        duration_s: float | None = None,
        every: int = 1,
    ) -> Iterator[Frame]:
        """Yield the frames of a camera or video with their classes.

        Args:
            source: `camera:0`, a video file, or if `allow_urls` is true, a video's URL or an
                rtsp:// or http:// stream.
            top_k: how many classes a frame gets.
            max_frames: stop after this many results.
            duration_s: stop after this many seconds.
            every: classify every Nth frame.

        Raises:
            StreamError: the source is a URL that is not allowed, cannot be opened, or is lost for
                good; see `edge_runtime.jobs.stream.classify_stream`.
            ModelError: the model fails on a frame.
            ValueError: `every` or `max_frames` is not positive.
        """
        from edge_runtime.inputs.names import is_remote
        from edge_runtime.inputs.urls import shown
        from edge_runtime.jobs.stream import classify_stream

        source = str(source)
        if is_remote(source) and not self.allow_urls:
            raise StreamError(
                f"{shown(source)} is a URL, which this classifier does not open; "
                f"pass allow_urls=True to allow it."
            )
        return classify_stream(
            self, source, top_k=top_k, max_frames=max_frames, duration_s=duration_s, every=every
        )
