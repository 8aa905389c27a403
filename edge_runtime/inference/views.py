"""The views of an image whose scores are averaged.

They have a fixed order:

    1    the image as `Preprocessing.fit` says
    2    its middle: the centre crop of 80 % of the sides of the largest one
    3    the whole image stretched; if that is the first view, the largest centre crop instead
    4    the centre crop of 60 %
    5-8  the mirrors (left and right swapped) of views 1 to 4

A smaller image than `LARGE` times the model's input has only the views 1 and 5, so that no view is
enlarged. If the image has the input's proportions, view 3 is the first again. It counts all the
same: without it the middles would outweigh the whole, and images that their object fills would lose
accuracy.
"""

from __future__ import annotations

from typing import NamedTuple

PLAIN = 4  # views that are no mirrors
MOST = 2 * PLAIN
LARGE = 2
SMALLEST = 0.6  # of the parts, see `View.part`


class View(NamedTuple):
    """A view that is no mirror.

    Attributes:
        fit: one of `edge_runtime.inputs.resize.FITS`.
        part: share of the sides of the largest centre crop, 0-1; for `crop`.
    """

    fit: str
    part: float = 1.0


def plain_views(
    image: tuple[int, int], model: tuple[int, int], fit: str, *, large: int = LARGE
) -> tuple[View, ...]:
    """Return the views of an image in their order, without mirrors.

    Args:
        image: its height and width in pixels.
        model: height and width of the model's input.
        fit: how the model's images are made to fit.
        large: replaces `LARGE`.
    """
    if min(image[0] / model[0], image[1] / model[1]) < large:
        return (View(fit),)
    whole = "crop" if fit == "stretch" else "stretch"
    return View(fit), View("crop", 0.8), View(whole), View("crop", SMALLEST)
