"""CIFAR-10 from archives, folders and downloads."""

import hashlib
import http.server
import io
import os
import tarfile
import threading

import numpy as np
import pytest

from train import cifar10
from train.dataset import DataError, Split, pixel_hash, split_held_out

NAMES = ["airplane", "automobile", "bird", "cat", "deer"]
NAMES += ["dog", "frog", "horse", "ship", "truck"]


@pytest.fixture(scope="module")
def files():
    """The seven files of a data set whose pixels are random, by name."""
    rng = np.random.default_rng(0)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    contents = {"batches.meta.txt": "\n".join(NAMES).encode() + b"\n"}
    for name in names:
        records = rng.integers(0, 256, (10_000, 3073), np.uint8)
        records[:, 0] = np.arange(10_000) % 10
        contents[name] = records.tobytes()
    return contents


def folder(path, contents):
    path.mkdir()
    for name, data in contents.items():
        (path / name).write_bytes(data)
    return path


def archive(path, contents):
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_records_become_images(tmp_path, files):
    data = cifar10.load(folder(tmp_path / "data", files))
    assert data.class_names == tuple(NAMES)
    record = np.frombuffer(files["test_batch.bin"][:3073], np.uint8)
    assert data.test.labels[0] == record[0]
    for channel in range(3):
        plane = record[1 + 1024 * channel :][:1024].reshape(32, 32)
        np.testing.assert_array_equal(data.test.images[0, :, :, channel], plane)
    assert data.test.hashes[0] == hashlib.sha256(record[1:].tobytes()).hexdigest()
    assert data.test.hashes[0] == pixel_hash(data.test.images[0])


def test_archive_folder_and_environment_give_equal_data(tmp_path, files, monkeypatch):
    from_folder = cifar10.load(folder(tmp_path / "data", files))
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    path = archive(downloads / cifar10.ARCHIVE, files)
    monkeypatch.setenv(cifar10.ENVIRONMENT_VARIABLE, str(path))
    for loaded in (cifar10.load(path), cifar10.load(downloads), cifar10.load()):
        assert loaded.train.hashes == from_folder.train.hashes
        np.testing.assert_array_equal(loaded.test.images, from_folder.test.images)


def test_splits_do_not_depend_on_the_order_of_the_images(tmp_path, files):
    data = cifar10.load(folder(tmp_path / "a", files))
    rng = np.random.default_rng(1)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    records = np.concatenate([np.frombuffer(files[n], np.uint8) for n in names]).reshape(-1, 3073)
    shuffled = dict(files)
    for name, part in zip(names, np.split(rng.permutation(records), 5), strict=True):
        shuffled[name] = part.tobytes()
    other = cifar10.load(folder(tmp_path / "b", shuffled))
    assert other.held_out.hashes == data.held_out.hashes
    assert other.train.hashes == data.train.hashes
    np.testing.assert_array_equal(other.train.labels, data.train.labels)


def test_held_out_images_are_balanced_and_not_trained_on(tmp_path, files):
    data = cifar10.load(folder(tmp_path / "data", files))
    assert np.bincount(data.held_out.labels).tolist() == [250] * 10
    assert len(data.train) == 47_500
    assert not set(data.train.hashes) & set(data.held_out.hashes)
    for label in range(10):
        held_out, train = (
            [split.hashes[i] for i in np.flatnonzero(split.labels == label)]
            for split in (data.held_out, data.train)
        )
        assert max(held_out) < min(train)


def test_copies_of_held_out_images_are_not_trained_on():
    images = np.zeros((40, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(40) // 2  # each image twice
    labels = np.arange(40, dtype=np.uint8) // 4
    hashes = tuple(pixel_hash(image) for image in images)
    train, held_out = split_held_out(Split(images, labels, hashes), 10)
    assert len(held_out) == 10
    assert len(train) == 20
    assert not set(train.hashes) & set(held_out.hashes)


def replaced(name, data):
    return lambda files: files | {name: data(files[name])}


def without(name):
    return lambda files: {key: value for key, value in files.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("data_batch_3.bin"), r"lacks data_batch_3\.bin; expected the CIFAR-10 \*binary\*"),
        (without("batches.meta.txt"), r"lacks batches\.meta\.txt"),
        (replaced("test_batch.bin", lambda d: d[:-1]), r"test_batch\.bin to have 30,730,000 bytes"),
        (replaced("data_batch_1.bin", lambda d: b"\x0a" + d[1:]), "labels from 0 to 9 .* got 10"),
        (replaced("batches.meta.txt", lambda d: b"cat\ndog\n"), "10 class names"),
    ],
)
def test_damaged_folders(tmp_path, files, change, message):
    with pytest.raises(DataError, match=message):
        cifar10.load(folder(tmp_path / "data", change(files)))


def test_missing_truncated_and_foreign_paths(tmp_path, files, monkeypatch):
    with pytest.raises(DataError, match=r"--data names .*nope, which does not exist"):
        cifar10.load(tmp_path / "nope")
    monkeypatch.setenv(cifar10.ENVIRONMENT_VARIABLE, str(tmp_path / "nope"))
    with pytest.raises(DataError, match="EDGE_CIFAR10 names"):
        cifar10.load()
    path = archive(tmp_path / "cifar.tar.gz", files)
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(DataError, match=r"cifar\.tar\.gz could not be read"):
        cifar10.load(path)
    damaged = bytearray(archive(path, files).read_bytes())
    damaged[-8] ^= 1  # in gzip's checksum, which follows all that tar reads
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"cifar\.tar\.gz could not be read .*CRC"):
        cifar10.load(path)
    path.write_text("hello")
    with pytest.raises(DataError, match=r"cifar\.tar\.gz could not be read"):
        cifar10.load(path)


@pytest.fixture
def server(tmp_path):
    """An HTTP server for the files in tmp_path/www, as (URL, list of requested paths)."""
    (tmp_path / "www").mkdir()
    requested = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=os.fspath(tmp_path / "www"))

        def log_message(self, *arguments):
            requested.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", requested
        running.shutdown()


def test_download_is_checked_and_cached(tmp_path, server):
    url, requested = server
    (tmp_path / "www" / "a.tar.gz").write_bytes(b"archive")
    md5 = hashlib.md5(b"archive").hexdigest()
    for _ in range(2):
        path = cifar10.download(f"{url}/a.tar.gz", md5, cache=tmp_path / "cache")
        assert path.read_bytes() == b"archive"
    assert requested == ["/a.tar.gz"]


def test_a_wrong_checksum_leaves_nothing_behind(tmp_path, server):
    url, _ = server
    (tmp_path / "www" / "a.tar.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"could not be downloaded .* --data or EDGE_CIFAR10"):
        cifar10.download(f"{url}/a.tar.gz", "0" * 32, cache=tmp_path / "cache")
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*"))


def test_a_server_that_does_not_answer(tmp_path):
    with pytest.raises(DataError) as error:
        cifar10.download("http://127.0.0.1:9/a.tar.gz", "0" * 32, cache=tmp_path)
    assert str(error.value) == (
        "CIFAR-10 could not be downloaded from http://127.0.0.1:9/a.tar.gz (its server cannot be "
        "reached, or broke off); download it by hand and name it with --data or EDGE_CIFAR10."
    )


def test_a_server_that_refuses(tmp_path, server):
    url, _ = server
    with pytest.raises(DataError, match=r"could not be downloaded .* \(404 Client Error: "):
        cifar10.download(f"{url}/b.tar.gz", "0" * 32, cache=tmp_path / "cache")


def test_a_file_that_is_no_archive_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("no archive")
    with pytest.raises(DataError) as error:
        cifar10.load(tmp_path / "notes.txt")
    assert "archive (it is not a tar archive); expected" in str(error.value)


def test_the_full_data_set(cifar10):
    assert len(cifar10.train) == 47_500
    assert np.bincount(cifar10.held_out.labels).tolist() == [250] * 10
    assert np.bincount(cifar10.test.labels).tolist() == [1000] * 10
    # The published means of the training images are 0.4914, 0.4822, 0.4465.
    total = sum(
        split.images.sum(axis=(0, 1, 2), dtype=np.int64)
        for split in (cifar10.train, cifar10.held_out)
    )
    np.testing.assert_allclose(total / (50_000 * 1024 * 255), [0.4914, 0.4822, 0.4465], atol=5e-5)
