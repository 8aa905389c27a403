"""Compare the commands of two checkouts.

    python -m tests.compare_outputs BEFORE [AFTER] [--only REGEX]

BEFORE is a checkout of the older version, AFTER is this one by default. Every command line of
`cases` runs with the code of both, in the same Python environment, on the same inputs. Reworded
messages are printed side by side. The exit code is 1 if anything else differs, except for what
`comparing` lists as agreed.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.compare_outputs import inputs
from tests.compare_outputs.cases import commands
from tests.compare_outputs.comparing import Differences
from tests.compare_outputs.running import SIGNALS, Checkout
from tests.conftest import ROOT

SHOWN = 5  # differences of one command line


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the report."""


def main() -> int:
    """Run and compare all command lines, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compare_outputs")
    parser.add_argument("before", type=Path, help="checkout of the older version")
    parser.add_argument("after", type=Path, nargs="?", default=ROOT, help="default: this one")
    parser.add_argument("--only", default="", help="compare command lines that match this regex")
    options = parser.parse_args()
    for root in (options.before, options.after):
        if not (root / "edge_runtime" / "__init__.py").exists():
            parser.error(f"{root} is not a checkout: it has no edge_runtime.")
    lines = [line for line in commands() if re.search(options.only, line)]
    if not lines:
        parser.error(f"--only {options.only} matches no command line.")
    with TemporaryDirectory() as temporary:
        return _compare(options.before.resolve(), options.after.resolve(), lines, Path(temporary))


def _compare(before: Path, after: Path, lines: list[str], work: Path) -> int:
    source = work / "source"
    source.mkdir()
    inputs.make(source, before)
    checkouts = [
        Checkout(root, work / name, source) for name, root in (("before", before), ("after", after))
    ]
    handler = partial(_Quiet, directory=str(source))
    reworded: dict[tuple[str, str], str] = {}
    wrong = 0
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        ThreadPoolExecutor(len(checkouts)) as executor,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        for number, line in enumerate(lines):
            if number % 20 == 0:
                print(f"{number} of {len(lines)} command lines", file=sys.stderr, flush=True)
            runs = [c.run for c in checkouts]
            filled = line.replace("{http}", address)
            in_turn = "--ray" in line  # two clusters at once are slow to start
            ran = (map if in_turn else executor.map)(
                lambda run, n=number, text=filled: run(f"{n:04}", text), runs
            )
            differences = Differences(loosely=any(f" {signal} " in line for signal in SIGNALS))
            for one, other in zip(*ran, strict=True):
                differences.compare(one, other)
            for pair in differences.reworded:
                reworded.setdefault(pair, line)
            if differences.wrong:
                wrong += 1
                shown = [*dict.fromkeys(differences.wrong)][:SHOWN]
                print(f"DIFFERS: {line}", *shown, sep="\n  ", flush=True)
        server.shutdown()
    for (one, other), line in reworded.items():
        print(f"REWORDED: {line}\n  before: {one}\n  after:  {other}")
    print(f"{len(lines)} command lines compared: {wrong} differ, {len(reworded)} reworded messages")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
