"""Every command of the README runs, and prints what the README says."""

import os
import re
import shlex

import pytest

from tests.conftest import ROOT, run
from train.cifar10 import ENVIRONMENT_VARIABLE

README = (ROOT / "README.md").read_text()


def examples() -> list[tuple[str, str]]:
    """Return the console blocks' commands with the output shown below each."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command.split("  #")[0].strip(), output))
    return found


def of_program(*prefixes: str) -> list[tuple[str, str]]:
    return [(c, output) for c, output in examples() if c.startswith(prefixes)]


def test_it_opens_with_the_two_commands():
    assert [command for command, _ in examples()][:2] == ["make demo", "make test"]


def test_every_command_is_known():
    known = ("make ", "pip install ", "edge-", "python -m ", "EDGE_CIFAR10=")
    assert [c for c, _ in examples() if not c.startswith(known)] == []


def on_a_cluster(wanted: bool) -> list[tuple[str, str]]:
    return [e for e in of_program("edge-classify ") if ("--ray" in e[0].split()) == wanted]


@pytest.mark.parametrize(("command", "output"), on_a_cluster(False))
def test_edge_classify(command, output, capfd):
    result = run(*shlex.split(command), cwd=ROOT)
    shown = result.stdout + result.stderr
    if "--delegates" in command:  # what else there is depends on the machine
        shown, output = (re.sub(r"(gpu|npu): .*", r"\1", text) for text in (shown, output))
    assert shown == output


@pytest.mark.slow  # two starts of Ray
def test_edge_classify_on_a_cluster(tmp_path):
    pytest.importorskip("ray")
    commands = on_a_cluster(True)
    assert commands
    without_cluster = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    for command, output in commands:  # the second goes on with the first one's results
        arguments = shlex.split(command.replace("results.parquet", f"{tmp_path}/results.parquet"))
        result = run(*arguments, cwd=ROOT, env=without_cluster)
        shown = re.sub(r"[\d.,]+ images/s", "R images/s", result.stdout + result.stderr)
        assert shown == re.sub(r"[\d.,]+ images/s", "R images/s", output)


@pytest.mark.parametrize(("command", "output"), of_program("edge-benchmark"))
def test_edge_benchmark(command, output):
    """All is as the README says, but for the machine, the figures and what follows from them."""

    def shape(text: str) -> list[str]:
        text = text.partition("\n\n")[2]
        text = re.sub(r"faster|slower|indistinguishable", "verdict", text)
        text = re.sub(r"^(Latency|Cold start): .*", r"\1", text, flags=re.MULTILINE)
        return [" ".join(line.split()) for line in re.sub(r"[\d,.]*\d", "N", text).splitlines()]

    result = run(*shlex.split(command), cwd=ROOT)
    assert (result.returncode, result.stderr) == (0, "")
    assert shape(result.stdout) == shape(output)


@pytest.mark.parametrize(("command", "output"), of_program("python -m export.tflite"))
def test_export(command, output, tmp_path):
    without_data = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}
    module = [*shlex.split(command)[1:], "--out", tmp_path / "model.tflite"]
    result = run(*module, cwd=ROOT, env=without_data)
    shown = re.sub(r"exports/[\w-]+\.tflite", str(tmp_path / "model.tflite"), output)
    assert result.stdout + result.stderr == shown


@pytest.mark.parametrize(("command", "output"), of_program("python -m export.micro"))
def test_micro(command, output, tmp_path):
    pytest.importorskip("tflite_micro")
    arguments = shlex.split(command)[1:]
    arguments[-1] = str(tmp_path)
    result = run(*arguments, cwd=ROOT)
    shown = (result.stdout + result.stderr).replace(str(tmp_path), shlex.split(command)[-1])
    # How XNNPACK rounds depends on the CPU.
    shown, output = (re.sub(r"agreement .*\n$", "", text) for text in (shown, output))
    assert shown == output


@pytest.mark.parametrize(("command", "output"), of_program("python -m train"))
def test_training_commands_are_valid(command, output):
    """They take half an hour; here they must get as far as looking for the data or the run."""
    module = shlex.split(command)[1:]
    if "ship" in module:
        module[-1] = "nowhere"  # the real one would replace the shipped checkpoint
    elif "summary" not in module:
        module += ["--data", "nowhere", "--out", "nowhere"]
    result = run(*module, cwd=ROOT)
    assert result.returncode == (0 if "summary" in module else 1)
    assert "nowhere" in result.stderr + result.stdout or "summary" in module


def of_accuracy() -> list:
    """Return the commands; ResNet18 takes a minute or two for the test images."""
    found = of_program("python -m benchmarks.accuracy")
    return [pytest.param(*e, marks=[pytest.mark.slow] * ("resnet18" in e[0])) for e in found]


@pytest.mark.parametrize(("command", "output"), of_accuracy())
@pytest.mark.timeout(1200)
def test_accuracy(command, output, cifar10, monkeypatch):
    import typer
    from typer.testing import CliRunner

    from benchmarks import accuracy

    monkeypatch.setattr(accuracy, "load", lambda path: cifar10)
    app = typer.Typer()
    app.command()(accuracy.main)
    assert CliRunner().invoke(app, shlex.split(command)[3:]).output == output
    reached = [float(percent) for percent in re.findall(r"top-1 ([\d.]+)%", output)]
    assert min(reached) >= 83  # the seed's figure
    # Between originals and their JPEGs, else between int8 and its float.
    assert max(reached) - min(reached) <= (1.5 if "--photographs" in command else 0.3)


def test_the_report_s_command_is_valid(tmp_path):
    assert ("python -m benchmarks", "") in examples()
    result = run("-m", "benchmarks", "--help", cwd=ROOT, env={**os.environ, "COLUMNS": "100"})
    for option in ("--only", "--reference", "--untrained", "--threads", "--batch", "--delegate"):
        assert option in result.stdout
        assert f"`{option}" in README


@pytest.mark.parametrize(("command", "output"), of_program("make "))
def test_make_targets_exist(command, output):
    for target in command.split()[1:]:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("program", ["edge-classify", "edge-benchmark"])
def test_every_option_is_documented(program):
    options = re.findall(r"--[a-z][\w-]+", run(program, "--help").stdout)
    assert options
    assert [option for option in options if f"`{option}" not in README] == []


def test_the_python_example_runs():
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = run("-c", example, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    shown = [line[2:] for line in example.splitlines() if line.startswith("# ")]
    assert result.stdout.splitlines() == shown
