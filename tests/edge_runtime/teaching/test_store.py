"""Kept features: photographs are run once, and a store that cannot be used does not matter."""

import os
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.teaching import embedding
from edge_runtime.teaching.embedding import Backbone
from edge_runtime.teaching.graph import BACKBONE
from edge_runtime.teaching.store import FeatureStore, open_store
from edge_runtime.teaching.views import VIEWS

FEATURES = np.arange(-100, 100, dtype=np.int8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "features.sqlite"


@pytest.fixture
def engine_runs(monkeypatch):
    """Count the images that the backbone runs."""
    runs = []

    def counting_engine(path):
        engine = embedding_open_engine(path)
        run = engine.run
        engine.run = lambda tensor: (runs.append(1), run(tensor))[1]
        return engine

    embedding_open_engine = embedding.open_engine
    monkeypatch.setattr(embedding, "open_engine", counting_engine)
    return runs


def embed(store, paths):
    backbone = Backbone(BACKBONE, store)
    return backbone.embed([str(p) for p in paths], threads=2, done=lambda result: None)


def test_features_come_back_in_the_next_run(path):
    with FeatureStore(path, "backbone") as store:
        assert store.get("a") is None
        store.put("a", FEATURES)
    with FeatureStore(path, "backbone") as store:
        assert (store.get("a") == FEATURES).all()
        assert store.get("b") is None


def test_another_backbones_features_are_not_found(path):
    with FeatureStore(path, "one") as store:
        store.put("a", FEATURES)
    with FeatureStore(path, "other") as store:
        assert store.get("a") is None


def test_only_new_photographs_are_run(path, shapes, engine_runs):
    paths = sorted(shapes.glob("*/*.png"))[:4]
    with FeatureStore(path, "backbone") as store:
        first = embed(store, paths[:3])
    assert len(engine_runs) == 3 * len(VIEWS)
    with FeatureStore(path, "backbone") as store:
        second = embed(store, paths)
    assert len(engine_runs) == 4 * len(VIEWS)
    for a, b in zip(first, second, strict=False):
        assert (a.features == b.features).all() and a.sha256 == b.sha256


def test_a_photograph_with_another_name_is_known(path, shapes, tmp_path, engine_runs):
    photograph = shapes / "disc" / "00.png"
    copy = tmp_path / "other.png"
    copy.write_bytes(photograph.read_bytes())
    with FeatureStore(path, "backbone") as store:
        embed(store, [photograph])
        embed(store, [copy])
    assert len(engine_runs) == len(VIEWS)


def test_an_unreadable_photograph_is_not_kept(path, tmp_path, engine_runs):
    (tmp_path / "no.png").write_bytes(b"no image")
    with FeatureStore(path, "backbone") as store:
        for _ in range(2):
            (result,) = embed(store, [tmp_path / "no.png"])
            assert result.features is None and "no.png" in str(result.error)
    assert not engine_runs


def test_a_damaged_file_is_made_anew(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but a text " * 100)
    with FeatureStore(path, "backbone") as store:
        store.put("a", FEATURES)
    with FeatureStore(path, "backbone") as store:
        assert (store.get("a") == FEATURES).all()


def test_a_row_of_another_size_is_run_again(path, shapes, engine_runs):
    photograph = shapes / "disc" / "00.png"
    with FeatureStore(path, "backbone") as store:
        (right,) = embed(store, [photograph])
        store.put(right.sha256, FEATURES)
        (again,) = embed(store, [photograph])
    assert (again.features == right.features).all()
    assert len(engine_runs) == 2 * len(VIEWS)


def test_a_damaged_page_loses_time_only(path, shapes):
    paths = sorted(shapes.glob("*/*.png"))[:3]
    with FeatureStore(path, "backbone") as store:
        expected = embed(store, paths)
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with FeatureStore(path, "backbone") as store:
        found = embed(store, paths)
    for a, b in zip(expected, found, strict=True):
        assert (a.features == b.features).all()


@pytest.mark.parametrize("what", ["folder", "file", "device"])
def test_a_place_that_cannot_be_written_loses_time_only(tmp_path, what):
    path = tmp_path / "file" / "features.sqlite"
    if what == "folder":
        path.mkdir(parents=True)
    elif what == "file":
        (tmp_path / "file").write_text("no folder")
    else:
        path = Path(os.devnull) / "features.sqlite"
    with FeatureStore(path, "backbone") as store:
        store.put("a", FEATURES)
        assert store.get("a") is None


def test_a_user_without_a_home_folder_has_no_store(monkeypatch):
    def no_home(*args, **options):
        raise RuntimeError("there is no home folder")

    monkeypatch.setattr("platformdirs.user_cache_path", no_home)
    with open_store(BACKBONE) as store:
        store.put("a", FEATURES)
        assert store.get("a") is None


def test_a_file_that_another_process_locks_delays_once(path):
    with FeatureStore(path, "backbone") as store:
        store.put("a", FEATURES)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        for name in "bcdefghijk":
            assert store.get(name) is None
            store.put(name, FEATURES)
        assert time.monotonic() - started < 5
        other.close()
    with FeatureStore(path, "backbone") as store:
        assert (store.get("a") == FEATURES).all()


def test_two_runs_at_once_both_keep_what_they_read(path):
    with FeatureStore(path, "backbone") as first, FeatureStore(path, "backbone") as second:
        started = time.monotonic()
        for at in range(20):
            first.put(f"first {at}", FEATURES)
            second.put(f"second {at}", FEATURES)
        assert time.monotonic() - started < 5
    with FeatureStore(path, "backbone") as store:
        for at in range(20):
            assert store.get(f"first {at}") is not None
            assert store.get(f"second {at}") is not None


def test_a_closed_store_is_asked_in_vain(path):
    """A thread may still read a photograph while a stopped run closes the store."""
    with FeatureStore(path, "backbone") as store:
        store.put("a", FEATURES)
    store.put("b", FEATURES)
    assert store.get("a") is None


def test_a_relative_cache_folder_is_not_used(tmp_path, monkeypatch):
    """It would be one in the working directory, beside the photographs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with open_store(BACKBONE) as store:
        store.put("a", np.zeros((3, 4), np.int8))
        assert store.get("a") is None
    assert list(tmp_path.iterdir()) == []
