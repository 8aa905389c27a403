"""Outliers in folders and archives, and the official Tiny-ImageNet archive."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from train import download, outlier_files
from train.dataset import DataError
from train.outlier_files import locate, overlapping_classes, read, wordnet_id


def encoded(value, suffix="JPEG"):
    """Return a grey image of 40 x 48 pixels as the bytes of a file."""
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 48, 3), value, np.uint8)).save(stream, suffix)
    return stream.getvalue()


def pack(path, files):
    """Write files, a dictionary of names and bytes, into a folder or archive; return its path."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif path.suffix in (".gz", ".tar"):
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


FILES = {
    "a/1.jpg": encoded(10),
    "a/b/2.png": encoded(20, "PNG"),
    "n01440764_tench.jpg": encoded(30),
    "notes.txt": b"text",
    "a/._1.jpg": b"of macOS",
    ".hidden/3.jpg": encoded(40),
}


@pytest.mark.parametrize("name", ["folder", "images.zip", "images.tar", "images.tar.gz"])
def test_folders_and_archives_hold_the_same_images(tmp_path, name):
    found = {
        name: np.asarray(image)[0, 0, 0]
        for name, image in read(locate(str(pack(tmp_path / name, FILES))), 32)
    }
    assert found == {"a/1.jpg": 10, "a/b/2.png": 20, "n01440764_tench.jpg": 30}


OFFICIAL = {
    "tiny-imagenet-200/wnids.txt": b"n01443537\n",
    "tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG": encoded(10),
    "tiny-imagenet-200/train/n02123045/images/n02123045_0.JPEG": encoded(20),  # tabby
    "tiny-imagenet-200/val/images/val_0.JPEG": encoded(30),  # perhaps of a tabby
    "tiny-imagenet-200/test/images/test_0.JPEG": encoded(40),
}


def test_of_tiny_imagenet_only_training_images_of_other_classes_are_read(tmp_path):
    path = pack(tmp_path / "tiny-imagenet-200.zip", OFFICIAL)
    assert [name for name, _ in read(path, 32)] == [[*OFFICIAL][1]]
    pack(tmp_path / "unpacked", OFFICIAL)
    unpacked = tmp_path / "unpacked" / "tiny-imagenet-200"
    assert [name for name, _ in read(unpacked, 32)] == ["train/n01443537/images/n01443537_0.JPEG"]


def test_the_list_of_overlapping_classes():
    overlapping = overlapping_classes()
    assert {"n02123045", "n02099601", "n02056570", "n01641577"} <= overlapping
    assert "n01443537" not in overlapping  # goldfish
    assert all(wordnet_id(name) == name for name in overlapping)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n01440764_tench.jpg", "n01440764"),
        ("x/n01443537/n01443537_0.JPEG", "n01443537"),
        ("train/cat/n0144.jpg", None),
        ("n014407641.jpg", None),
        ("plan01440764.jpg", None),
    ],
)
def test_wordnet_ids(name, expected):
    assert wordnet_id(name) == expected


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match="nope, which does not exist; name a folder of images"):
        locate("nope")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"notes\.txt, which is no archive that can be read"):
        locate(str(tmp_path / "notes.txt"))
    for name in ("broken.zip", "broken.tar.gz"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(DataError, match="could not be read as an archive of images"):
            list(read(tmp_path / name, 32))
    unknown = pack(tmp_path / "deflate64.zip", {"1.jpg": encoded(10)})
    content = bytearray(unknown.read_bytes())
    for header, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # where the method is
        content[content.index(header) + at] = 9
    unknown.write_bytes(content)
    with pytest.raises(DataError, match=r"compression method is not supported\); download or pack"):
        list(read(unknown, 32))
    pack(tmp_path / "damaged", {"1.jpg": encoded(10)[:200]})
    with pytest.raises(DataError, match=r"1\.jpg .* It is one of the outliers\."):
        list(read(tmp_path / "damaged", 32))


def test_tiny_imagenet_is_downloaded_once_and_checked(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        outlier_files, "fetch", lambda *arguments: asked.append(arguments) or tmp_path / "it.zip"
    )
    monkeypatch.chdir(tmp_path)
    assert locate("tiny-imagenet", tmp_path) == tmp_path / "it.zip"
    url, name, known_hash, cache = asked[0]
    assert (name, cache) == ("tiny-imagenet-200.zip", tmp_path)
    assert url.endswith(name)
    assert known_hash.startswith("md5:")

    def fail(*_):
        raise download.DownloadError("no network")

    monkeypatch.setattr(outlier_files, "fetch", fail)
    with pytest.raises(DataError, match=r"could not be downloaded .*\(no network\); download it"):
        locate("tiny-imagenet", tmp_path)
