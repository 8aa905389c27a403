"""Starting a workstation command: its extra is there, and TensorFlow keeps quiet."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from types import TracebackType

from edge_runtime.support import native_log

_MODULES = {
    "train": ("keras", "safetensors", "matplotlib", "pooch", "tqdm"),
    "export": (
        "keras",
        "matplotlib",
        "safetensors",
        "tensorflow",
        "tensorflow_model_optimization",
        "tf_keras",
        "tqdm",
    ),
}


def start(extra: str) -> None:
    """Import Keras and its backend without the C++ code's chatter on stderr.

    Ends the program with exit code 1 and the command to run when the extra is not installed.

    Args:
        extra: of pyproject.toml, "train" or "export".
    """
    sys.excepthook = _one_line_of_interruption
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow" and find_spec(backend) is None:
        sys.exit(f"KERAS_BACKEND names {backend}, which is not installed; install it, or unset it.")
    modules = {*_MODULES[extra], backend}
    missing = sorted(module for module in modules if find_spec(module) is None)
    if missing:
        sys.exit(f"{', '.join(missing)} not found; install with: pip install -e '.[{extra}]'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Without it TensorFlow takes oneDNN's kernels on CPUs with AVX-512 VNNI or better only, and
    # trains ResNet18 1.5 to 4 times slower on one with AVX2.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with native_log.dropped():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()  # it says here that it found no GPU, not later


def _one_line_of_interruption(
    kind: type[BaseException], exc: BaseException, traceback: TracebackType | None
) -> None:
    """Say of Ctrl-C while all is being imported, which takes seconds, what commands say later."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped; nothing was begun", file=sys.stderr)
    else:
        sys.__excepthook__(kind, exc, traceback)
