"""Sample layouts that Pillow reads wrongly: each is read right here, or rejected.

`mend` works on an opened image before its pixels are decoded, `show_transparency` on a decoded PNG.
`tests/edge_runtime/inputs/test_decoders.py` compares the results with other decoders.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image, ImageChops, ImagePalette

from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

# The levels of grey of few bits, which Pillow spreads to 0-255 without the transparent one.
_LEVELS = {"L;2": 3, "L;4": 15, "L": 255}
# libtiff gives samples in the machine's byte order; Pillow takes some for the file's.
_NATIVE = {
    "I;16S": "I;16NS",
    "I;16BS": "I;16NS",
    "I;32S": "I;32NS",
    "I;32BS": "I;32NS",
    "F;32F": "F;32NF",
    "F;32BF": "F;32NF",
}
_IN_PLANES = ("RGB", "RGBA", "CMYK")  # modes that Pillow reads right from libtiff's planes
_CODESTREAM = b"\xff\x4f\xff\x51"  # how that of JPEG 2000 starts
_INKSET = 332  # TIFF tag
_SIGNED, _SEPARATE, _YCBCR, _PREMULTIPLIED, _NOT_CMYK = 2, 2, 6, 1, 2  # values of TIFF tags


def mend(image: Any, name: str) -> None:
    """Correct how Pillow will decode an image, in place.

    Args:
        image: an opened image of Pillow, whose pixels are not decoded yet.
        name: name of the image in the error.

    Raises:
        ImageError: the image has a layout that Pillow reads wrongly and this cannot correct.
    """
    wrong = _MENDERS[image.format](image) if image.format in _MENDERS else None
    if wrong:
        raise ImageError(f"{name} {wrong}, which is not supported; save it as PNG.")


def show_transparency(image: Any, tiles: list[Any], source: str | Path | BinaryIO) -> None:
    """Correct the transparent level or colour of a decoded PNG, in place.

    Args:
        image: a decoded image of a PNG file that has a tRNS chunk.
        tiles: what its `tile` was before it was decoded.
        source: the file, which is decoded again if its colours have 16 bits.
    """
    raw = tiles[0][3] if tiles else ""  # how the samples are stored, such as "L;2"
    raw = raw if isinstance(raw, str) else raw[0]
    transparent = image.info["transparency"]
    if raw in _LEVELS and isinstance(transparent, int):
        levels = _LEVELS[raw]
        image.info["transparency"] = (transparent & levels) * (255 // levels)
    elif raw == "RGB" and isinstance(transparent, tuple):
        image.info["transparency"] = tuple(sample & 255 for sample in transparent)
    elif raw == "RGB;16B" and isinstance(transparent, tuple):
        mask = _opacity(image, [sample >> 8 for sample in transparent])
        if not isinstance(source, (str, bytes)) and hasattr(source, "seek"):
            source.seek(0)
        with Image.open(source, formats=["PNG"]) as low:
            low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]  # the lower bytes
            low.load()
            mask = ImageChops.lighter(mask, _opacity(low, [s & 255 for s in transparent]))
        del image.info["transparency"]
        image.putalpha(mask)


def _opacity(image: Image.Image, transparent: list[int]) -> Image.Image:
    """Return a mask of mode L: 0 if a pixel has the transparent colour, otherwise 255."""
    mask = Image.new("L", image.size, 0)
    for band, level in enumerate(transparent):
        other = image.getchannel(band).point([255 * (value != level) for value in range(256)])
        mask = ImageChops.lighter(mask, other)
    return mask


def _mend_tiff(image: Any) -> str | None:
    from PIL import TiffImagePlugin as tiff

    tags = image.tag_v2
    photometric = tags.get(tiff.PHOTOMETRIC_INTERPRETATION)
    if image.mode == "L" and _SIGNED in tags.get(tiff.SAMPLEFORMAT, ()):
        return "has signed samples of 8 bits"
    if image.mode == "CMYK" and tags.get(_INKSET) == _NOT_CMYK:
        return "has inks other than CMYK"
    raw = image.info["compression"] == "raw"
    if tags.get(tiff.PLANAR_CONFIGURATION) == _SEPARATE:
        if tags.get(tiff.SAMPLESPERPIXEL, 1) == 1:  # one plane has nothing to separate
            tags[tiff.PLANAR_CONFIGURATION] = 1
            image._setup()
        elif image.mode not in _IN_PLANES or photometric == _YCBCR:
            return f"stores {image.mode} in separate planes"
        elif _PREMULTIPLIED in tags.get(tiff.EXTRASAMPLES, ()):
            return "stores premultiplied alpha in separate planes"
        elif raw:  # Pillow itself takes 16 bits for 8, and ignores the order of the bits
            wide = tags.get(tiff.BITSPERSAMPLE, (1,))[0] == 16
            _use_libtiff(image, image.mode + (";16N" if wide else ""))
    elif raw and image.mode == "YCbCr":
        image._mode = "RGB"
        _use_libtiff(image, "RGBX")  # Pillow itself knows no subsampling of raw data
    if image.tile[0][0] == "libtiff":
        kind, *rest = image.tile[0][3]
        image.tile = [image.tile[0]._replace(args=(_NATIVE.get(kind, kind), *rest))]
    if image.palette and max(tags[tiff.COLORMAP]) < 256:  # some programs write 8 bits into 16
        image.palette = ImagePalette.raw("RGB;L", bytes(tags[tiff.COLORMAP]))
    return None


def _use_libtiff(image: Any, raw: str) -> None:
    """Let libtiff decode an image that Pillow would read itself, because it is not compressed."""
    whole = (0, 0, *image._tile_size)
    args = (raw, False, image.tag_v2.offset)
    image.tile = [image.tile[0]._replace(codec_name="libtiff", extents=whole, offset=0, args=args)]
    image.use_load_libtiff = True


def _mend_bmp(image: Any) -> str | None:
    """Give an image of 4 or 8 bits its palette back.

    If the palette is grey, Pillow drops it and takes the pixels for 1 or 8 bits, whatever they are.
    """
    start = 14 if image.format == "BMP" else 0  # of the header of the bitmap
    position = image.fp.tell()
    image.fp.seek(start)
    header = image.fp.read(64)
    size = int.from_bytes(header[:4], "little")
    bits = int.from_bytes(header[10:12] if size == 12 else header[14:16], "little")
    expected = {1: "1", 8: "L"}.get(bits)
    if image.mode in ("1", "L") and image.mode != expected:
        entry = 3 if size == 12 else 4
        colours = 1 << bits if size == 12 else int.from_bytes(header[32:36], "little") or 1 << bits
        image.fp.seek(start + size)
        image.palette = ImagePalette.raw(
            "BGR" if entry == 3 else "BGRX", image.fp.read(entry * colours)
        )
        image._mode = "P"
        tile = image.tile[0]
        packed = "P" if bits == 8 else f"P;{bits}"
        image.tile = [tile._replace(args=(packed, *tile[3][1:]))]
    # Pillow ignores the alpha of 16 bits.
    masks = struct.unpack("<4I", header[40:56]) if size >= 56 else ()
    if bits == 16 and masks == (0x7C00, 0x3E0, 0x1F, 0x8000):
        image._mode = "RGBA"
        image.tile = [image.tile[0]._replace(args=("BGRA;15", *image.tile[0][3][1:]))]
    image.fp.seek(position)
    return None


def _mend_psd(image: Any) -> str | None:
    position = image.fp.tell()
    image.fp.seek(12)
    channels, _, _, _, kind = struct.unpack(">HIIHH", image.fp.read(14))
    image.fp.seek(position)
    if kind == 7:
        return "is a multichannel image"
    for number, _, data in image.resources:
        if number == 1057 and data[4:5] == b"\0":  # the version of the file
            return "holds layers only (it was saved without maximized compatibility)"
    # Rows of run lengths follow the lengths of all channels, also of those that Pillow ignores.
    behind = 2 * image.height * (channels - len(image.tile))
    image.tile = [
        tile._replace(offset=tile[2] + behind) if tile[0] == "packbits" else tile
        for tile in image.tile
    ]
    if image.mode == "1":  # 1 is black
        image.tile = [tile._replace(args="1;I") for tile in image.tile]
    if image.mode == "RGBA":  # the colours are laid over white already, or this is no alpha
        image._mode = "RGB"
        image.tile = image.tile[:3]
    return None


def _mend_jpeg2000(image: Any) -> str | None:
    """Reject colours of more than 8 bits: Pillow rounds white up to 256, which becomes black."""
    position = image.fp.tell()
    image.fp.seek(0)
    start = image.fp.read(4)
    if start != _CODESTREAM:
        image.fp.seek(0)
        while len(box := image.fp.read(8)) == 8 and box[4:] != b"jp2c":
            length = int.from_bytes(box[:4], "big")
            if length == 1:  # a length of 64 bits follows
                length = int.from_bytes(image.fp.read(8), "big") - 8
            image.fp.seek(max(0, length - 8), 1)
            if length == 0:  # until the end of the file
                break
        start = image.fp.read(4)
        if start not in (_CODESTREAM, b""):  # behind a length of 64 bits
            start = image.fp.read(8)[4:]
    header = image.fp.read(38)  # from Lsiz to the number of components
    components = int.from_bytes(header[-2:], "big")
    depths = [(byte & 127) + 1 for byte in image.fp.read(3 * components)[::3]]
    image.fp.seek(position)
    if start != _CODESTREAM or not depths:
        return "has no header of its pixels where one is expected"
    return "has colours of more than 8 bits" if image.mode != "I;16" and max(depths) > 8 else None


def _mend_sgi(image: Any) -> str | None:
    position = image.fp.tell()
    image.fp.seek(104)
    colormap = image.fp.read(4)
    image.fp.seek(position)
    return "has a palette or dithered colours" if any(colormap) else None


def _mend_tga(image: Any) -> str | None:
    """Ignore the alpha of a file that says that it has none."""
    position = image.fp.tell()
    image.fp.seek(17)
    alpha_bits = image.fp.read(1)[0] & 15
    image.fp.seek(position)
    if image.mode == "RGBA" and not alpha_bits and image.tile:
        tile = image.tile[0]
        narrow = {"BGRA;15Z": "BGR;15", "BGRA": "BGRX"}.get(tile[3][0])
        if narrow:
            image._mode = "RGB"
            image.tile = [tile._replace(args=(narrow, *tile[3][1:]))]
    return None


_MENDERS = {
    "TIFF": _mend_tiff,
    "BMP": _mend_bmp,
    "DIB": _mend_bmp,
    "JPEG2000": _mend_jpeg2000,
    "PSD": _mend_psd,
    "SGI": _mend_sgi,
    "TGA": _mend_tga,
}
