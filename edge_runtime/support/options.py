"""Parts that the options of all commands share. Imports Typer."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable

import typer


def make_app() -> typer.Typer:
    """Return an application without completion, Rich markup and decorated tracebacks."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def run_command(function: Callable[..., None]) -> None:
    """Run a function as a command, which SIGTERM ends like Ctrl-C.

    So temporary folders and child processes do not stay behind. The exit code is 130 then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    typer.run(function)


def finite(number: float | None) -> float | None:
    """Reject NaN, which Typer's minimum and maximum let through.

    Pass this as the `callback` of an option.
    """
    if number is not None and math.isnan(number):
        raise typer.BadParameter(f"expected a number, but got {number}.")
    return number


def version_printer(program: str) -> Callable[[bool], None]:
    """Return the callback of a command's `--version`, which prints the version and exits."""

    def print_version(wanted: bool) -> None:
        if wanted:
            from importlib.metadata import version

            typer.echo(f"{program} {version('edge-classify')}")
            raise typer.Exit

    return print_version
