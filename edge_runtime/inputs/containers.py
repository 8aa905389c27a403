"""Videos told from images by their first bytes, for servers that do not say what they send."""

from __future__ import annotations

FIRST_BYTES = 512  # how many `is_video` needs

_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM (RFC 8794)
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF and WMV
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
)
_ISO_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # a QuickTime file's first
# Brands of ISO/IEC 14496-12 whose files are images, as HEIF and AVIF define them.
_IMAGE_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc")
_SYNC = b"G"  # starts each packet of an MPEG transport stream
_PACKETS = ((0, 188), (4, 192))  # where the first one starts, and the length of each


def is_video(first: bytes) -> bool:
    """Return whether a file is a video.

    Args:
        first: its first `FIRST_BYTES` bytes, or all if it has fewer.
    """
    if first.startswith(_STARTS):
        return True
    if first[:4] == b"RIFF":
        return first[8:12] == b"AVI "
    if first[4:8] == b"ftyp":
        return first[8:12] not in _IMAGE_BRANDS
    if first[4:8] in _ISO_BOXES:
        return True
    return any(first[at::length][:2] == 2 * _SYNC for at, length in _PACKETS)
