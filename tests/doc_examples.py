"""The examples of README.md, CONTRIBUTING.md and docs: how they are found, run and compared.

A console block shows commands with what they print. A command that no test can run ends with
`  # not tested: REASON`; its options are checked all the same. The comments at the end of a Python
block are what it prints; `# not tested: REASON` as its first line says that no test runs it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from docs.option_tables import find_command
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_TESTED = "not tested: "
CLIP = "clip.avi"  # the video of the examples
CALIBRATION = "export/calibration"  # committed images
PHOTOGRAPHS = "photographs"  # the folder of the examples of edge-teach
_BIN = Path(sys.executable).parent
_DATA = "EDGE_CIFAR10"
_TIMEOUT_S = 1200
_WITHOUT_TYPER = ("benchmarks.browser", "http.server", "tests.refresh_docs")


class Example(NamedTuple):
    """A command with its output.

    Attributes:
        prompt: the line as it stands in the page, after `$ `, with its comment.
        output: the lines below it.
    """

    prompt: str
    output: str

    @property
    def command(self) -> str:
        return self.prompt.partition("  # ")[0].strip()

    @property
    def is_tested(self) -> bool:
        return not self.prompt.partition("  # ")[2].startswith(NOT_TESTED)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def examples(self) -> list[Example]:
        """The commands of a console block."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [Example(*part.partition("\n")[::2]) for part in parts]

    @property
    def is_slow(self) -> bool:
        """Whether it takes minutes, so that only `make slow` runs it."""
        commands = [example.command for example in self.examples if example.is_tested]
        return any(
            "--ray" in c or "benchmarks.accuracy" in c or c.startswith("python -m export.tflite")
            for c in commands
        )


_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[Block]:
    """Return the fenced blocks of all pages in one language."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in _FENCE.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(page, line, language, match[2]))
    return found


def prepare(folder: Path, text: str) -> None:
    """Put into a folder what examples find in a checkout, and what else they name.

    That is the video, and the photographs that a block of docs/teach.md makes.
    """
    for name in ("edge_runtime", "examples"):
        (folder / name).symlink_to(ROOT / name)
    if CLIP in text:
        _make_clip(folder / CLIP)
    needs_photographs = f"edge-teach {PHOTOGRAPHS}" in text or f'teach("{PHOTOGRAPHS}"' in text
    if needs_photographs or CALIBRATION in text:
        # Not all of the package: it would shadow the real one in `python -m export.tflite`.
        (folder / CALIBRATION).parent.mkdir()
        (folder / CALIBRATION).symlink_to(ROOT / CALIBRATION)
    if needs_photographs:
        run_python(_maker_of_photographs(), folder)


def run(example: Example, folder: Path) -> str:
    """Run an example in a folder and return what it prints."""
    command = example.command
    if command.startswith("make "):
        command = _recipe(command)
    elif command.startswith("pip install "):
        _require_extras(command)
        return ""
    return _printed(["bash", "-c", command], folder, with_data="benchmarks.accuracy" in command)


def run_python(block: Block, folder: Path) -> str:
    """Run a Python block in a folder and return what it prints."""
    return _printed([sys.executable, "-c", block.text], folder)


def check_usage(command: str) -> None:
    """Check that a command that no test runs exists and takes these options.

    Raises:
        Exception: it does not.
    """
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_0-9]+=", word)]
    if words[0] == "make":
        _recipe(" ".join(words))
    elif words[:2] == ["pip", "install"]:
        _require_extras(command)
    elif words[0] != "pytest" and {*words[2:3]}.isdisjoint(_WITHOUT_TYPER):
        found, arguments = find_command(words)
        with TemporaryDirectory() as folder, chdir(folder):
            for argument in arguments:
                if argument.startswith("runs/"):  # the command requires that it exists
                    Path(argument).mkdir(parents=True, exist_ok=True)
            found.make_context(words[0], arguments)


def steady(command: str, output: str) -> str:
    """Return what of an output is the same on every machine and at every time."""
    output = output.replace(f"{ROOT}/", "")
    if command.startswith("edge-benchmark"):
        output = output.partition("\n\n")[2]  # above it is the machine
        output = re.sub(r"faster|slower|indistinguishable|too few calls to tell", "verdict", output)
        output = re.sub(r"^(Latency|Cold start): .*", r"\1", output, flags=re.MULTILINE)
        output = re.sub(r"[\d,.]*\d", "N", output)
        return "\n".join(" ".join(line.split()) for line in output.splitlines())
    if "export.micro" in command:  # how XNNPACK rounds depends on the CPU
        output = re.sub(r"^(against --delegate xnnpack, [^:]*:).*", r"\1", output, flags=re.M)
    if "edge-teach" in command or "taught.tflite" in command:
        # The backbone's rounding depends on the CPU, and with it all figures but the counts.
        output = re.sub(r"^  .* taken for .*\n", "", output, flags=re.MULTILINE)
        count = r"(^  [\w-]+ +\d+$)"  # of the photographs of a class
        output = re.sub(rf"{count}|\d[\d.,]*", lambda n: n[1] or "N", output, flags=re.MULTILINE)
    output = re.sub(r"[\d.,]+ images/s", "R images/s", output)
    output = re.sub(r"\(age \d+ ms", "(age N ms", output)
    output = re.sub(r'"(captured_at|age_ms)": [\d.]+', r'"\1": N', output)
    # Which of these there are depends on the machine.
    return re.sub(r"^(gpu|npu): .*", r"\1", output, flags=re.MULTILINE)


def printed_comments(text: str) -> list[str]:
    """Return the comments at the end of a Python block: what it prints."""
    lines = text.splitlines()
    first = len(lines)
    while first and lines[first - 1].startswith("# "):
        first -= 1
    return [line[2:] for line in lines[first:]]


def data() -> Path:
    """Return where CIFAR-10 is, if it is there."""
    shared = ROOT.parent / "shared" / "cifar10" / "cifar-10-binary.tar.gz"
    return Path(os.environ.get(_DATA) or shared)


def _printed(command: list[str], folder: Path, *, with_data: bool = False) -> str:
    env = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", _DATA)}
    env |= {"PATH": f"{_BIN}:{env['PATH']}", "PYTHONPATH": str(ROOT)}
    if with_data:
        env[_DATA] = str(data())
    output = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
    ).stdout
    assert "Traceback (most recent call last)" not in output, output
    return output


def _recipe(command: str) -> str:
    """Return what a target of the Makefile runs of our commands, as a command line.

    Raises:
        subprocess.CalledProcessError: there is no such target.
    """
    lines = subprocess.run(
        ["make", "--dry-run", *command.split()[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return "\n".join(line.replace(".venv/bin/", "") for line in lines if "edge-classify " in line)


def _require_extras(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*?)\]", command))):
        assert extra in project["optional-dependencies"], f"there is no extra {extra}"


def _maker_of_photographs() -> Block:
    """Return the block of the guide that makes the folder of photographs."""
    (block,) = [b for b in blocks("python") if f'Path("{PHOTOGRAPHS}", ' in b.text]
    return block


def _make_clip(path: Path) -> None:
    """Write a video: the ship for two seconds, then the truck for one; 10 frames a second."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 128))
    for name, frames in (("ship", 20), ("truck", 10)):
        image = cv2.imread(str(ROOT / "edge_runtime" / "samples" / f"{name}.png"))
        for _ in range(frames):
            writer.write(cv2.resize(image, (128, 128)))
    writer.release()
