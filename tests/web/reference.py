"""Writes `web/test/reference.json`: results of the Python runtime that the page must equal.

    python -m tests.web.reference

The unit tests of the page (`npm test` in `web/`) compare the page's code with this file, and
`test_reference.py` compares the file with the runtime.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.inference.quantization import Quantization, pixel_table
from edge_runtime.inputs.resize import fit
from tests.conftest import ROOT

PATH = ROOT / "web" / "test" / "reference.json"

# (width, height) of the image, then of the network's input. Pillow 13 resizes some tall images in
# another order, so there are none with more than twice the height.
SIZES = {
    "shrinks a wide image": ((61, 40), (8, 8)),
    "shrinks a tall image": ((33, 47), (8, 8)),
    "enlarges an image": ((5, 6), (12, 12)),
    "crops an image of the right height": ((20, 8), (8, 8)),
    "keeps an image of the right size": ((8, 8), (8, 8)),
    "has an input that is not square": ((50, 50), (12, 6)),
}
# Mean, std, scale and zero point of uint8 inputs. The last ones round many values that end in .5.
TABLES = (
    ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), 1 / 255, 0),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 0.0186, 114),
    ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), 1 / 128, 128),
    ((0.0, 1.0, 2.0), (2.0, 2.0, 2.0), 1.0, 0),
    ((128.0, 128.0, 128.0), (0.5, 1.0, 4.0), 1.0, 128),
)


def reference() -> dict[str, Any]:
    """Return the content of the file, computed by the runtime."""
    random = np.random.default_rng(0)
    images = []
    for name, ((width, height), (out_width, out_height)) in SIZES.items():
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        pixels[: height // 2, : width // 2] = 255  # overshoots of the filter are clipped
        images.append(
            {
                "name": name,
                "width": width,
                "height": height,
                "rgb": _base64(pixels),
                "outWidth": out_width,
                "outHeight": out_height,
                "fitted": _base64(fit(Image.fromarray(pixels), out_height, out_width)),
            }
        )
    tables = []
    for mean, std, scale, zero_point in TABLES:
        quantization = Quantization(scale, zero_point)
        table = pixel_table(quantization, np.dtype(np.uint8), mean=mean, std=std)
        values = np.arange(256) if table is None else table
        tables.append(
            {
                "mean": mean,
                "std": std,
                "scale": scale,
                "zeroPoint": zero_point,
                "table": np.broadcast_to(values.reshape(256, -1), (256, 3)).T.tolist(),
            }
        )
    return {"images": images, "tables": tables}


def text() -> str:
    """Return the file's text."""
    return json.dumps(reference()) + "\n"


def _base64(pixels: np.ndarray) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


if __name__ == "__main__":
    PATH.write_text(text())
