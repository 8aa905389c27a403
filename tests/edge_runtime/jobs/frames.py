"""Frames whose colour tells their number."""

import numpy as np

COLOURS = ("red", "green", "blue")


def colour(number: int) -> str:
    """What a made-up source shows in a frame, numbered from 1."""
    return COLOURS[(number - 1) % 3]


def picture(number: int, side: int = 4) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[..., COLOURS.index(colour(number))] = 255
    return image
