"""What the commands share: Typer applications, and options and checks that several have."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable

import typer


def make_app() -> typer.Typer:
    """Return an application without completion, Rich markup and decorated tracebacks."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def run_command(function: Callable[..., None]) -> None:
    """Run a function as a command that SIGTERM ends like Ctrl-C, with exit code 130.

    So neither temporary folders nor child processes stay behind.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app = make_app()
    app.command()(function)
    app()


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
