import pytest

from edge_runtime.inference import shipped
from edge_runtime.inputs.containers import FIRST_BYTES, is_video


@pytest.mark.parametrize(
    "first",
    [
        b"\0\0\0\x20ftypisom",
        b"\0\0\0\x14ftypqt  ",
        b"\0\0\0\x08wide",
        b"\x1a\x45\xdf\xa3\x01",
        b"RIFF\0\0\0\0AVI LIST",
        b"FLV\x01\x05",
        b"OggS\0",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        b"\0\0\1\xba\x44",
        b"\0\0\1\xb3\x16",
        (b"G" + bytes(187)) * 2,
        b"\0\0\0\0" + (b"G" + bytes(191)) * 2,
    ],
)
def test_videos_are_recognized(first):
    assert is_video(first)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"G",
        b"GIF89a" + bytes(500),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\0\0\0\x20ftypavif",
        b"\0\0\0\x20ftypheic",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"<html>",
        shipped.samples()["cat"].read_bytes()[:FIRST_BYTES],
    ],
)
def test_images_and_text_are_not_videos(first):
    assert not is_video(first)
