"""The views of an image whose scores are averaged.

They have a fixed order:

    1     the image as `Preprocessing.fit` says
    2, 3  its middle: the centre crop of 80 % and of 60 % of the largest one's sides
    4     the whole image stretched; if that is the first view, the largest centre crop instead
    5-8   the mirrors (left and right swapped) of views 1 to 4

Views 2 to 4 are taken only of images at least `LARGE` times as high and wide as the model's input,
so that no view is enlarged. View 4 is left out if the image has the input's proportions, because it
would equal the first. What an image lacks is not replaced: a number means the same view for
every image.
"""

from __future__ import annotations

from typing import NamedTuple

MOST = 8
LARGE = 2
SMALLEST = 0.6
_MIDDLES = (0.8, SMALLEST)  # of the sides of the largest centre crop
_PLAIN = 2 + len(_MIDDLES)  # views that are no mirrors


class View(NamedTuple):
    """A view, apart from mirroring.

    Attributes:
        number: its place in the order, from 1.
        fit: one of `edge_runtime.inputs.resize.FITS`.
        part: share of the sides of the largest centre crop, 0-1; for `crop`.
    """

    number: int
    fit: str
    part: float = 1.0

    @property
    def mirror(self) -> int:
        """The number of its mirror."""
        return self.number + _PLAIN


def plain_views(
    image: tuple[int, int], model: tuple[int, int], fit: str, count: int, *, large: int = LARGE
) -> tuple[View, ...]:
    """Return which of the first `count` views an image has, without mirrors.

    Args:
        image: its height and width in pixels.
        model: height and width of the model's input.
        fit: how the model's images are made to fit.
        count: 1 to `MOST`.
        large: replaces `LARGE`.
    """
    views = [View(1, fit)]
    if min(image[0] / model[0], image[1] / model[1]) >= large:
        views += [View(number, "crop", part) for number, part in enumerate(_MIDDLES, 2)]
        if image[0] * model[1] != image[1] * model[0]:
            views.append(View(_PLAIN, "crop" if fit == "stretch" else "stretch"))
    return tuple(view for view in views if view.number <= count)
