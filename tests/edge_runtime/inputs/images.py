"""Image files that several tests make."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

RED = (200, 10, 20)


def saved(tmp_path, image, name="image.png", **options):
    """Write a Pillow image to a file and return its path."""
    image.save(tmp_path / name, **options)
    return tmp_path / name


def png(width, height, depth, colour, rows, transparent=b"", palette=b"") -> bytes:
    """Return a PNG file.

    Args:
        width: in pixels.
        height: in pixels.
        depth: bits of a sample.
        colour: the colour type: 0 grey, 2 RGB, 3 palette.
        rows: packed samples, each row after its filter byte.
        transparent: content of the tRNS chunk.
        palette: content of the PLTE chunk.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [chunk(b"PLTE", palette)] if palette else []
    chunks += [chunk(b"tRNS", transparent)] if transparent else []
    chunks += [chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def black_png(side: int) -> bytes:
    """Return a square, black one-bit PNG, which takes a few kB."""
    return png(side, side, 1, 0, bytes((1 + (side + 7) // 8) * side))


def tiff(width, height, strips, bits=(8,), *, order="<", deflate=False, tags=()) -> bytes:
    """Return a TIFF file of any layout; Pillow writes few.

    Args:
        width: in pixels.
        height: in pixels.
        strips: packed samples of each strip, as many strips as there are rows and planes for.
        bits: bits of the samples of a pixel.
        order: `<` little-endian, `>` big-endian.
        deflate: whether to compress the strips.
        tags: further tags and their values, which are short integers.
    """
    strips = [zlib.compress(strip) if deflate else strip for strip in strips]
    values = {
        256: [width],
        257: [height],
        258: list(bits),
        259: [8 if deflate else 1],
        262: [2 if len(bits) >= 3 else 1],
        277: [len(bits)],
        278: [height],
        **{tag: list(given) for tag, given in dict(tags).items()},
    }
    content, starts = b"", []
    for strip in strips:
        starts.append(8 + len(content))
        content += strip + bytes(len(strip) % 2)
    values |= {273: starts, 279: [len(strip) for strip in strips]}
    entries = b""
    for tag, given in sorted(values.items()):
        kind, code = (4, "I") if tag in (273, 279) else (3, "H")
        packed = struct.pack(f"{order}{len(given)}{code}", *given)
        entries += struct.pack(f"{order}HHI", tag, kind, len(given))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", 8 + len(content))
            content += packed
    magic = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(values))
    return magic + struct.pack(f"{order}I", 8 + len(content)) + content + count + entries + bytes(4)


def variants() -> dict[str, tuple[str, bytes]]:
    """Return images of 60 x 40 pixels in all formats that this Pillow writes: suffix, content."""
    blocks = np.kron(np.random.default_rng(0).integers(0, 246, (8, 12, 3)), np.ones((5, 5, 1)))
    image = Image.fromarray(blocks.astype(np.uint8))
    wanted = {
        f"TIFF {kind}": (".tif", "TIFF", image, {"compression": kind})
        for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd")
    }
    for kind in ("group3", "group4"):
        wanted[f"TIFF {kind}"] = (".tif", "TIFF", image.convert("1"), {"compression": kind})
    suffixes = ["png", "gif", "bmp", "webp", "avif", "jp2", "tga"]
    for suffix in [*suffixes, "pcx", "sgi", "ppm", "dds", "qoi", "jpg", "dib"]:
        kind = {"jp2": "JPEG2000", "jpg": "JPEG"}.get(suffix, suffix.upper())
        wanted[kind] = (f".{suffix}", kind, image, {})
    wanted["TIFF grey"] = (".tif", "TIFF", image.convert("L"), {"compression": "tiff_lzw"})
    wanted["JPEG progressive"] = (".jpg", "JPEG", image, {"progressive": True})
    wanted["TGA run lengths"] = (".tga", "TGA", image, {"compression": "tga_rle"})
    wanted["WEBP lossless"] = (".webp", "WEBP", image, {"lossless": True})
    wanted["PNG palette"] = (".png", "PNG", image.quantize(16), {})
    wanted["PNG alpha"] = (".png", "PNG", image.convert("RGBA"), {})
    for suffix, kind in ((".gif", "GIF"), (".png", "PNG")):
        more = {"save_all": True, "append_images": [image.rotate(90)]}
        wanted[f"{kind} animated"] = (suffix, kind, image, more)
    found = {}
    for name, (suffix, kind, source, options) in wanted.items():
        stream = io.BytesIO()
        try:
            source.save(stream, kind, **options)
        except (KeyError, OSError, RuntimeError):  # this Pillow does not write it
            continue
        found[name] = (suffix, stream.getvalue())
    return found
