"""The arrows between the packages, and what importing the runtime drags in."""

import ast

import pytest

from tests.conftest import ROOT, run

ARROWS = {
    "edge_runtime": set(),
    "train": {"edge_runtime"},
    "export": {"edge_runtime", "train"},
    "benchmarks": {"edge_runtime", "train", "export"},
}


def imports(path):
    """Yield the full names of all modules that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} uses a relative import"
            yield node.module


@pytest.mark.parametrize("package", ARROWS)
def test_arrows_run_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        rooms = {name.split(".")[0] for name in imports(path)} & ARROWS.keys()
        assert rooms <= ARROWS[package] | {package}, path


def test_one_file_touches_litert():
    files = (ROOT / "edge_runtime").rglob("*.py")
    assert [p.name for p in files if any("litert" in name for name in imports(p))] == ["engine.py"]


def test_one_file_touches_opencv():
    files = (ROOT / "edge_runtime").rglob("*.py")
    assert [p.name for p in files if "cv2" in imports(p)] == ["opencv.py"]


@pytest.mark.parametrize(
    ("library", "files"),
    [("ray", ["ray.py"]), ("pyarrow", ["remote.py", "ray.py", "parts.py"])],
)
def test_the_cluster_s_files_touch_ray_and_pyarrow(library, files):
    importing = [
        path.name
        for path in sorted((ROOT / "edge_runtime").rglob("*.py"))
        if any(name.split(".")[0] == library for name in imports(path))
    ]
    assert importing == files


HEAVY = ["tensorflow", "keras", "torch", "cv2", "matplotlib", "tqdm", "safetensors"]
HEAVY += ["ray", "pyarrow", "pandas"]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import edge_runtime", [*HEAVY, "typer", "numpy", "PIL", "ai_edge_litert"]),
        ("from edge_runtime import Classifier; Classifier()", [*HEAVY, "typer", "zipfile"]),
        ("import edge_runtime.cli.main", [*HEAVY, "typer", "numpy", "PIL", "ai_edge_litert"]),
        (
            "import edge_runtime.cli.options",
            [*HEAVY, "numpy", "PIL", "ai_edge_litert", "rich", "pydantic"],
        ),
    ],
)
def test_importing_the_runtime_stays_light(statement, absent):
    result = run("-c", f"import sys; {statement}; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    assert sorted({name.split(".")[0] for name in result.stdout.split()} & {*absent}) == []
