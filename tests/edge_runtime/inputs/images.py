"""Image files that several tests make."""

import struct
import zlib

RED = (200, 10, 20)


def saved(tmp_path, image, name="image.png", **options):
    """Write a Pillow image to a file and return its path."""
    image.save(tmp_path / name, **options)
    return tmp_path / name


def black_png(side: int) -> bytes:
    """Return a square, black one-bit PNG, which takes a few kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + (side + 7) // 8) * side), 9)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
