"""The entry point of `edge-classify`.

Typer, which reads the options, takes a sixth of the time that one image takes from start to end.
So `edge_runtime.cli.options` is imported only if the command line has options.
"""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

from edge_runtime.support.console import run_to_end


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    gc.disable()  # until the model is loaded: imports allocate much and leave no garbage
    run_to_end("edge-classify", lambda: _run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    if arguments and not any(argument.startswith("-") for argument in arguments):
        from edge_runtime.cli.classify import classify

        return classify(arguments)
    from edge_runtime.cli.options import app

    code: int = app()
    return code
