"""The imports that pyproject.toml allows, and the modules that importing the runtime loads."""

import pytest

from tests.conftest import ROOT, run

HEAVY = ["tensorflow", "keras", "torch", "cv2", "matplotlib", "tqdm", "safetensors"]
HEAVY += ["ray", "pyarrow", "pandas", "urllib3"]
OWN_STATE = ["filelock", "platformdirs"]  # only what locks or remembers files needs them


def test_only_declared_imports_exist():
    """Packages, rooms and files import what [tool.importlinter] allows, and never in a circle."""
    command = "from importlinter.cli import lint_imports_command as lint; lint()"
    result = run("-c", command, "--no-cache", cwd=ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import edge_runtime", [*HEAVY, *OWN_STATE, "typer", "numpy", "PIL", "ai_edge_litert"]),
        (
            "from edge_runtime import Classifier; Classifier()",
            [*HEAVY, *OWN_STATE, "typer", "zipfile"],
        ),
        (
            "import edge_runtime.cli.main",
            [*HEAVY, *OWN_STATE, "typer", "numpy", "PIL", "ai_edge_litert"],
        ),
        (
            "import edge_runtime.cli.options",
            [*HEAVY, *OWN_STATE, "numpy", "PIL", "ai_edge_litert", "rich", "pydantic"],
        ),
    ],
)
def test_importing_the_runtime_stays_light(statement, absent):
    result = run("-c", f"import sys; {statement}; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    assert sorted({name.split(".")[0] for name in result.stdout.split()} & {*absent}) == []
