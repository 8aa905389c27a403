"""Drawn photographs, and a model that is taught them once."""

import json
import shutil

import numpy as np
import pytest

from edge_runtime.teaching.embedding import Backbone, comparable
from edge_runtime.teaching.graph import BACKBONE
from edge_runtime.teaching.store import open_store
from tests.conftest import run
from tests.edge_runtime.teaching.drawings import draw_classes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A folder with three classes of eight photographs; do not change it."""
    return draw_classes(tmp_path_factory.mktemp("shapes") / "shapes")


@pytest.fixture(scope="session")
def shapes_model(shapes):
    """The path of a model that was taught these, and the report as JSON."""
    path = shapes.parent / "taught.tflite"
    result = run("edge-teach", shapes, "--out", path, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return path, json.loads(result.stdout)


@pytest.fixture(scope="session")
def embed():
    """Return a function that gives the comparable features of files: (N, views, features)."""
    with open_store(BACKBONE) as store:
        backbone = Backbone(BACKBONE, store)

        def features_of(paths):
            found = backbone.embed([str(p) for p in paths], threads=2, done=lambda result: None)
            features = np.array([result.features for result in found])
            return comparable(features, backbone.blocks, backbone.quantization)[0]

        yield features_of


@pytest.fixture
def folder(shapes, tmp_path):
    """A folder of three classes that a test may change, in a folder of its own."""
    return shutil.copytree(shapes, tmp_path / "own")


def refused(folder, *options, code=1):
    """Run the command beside the folder, which must write nothing, and return its sentence."""
    before = sorted(folder.parent.iterdir())
    result = run("edge-teach", folder.name, *options, cwd=folder.parent)
    assert (result.returncode, result.stdout) == (code, ""), result.stderr
    assert sorted(folder.parent.iterdir()) == before
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("edge-teach: ").rstrip("\n")
