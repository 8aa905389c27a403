"""Near-doubles: copies and frames of a burst are found, other photographs are not."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from edge_runtime.teaching.doubles import Pair, group, near_doubles
from tests.conftest import ROOT

skimage_data = pytest.importorskip("skimage.data")
NAMES = (
    *("astronaut", "chelsea", "coffee", "rocket", "camera", "moon"),
    *("grass", "gravel", "brick", "hubble_deep_field", "retina", "immunohistochemistry"),
)


def reencoded(image):
    stream = BytesIO()
    image.save(stream, "JPEG", quality=60)
    return Image.open(stream).convert("RGB")


def cropped(image):
    width, height = image.size
    return image.crop((width // 30, height // 30, width - width // 40, height - height // 40))


def burst_frame(image):
    """The next frame of a burst: turned, moved, enlarged, brighter and compressed."""
    turned = image.rotate(1, Image.Resampling.BICUBIC)
    moved = turned.crop((9, 8, image.width - 5, image.height - 6))
    return reencoded(ImageEnhance.Brightness(moved).enhance(1.05))


CHANGES = {
    "re-encoded": reencoded,
    "resized": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped": cropped,
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "burst": burst_frame,
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, embed):
    """Return the features of twelve photographs, of each change, and of the shipped samples."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for name in NAMES:
        image = Image.fromarray(getattr(skimage_data, name)()).convert("RGB")
        image.thumbnail((512, 512))
        for change in ("", *CHANGES):
            path = folder / f"{name}-{change}.png"
            (CHANGES[change](image) if change else image).save(path)
            paths.append(path)
    samples = sorted((ROOT / "edge_runtime" / "samples").glob("*.png"))
    features = embed([*paths, *samples])[:, 0]
    cut = len(paths)
    return features[:cut].reshape(len(NAMES), 1 + len(CHANGES), -1), features[cut:]


def found(features, labels):
    return {(pair.first, pair.second) for pair in near_doubles(np.array(features), labels)}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("count", [5, 12])
def test_copies_are_found_among_few_photographs(photographs, change, count):
    series, _ = photographs
    changed = series[:, 1 + list(CHANGES).index(change)]
    labels = np.arange(count) % 2
    hits = 0
    for at in range(count):
        pairs = found([*series[:count, 0], changed[at]], np.append(labels, labels[at]))
        hits += (at, count) in pairs
        assert pairs <= {(at, count)}
    assert hits >= 0.8 * count


def test_all_copies_are_found_at_once_and_nothing_else(photographs):
    series, samples = photographs
    rows = [*series.reshape(-1, series.shape[2]), *samples]
    labels = np.append(np.repeat(np.arange(12) % 3, series.shape[1]), np.arange(len(samples)) % 3)
    pairs = found(rows, labels)
    groups = group(len(rows), [Pair(*pair, 1.0) for pair in pairs])
    together = [len(np.unique(groups[6 * at : 6 * at + 6])) == 1 for at in range(12)]
    assert np.mean(together) >= 0.9
    strangers = {(a, b) for a, b in pairs if a // 6 != b // 6 or a >= 72}
    assert not strangers


def test_a_copy_in_another_class_is_found(photographs):
    series, _ = photographs
    labels = np.append(np.arange(12) % 2, 1)
    assert found([*series[:, 0], series[0, 0]], labels) == {(0, 12)}
    assert found([*series[:, 0], series[0, 1]], labels) == {(0, 12)}


def test_drawings_of_one_kind_are_no_doubles(shapes, embed):
    """Photographs of a class may differ little, if another class differs much."""
    paths = sorted(shapes.glob("*/*.png"))
    labels = np.repeat([0, 1, 2], 8)
    pairs = near_doubles(embed(paths)[:, 0], labels)
    assert len(pairs) <= 5  # of 276


def test_more_photographs_than_are_compared_at_once():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(700, 30)).astype(np.float32)
    features[650] = features[3]
    features[699] = features[698]
    pairs = near_doubles(features, np.arange(700) % 7)
    assert {(pair.first, pair.second) for pair in pairs} == {(3, 650), (698, 699)}
    assert [pair.cosine for pair in pairs] == pytest.approx([1, 1], abs=1e-4)


def test_the_most_similar_come_first():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 30)).astype(np.float32)
    features[1] = features[0] + 0.3 * rng.normal(size=30)
    features[3] = features[2] + 0.1 * rng.normal(size=30)
    pairs = near_doubles(features, np.zeros(40, int))
    assert [pair[:2] for pair in pairs] == [(2, 3), (0, 1)]


def test_identical_photographs_alone_are_one_group():
    features = np.ones((6, 10), np.float32)
    pairs = near_doubles(features, np.arange(6) % 2)
    assert len(np.unique(group(6, pairs))) == 1


def test_groups_connect_chains():
    groups = group(7, [Pair(0, 3, 1.0), Pair(3, 5, 0.9), Pair(1, 2, 0.8)])
    assert groups.tolist() == [0, 1, 1, 0, 4, 0, 6]
