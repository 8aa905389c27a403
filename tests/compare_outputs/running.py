"""Run a command line with the code of one checkout and keep what it prints and writes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SIGNALS = {"KILL": signal.SIGKILL, "INTERRUPT": signal.SIGINT}
TIMEOUT_S = 300

# Entry points of edge-classify: today's, then the one that version 0.1 had.
_RUN = """
import importlib, sys
sys.argv[0] = sys.argv.pop(1)
modules = {
    "edge-classify": ["edge_runtime.cli.main", "edge_runtime.command"],
    "edge-benchmark": ["edge_runtime.benchmark.cli"],
}
for name in modules[sys.argv[0]]:
    try:
        module = importlib.import_module(name)
        break
    except ModuleNotFoundError as exc:
        if not (exc.name or "").startswith("edge_runtime."):
            raise
module.main()
"""


@dataclass(frozen=True)
class Outcome:
    """What one command did.

    Attributes:
        arguments: the command's name and its arguments.
        stopped: whether it got a signal, so that what it wrote depends on the moment.
        files: content of every file in the folder after the command, by name.
    """

    arguments: list[str]
    stopped: bool
    code: int
    stdout: str
    stderr: str
    files: dict[str, bytes]


class Checkout:
    """One checkout, whose commands run in folders of their own."""

    def __init__(self, root: Path, work: Path, inputs: Path) -> None:
        """Check that its code is what runs.

        Args:
            work: an empty folder, for the commands' folders and caches.
            inputs: linked into each of them as `inputs`.
        """
        self._work, self._inputs = work, inputs
        self._environment = {
            **{name: v for name, v in os.environ.items() if name != "RAY_ADDRESS"},
            "PYTHONPATH": str(root),
            "XDG_CACHE_HOME": str(work / "cache"),
        }
        work.mkdir()
        self._overwrite = ""
        code = "import edge_runtime; print(edge_runtime.__file__)"
        where = subprocess.run(
            [sys.executable, "-c", code],
            env=self._environment,
            cwd=work,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if Path(where) != root / "edge_runtime" / "__init__.py":
            sys.exit(f"expected the code of {root}, but {where} is imported.")
        [told] = self.run("help", "edge-classify --help")
        if "--overwrite" in told.stdout:
            self._overwrite = "--overwrite"

    def run(self, name: str, line: str) -> list[Outcome]:
        """Run the commands of a line, one after the other, in a new folder of that name."""
        folder = self._work / name
        folder.mkdir()
        (folder / "inputs").symlink_to(self._inputs)
        program, _, rest = line.replace("{overwrite}", self._overwrite).partition(" ")
        return [self._step(folder, program, step) for step in rest.split(" && ")]

    def _step(self, folder: Path, program: str, step: str) -> Outcome:
        step, _, standard_input = step.partition("<")
        arguments = shlex.split(step)
        stop = SIGNALS.get(arguments[0]) if arguments else None
        arguments = [program, *arguments[stop is not None :]]
        source = folder / standard_input.strip() if standard_input else Path(os.devnull)
        with (
            source.open("rb") as stdin,
            (self._work / "stdout").open("w+b") as stdout,
            (self._work / "stderr").open("w+b") as stderr,
        ):
            process = subprocess.Popen(
                [sys.executable, "-c", _RUN, *arguments],
                stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=self._environment,
            )  # fmt: skip
            if stop is not None:
                _stop(process, folder, stop)
            code = process.wait(TIMEOUT_S)
            texts = []
            for stream in (stdout, stderr):
                stream.seek(0)
                text = stream.read().decode(errors="surrogateescape")
                texts.append(text.replace(str(folder), "FOLDER"))
        if stop is not None and code == 0:
            sys.exit(f"{' '.join(arguments)} ended before it could be stopped.")
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] != "inputs"
        }
        return Outcome(arguments, stop is not None, code, *texts, files)


def _stop(process: subprocess.Popen[bytes], folder: Path, stop: signal.Signals) -> None:
    """Send a signal once a `.part` file holds more than a heading."""
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if any(path.stat().st_size > 100 for path in folder.glob("*.part")):
            process.send_signal(stop)
            return
        time.sleep(0.001)
