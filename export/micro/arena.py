"""Measure the arena, the working memory that TensorFlow Lite Micro needs to run a graph."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support import native_log
from export.micro.c_source import ALIGNMENT_BYTES

_LARGEST_BYTES = 1 << 30  # far beyond any microcontroller


def smallest_arena(graph: bytes, path: Path) -> int:
    """Return the size of the smallest arena that a graph runs in, in bytes.

    TensorFlow Lite Micro's recording allocator gives an estimate; trials in steps of
    `ALIGNMENT_BYTES` give the exact size. Pointers on this machine take twice the space that they
    take on a 32-bit microcontroller, which therefore needs a little less.

    Args:
        graph: a .tflite file without an archive behind it.
        path: the file that the graph is from, for messages.

    Raises:
        EdgeRuntimeError: it runs in no arena of up to 1 GiB.
    """
    # Loading needs memory for a short time that the estimate leaves out; tiny graphs free too
    # little later to cover it. So the estimate may be too small.
    enough = -(-_estimated_bytes(graph) // ALIGNMENT_BYTES)
    too_small = enough - 1
    while not runs(graph, enough * ALIGNMENT_BYTES):
        if enough * ALIGNMENT_BYTES > _LARGEST_BYTES:
            raise EdgeRuntimeError(
                f"{path} runs on TensorFlow Lite Micro in no arena of up to "
                f"{_LARGEST_BYTES >> 20} MiB; export it with --quantize int8."
            )
        too_small, enough = enough, 2 * enough
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if runs(graph, middle * ALIGNMENT_BYTES):
            enough = middle
        else:
            too_small = middle
    return enough * ALIGNMENT_BYTES


def _estimated_bytes(graph: bytes) -> int:
    """Return what TensorFlow Lite Micro's recording allocator reports."""
    from tflite_micro import runtime

    with native_log.dropped():
        interpreter = runtime.Interpreter.from_bytes(graph)
    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)  # the C++ code prints the report to standard error
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        log.seek(0)
        [total] = re.findall(rb"Arena allocation total (\d+) bytes", log.read())
    return int(total)


_TRIAL = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=int(sys.argv[1]))
image = interpreter.get_input_details(0)
interpreter.set_input(np.zeros(image["shape"], image["dtype"]), 0)
interpreter.invoke()
"""


def runs(graph: bytes, arena_bytes: int) -> bool:
    """Say whether a graph runs in an arena of this size.

    It is tried in a separate process, because an arena that is too small may crash it.
    """
    command = [sys.executable, "-c", _TRIAL, str(arena_bytes)]
    return subprocess.run(command, input=graph, capture_output=True).returncode == 0
