"""Write the option tables of these pages from the commands: `python -m docs.option_tables`.

A page marks the place of a table with two comments. The text between them is replaced:

    <!-- options: python -m export.tflite -->
    <!-- end of options -->
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
import typer.main

# Where each command is defined: its Typer application, or the function that `run_command` runs.
COMMANDS = {
    "edge-classify": "edge_runtime.cli.options:app",
    "edge-benchmark": "edge_runtime.benchmark.cli:app",
    "edge-teach": "edge_runtime.teaching.cli:app",
    "python -m train": "train.__main__:app",
    "python -m export.tflite": "export.tflite:main",
    "python -m export.second_opinion": "export.second_opinion:main",
    "python -m export.weight_bits": "export.weight_bits:main",
    "python -m export.micro": "export.micro.__main__:main",
    "python -m benchmarks": "benchmarks.__main__:main",
    "python -m benchmarks.accuracy": "benchmarks.accuracy:main",
    "python -m benchmarks.cluster": "benchmarks.cluster:main",
    "python -m benchmarks.cold_start": "benchmarks.cold_start:main",
    "python -m benchmarks.layers": "benchmarks.layers:main",
    "python -m benchmarks.memory": "benchmarks.memory:main",
    "python -m benchmarks.runtime": "benchmarks.runtime:main",
    "python -m benchmarks.teaching": "benchmarks.teaching.__main__:main",
    "python -m benchmarks.training": "benchmarks.training:main",
    "python -m benchmarks.trust": "benchmarks.trust.__main__:main",
    "python -m benchmarks.views": "benchmarks.views.__main__:main",
}
_TABLE = re.compile(r"(<!-- options: ([^\n]*) -->\n)(.*?)(<!-- end of options -->\n)", re.DOTALL)
_EVERYWHERE = {"--help", "--install-completion", "--show-completion"}  # Typer adds them itself


def find_command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command that a command line starts, and its arguments.

    Args:
        words: of the command line, such as `["python", "-m", "train", "ship", "runs/a"]`.

    Raises:
        LookupError: the line starts none of `COMMANDS`.
    """
    for length in (3, 1):
        name, arguments = " ".join(words[:length]), list(words[length:])
        if name in COMMANDS:
            break
    else:
        raise LookupError(f"{' '.join(words)} starts none of our commands; see COMMANDS.")
    module, _, attribute = COMMANDS[name].partition(":")
    app = getattr(import_module(module), attribute)
    if not isinstance(app, typer.Typer):
        function, app = app, typer.Typer()
        app.command()(function)
    command: Any = typer.main.get_command(app)
    if arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]
    return command, arguments


def rows(command: Any) -> list[tuple[str, str, str]]:
    """Return the options of a command: how they are written, their help, default and range."""
    context = typer.Context(command)
    found = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and not _EVERYWHERE & {*parameter.opts}:
            name, text = record
            text, _, limits = text.partition("  [")
            found.append((name, text, limits.removesuffix("]")))
    return found


def table(line: str) -> str:
    """Return the options of a command as a Markdown table."""
    command, _ = find_command(line.split())
    if not rows(command):
        return "\nThe command has no options.\n\n"
    lines = ["", "| option | what it does | default, range |", "|---|---|---|"]
    for name, text, limits in rows(command):
        cells = (f"`{name}`", text, f"`{limits}`" if limits else "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n\n"


def updated(page: str) -> str:
    """Return the text of a page with its tables made again."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + found[4], page)


def main() -> None:
    """Make the tables of all pages again."""
    for path in sorted(Path(__file__).parent.glob("*.md")):
        path.write_text(updated(path.read_text()))


if __name__ == "__main__":
    main()
