import shutil

import pytest

from edge_runtime.benchmark import images
from edge_runtime.benchmark.images import find_images
from edge_runtime.errors import ImageError
from edge_runtime.inference import shipped

CAT = shipped.samples()["cat"]


def test_the_samples_are_the_default():
    found = find_images([], pytest.fail)
    assert found.paths == tuple(shipped.samples().values())
    assert found.failed == 0


def test_a_directory_a_glob_and_a_file(tmp_path):
    for name in ("a.png", "b.png"):
        shutil.copy(CAT, tmp_path / name)
    both = (tmp_path / "a.png", tmp_path / "b.png")
    for name in (tmp_path, tmp_path / "*.png"):
        assert find_images([str(name)], pytest.fail).paths == both
    assert find_images([str(both[0])], pytest.fail).paths == both[:1]


def test_other_contents_have_another_hash(tmp_path):
    path = tmp_path / "a.png"
    hashes = []
    for sample in ("cat", "dog", "cat"):
        shutil.copy(shipped.samples()[sample], path)
        hashes.append(find_images([str(path)], pytest.fail).sha256)
    assert hashes[0] == hashes[2] != hashes[1]


def test_images_that_cannot_be_read_are_named_and_left_out(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    said = []
    names = [str(broken), "nothing.png", "https://example.org/a.png", str(CAT)]
    found = find_images(names, said.append)
    assert found.paths == (CAT,)
    assert found.failed == len(said) == 3
    assert all(name in sentence for name, sentence in zip(names, said, strict=False))


def test_no_image_at_all():
    with pytest.raises(ImageError, match="--images"):
        find_images(["nothing.png"], lambda _: None)


def test_only_the_first_images_are_used(monkeypatch):
    monkeypatch.setattr(images, "MAX_IMAGES", 3)
    said = []
    assert len(find_images([], said.append).paths) == 3
    assert said == ["Only the first 3 images are used."]
