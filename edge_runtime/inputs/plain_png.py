"""Small PNG files that hold nothing but RGB pixels, as most programs for data sets write them.

Pillow's parser, which keeps all that a PNG may hold, takes as long as decoding so few pixels. Here
Pillow's decoder gets the pixels at once. Whatever is not as plain as this, or damaged, is left to
the parser.
"""

from __future__ import annotations

import struct
import zlib

from PIL import Image

MAX_FILE_BYTES = 1 << 16
_MAX_PIXELS = 1 << 16
_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_SIZE_AND_KIND = struct.Struct(">2I5B")
_PLAIN = (8, 2, 0, 0, 0)  # bits a sample, RGB, deflate, the usual filters, not interlaced
_FIRST_CHUNK = 33  # behind the header
_CHUNK = struct.Struct(">I4s")  # length of the data and name, before the data and four bytes of CRC


def plain_png(content: bytes) -> Image.Image | None:
    """Return a PNG's RGB pixels if the file is small and holds nothing else, otherwise None.

    Args:
        content: of a file of any kind.
    """
    if len(content) < _FIRST_CHUNK or not content.startswith(_HEADER):
        return None
    width, height, *kind = _SIZE_AND_KIND.unpack_from(content, len(_HEADER))
    if tuple(kind) != _PLAIN or not 0 < width * height <= _MAX_PIXELS:
        return None
    if zlib.crc32(content[12:29]) != int.from_bytes(content[29:_FIRST_CHUNK]):
        return None
    try:
        data = _compressed(content)
        if data is None:
            return None
        return Image.frombytes("RGB", (width, height), data, "zip", "RGB", False)
    except (struct.error, ValueError):  # damaged
        return None


def _compressed(content: bytes) -> bytes | None:
    """Return the data of all chunks with pixels; None if there are others."""
    data, start = b"", _FIRST_CHUNK
    while True:
        length, name = _CHUNK.unpack_from(content, start)
        start += _CHUNK.size
        if name == b"IEND":
            return data
        if name != b"IDAT":
            return None
        data += content[start : start + length]
        start += length + 4
