"""Data sets in a user's own folders of images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inference.metadata import Metadata
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.quantization import Quantization
from edge_runtime.inference.signature import Tensor
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from tests.train.conftest import command
from tests.train.small import write_folder
from train import data, folder
from train.dataset import DataError


def test_folders_become_splits(tmp_path):
    assert folder.holds_images(write_folder(tmp_path))
    (tmp_path / "train" / "dark" / "notes.txt").touch()
    data = folder.load(tmp_path)
    assert data.class_names == ("dark", "light")
    assert (len(data.train), len(data.held_out), len(data.test)) == (46, 2, 8)
    assert sorted(data.held_out.labels) == [0, 1]
    assert data.train.images.shape == (46, 32, 32, 3)
    assert data.train.images[data.train.labels == 0].mean() < 100
    assert data.train.images[data.train.labels == 1].mean() > 150
    with Image.open(tmp_path / "test" / "dark" / "0.png") as image:
        np.testing.assert_array_equal(data.test.images[0], fit(image, 32, 32))


def test_none_of_these_is_no_class(tmp_path):
    assert folder.none_of_these(write_folder(tmp_path)) is None
    for part in ("train", "test"):
        shutil.copytree(tmp_path / part / "dark", tmp_path / part / "none-of-these")
    data = folder.load(tmp_path)
    assert data.class_names == ("dark", "light")
    assert (len(data.train), len(data.held_out), len(data.test)) == (46, 2, 8)
    assert folder.none_of_these(tmp_path) == tmp_path / "train" / "none-of-these"
    shutil.rmtree(tmp_path / "test" / "none-of-these")  # it may be in one part only
    assert folder.load(tmp_path).class_names == ("dark", "light")


def test_all_suffixes_are_read_and_housekeeping_is_ignored(tmp_path, capsys):
    write_folder(tmp_path)
    for number in range(4):
        old, new = (".jpg", ".jfif") if number % 2 else (".png", ".apng")
        path = tmp_path / "train" / "dark" / f"{number}{old}"
        path.replace(path.with_suffix(new))
    (tmp_path / "train" / "dark" / "._0.png").write_bytes(b"\0\5\x16\7")
    for name in ("@eaDir", "__MACOSX", ".hidden"):
        (tmp_path / "train" / name).mkdir()
    data = folder.load(tmp_path)
    assert data.class_names == ("dark", "light")
    assert len(data.train) + len(data.held_out) == 48
    assert capsys.readouterr().err == ""
    (tmp_path / "train" / "dark" / "notes.txt").touch()
    folder.load(tmp_path)
    dark = tmp_path / "train" / "dark"
    assert capsys.readouterr().err == (
        f"{dark}: left out 1 of 25 entries, which have no image's suffix.\n"
    )


def test_images_are_read_as_the_runtime_reads_them(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    large = Image.fromarray(pixels).resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "photo.jpg", quality=90)
    raw_bytes = Tensor((1, 32, 32, 3), np.dtype(np.uint8), Quantization(1 / 255, 0))
    preprocessing = Preprocessing(raw_bytes, Metadata(), mean=None, std=None, how=None)
    read = folder.read_image(tmp_path / "photo.jpg")
    np.testing.assert_array_equal(read, preprocessing(tmp_path / "photo.jpg")[0])
    assert (read != fit(large, 32, 32)).any()  # the runtime decodes large JPEGs at reduced size


def test_copies_of_test_images_are_not_trained_on(tmp_path):
    write_folder(tmp_path)
    shutil.copy(tmp_path / "test" / "dark" / "0.png", tmp_path / "train" / "dark" / "copy.png")
    data = folder.load(tmp_path)
    assert len(data.train) + len(data.held_out) == 48
    assert not {*data.train.hashes, *data.held_out.hashes} & {*data.test.hashes}


@pytest.mark.parametrize("side", [48, 64])
def test_the_same_files_are_held_out_at_any_side(tmp_path, side):
    """A network's accuracy would be too high if it were judged on what another side trained on."""
    write_folder(tmp_path, per_class=60)
    small, large = folder.load(tmp_path), folder.load(tmp_path, side)
    assert large.held_out.images.shape[1:] == (side, side, 3)
    for one, other in ((small.train, large.train), (small.held_out, large.held_out)):
        assert one.hashes == other.hashes
        np.testing.assert_array_equal(one.labels, other.labels)
    hashes = dict(zip(large.held_out.hashes, large.held_out.images, strict=True))
    for path in (tmp_path / "train").rglob("*.*"):
        image = folder.read_image(path, side)
        digest = folder.image_hash(path, image)
        if digest in hashes:
            np.testing.assert_array_equal(hashes.pop(digest), image)
    assert not hashes


def test_a_folder_with_cifar_files_is_no_image_folder(tmp_path):
    (tmp_path / "data_batch_1.bin").touch()
    assert not folder.holds_images(tmp_path)


def damage_an_image(root):
    path = root / "train" / "light" / "2.png"
    path.write_bytes(path.read_bytes()[:200])


def rename_a_class(root):
    (root / "test" / "light").rename(root / "test" / "bright")


def empty_a_class(root):
    for path in (root / "test" / "dark").iterdir():
        path.unlink()


def copy_one_image_over_all_of_a_class(root):
    first, *others = sorted((root / "train" / "dark").iterdir())
    for path in others:
        path.unlink()
        shutil.copy(first, path.with_suffix(first.suffix))


def train_a_class_on_the_test_images(root):
    shutil.rmtree(root / "train" / "dark")
    shutil.copytree(root / "test" / "dark", root / "train" / "dark")


def give_a_class_a_name_of_two_lines(root):
    for part in ("train", "test"):
        (root / part / "dark").rename(root / part / "dark\nand grey")


def remove_the_test_part(root):
    (root / "test").rename(root / "validation")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_an_image, r"2\.png is damaged .* It is part of the data set"),
        (rename_a_class, r"but bright, light is in one of them only"),
        (empty_a_class, r"Expected images in .*dark, but got none"),
        (copy_one_image_over_all_of_a_class, r"Expected .*dark to hold at least 2 images that dif"),
        (train_a_class_on_the_test_images, r"from each other and from those in .*test\."),
        (give_a_class_a_name_of_two_lines, r"whose name cannot be a label: 'dark\\nand grey'"),
        (remove_the_test_part, r"test is missing; expected a folder"),
    ],
)
def test_damaged_folders(tmp_path, damage, message):
    damage(write_folder(tmp_path))
    with pytest.raises(DataError, match=message):
        folder.load(tmp_path)


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_folder(tmp_path / "images")
    assert data.load(Path("~/images")).class_names == ("dark", "light")


def test_libtiff_s_complaints_are_dropped(tmp_path, capfd):
    """Its C code complains on descriptor 2, past Python's sys.stderr; our error says enough."""
    write_folder(tmp_path)
    path = tmp_path / "train" / "dark" / "odd.tif"
    pixels = np.random.default_rng(0).integers(0, 100, (256, 256, 3), np.uint8)
    Image.fromarray(pixels).save(path, compression="tiff_lzw")
    damaged = bytearray(path.read_bytes())
    damaged[200:400] = bytes(range(200))
    path.write_bytes(damaged)
    with pytest.raises(ImageError, match=r"odd\.tif is damaged"):
        decode(path)
    assert "tempfile.tif" in capfd.readouterr().err
    with pytest.raises(DataError, match=r"odd\.tif is damaged"):
        folder.load(tmp_path)
    assert capfd.readouterr().err == ""


def test_one_class_is_refused_by_the_command(tmp_path):
    root = write_folder(tmp_path / "data", classes=("dark",))
    result = command("cnn", "--data", root, "--out", tmp_path / "run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a folder for each of 2 to 256 classes, but got 1." in result.stderr
    assert not (tmp_path / "run").exists()
