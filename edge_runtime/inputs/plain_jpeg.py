"""Small JPEG files that hold pixels and little else, as most programs for data sets write them.

Pillow's parser, which keeps all that a JPEG may hold, takes a quarter as long as decoding so few
pixels. Here Pillow's decoder gets the pixels at once. Whatever is not as plain as this, or damaged,
is left to the parser.
"""

from __future__ import annotations

from numbers import Rational

from PIL import Image

from edge_runtime.inputs.convert import upright_rgb

# With these bounds, decoding takes far less than `limits.MAX_BYTES`, also from several scans.
MAX_FILE_BYTES = 1 << 18
_MAX_PIXELS = 1 << 20
_START = b"\xff\xd8\xff"
_FRAMES = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended, progressive; Huffman codes
_SCAN = 0xDA
_EXIF = 0xE1
# Segments without a say in the pixels, or in which the decoder itself finds errors: by marker, what
# their data starts with, and how many bytes Pillow's parser takes for granted.
_SKIPPED = {
    0xC4: (b"", 0),  # Huffman tables
    0xDB: (b"", 0),  # quantization tables
    0xDD: (b"", 0),  # restart interval
    0xE0: (b"JFIF\0", 14),
    0xE2: (b"ICC_PROFILE\0", 14),
    0xEE: (b"Adobe", 12),
    0xFE: (b"", 0),  # comment
}
_MODES = {1: "L", 3: "RGB"}  # by the number of components
_SCALES = (8, 4, 2)
_X_RESOLUTION = 0x011A  # EXIF


def plain_jpeg(content: bytes, at_least: tuple[int, int] | None = None) -> Image.Image | None:
    """Return a JPEG as upright RGB if the file is small and plain, otherwise None.

    Args:
        content: of a file of any kind.
        at_least: height and width in pixels that suffice, as in `decode.decode`.
    """
    if not content.startswith(_START) or len(content) > MAX_FILE_BYTES:
        return None
    found = _header(content)
    if found is None:
        return None
    mode, (width, height), exif = found
    scale = 1
    if at_least is not None:  # the rule of Pillow's `draft`
        longest = max(at_least)
        times = min(width // longest, height // longest)
        scale = next((scale for scale in _SCALES if scale <= times), 1)
    size = -(-width // scale), -(-height // scale)
    image = Image.new(mode, size, None)
    try:
        image.frombytes(content, "jpeg", (mode, "", scale, 0))
    except ValueError:  # damaged
        return None
    if exif:
        image.info["exif"] = exif
        if not _is_sound(image):
            return None
        return upright_rgb(image, "")
    return image if mode == "RGB" else image.convert("RGB")


def _header(content: bytes) -> tuple[str, tuple[int, int], bytes] | None:
    """Return a JPEG's mode, width and height, and EXIF data, or None if it is not plain."""
    frame = exif = b""
    start = 2
    while start + 4 <= len(content) and content[start] == 0xFF:
        marker = content[start + 1]
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4])
        if end < start + 4 or end > len(content):
            return None
        if marker == _SCAN:
            break
        data = content[start + 4 : end]
        if marker in _SKIPPED:
            first, least = _SKIPPED[marker]
            if not data.startswith(first) or len(data) < least:
                return None
        elif marker in _FRAMES and not frame:
            frame = data
        elif marker == _EXIF and not exif and data.startswith(b"Exif\0\0"):
            exif = data
        else:
            return None
        start = end
    else:
        return None
    if len(frame) < 6 or frame[0] != 8 or len(frame) != 6 + 3 * frame[5]:
        return None
    mode = _MODES.get(frame[5])
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    if mode is None or not 0 < width * height <= _MAX_PIXELS:
        return None
    return mode, (width, height), exif


def _is_sound(image: Image.Image) -> bool:
    """Return whether EXIF data is none of those for which Pillow's parser refuses a file."""
    try:
        resolution = image.getexif().get(_X_RESOLUTION, 1)
    except Exception:  # Pillow raises almost any type
        return False
    return isinstance(resolution, (float, Rational))
