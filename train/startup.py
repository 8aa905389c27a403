"""Start a workstation command: check that its extra is installed, and keep TensorFlow quiet."""

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
    """Import Keras and its backend without the messages of their C++ code on stderr.

    If the extra is not installed, end the program with exit code 1 and the command that installs
    it.

    Args:
        extra: name of an extra in pyproject.toml, "train" or "export".
    """
    sys.excepthook = _report_interruption
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow" and find_spec(backend) is None:
        sys.exit(
            f"KERAS_BACKEND names {backend}, which is not installed; install it, or unset "
            f"KERAS_BACKEND."
        )
    modules = {*_MODULES[extra], backend}
    missing = sorted(module for module in modules if find_spec(module) is None)
    if missing:
        sys.exit(f"{', '.join(missing)} not found; install with: pip install -e '.[{extra}]'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # By default TensorFlow uses oneDNN's kernels only on CPUs with AVX-512 VNNI or better. On a CPU
    # with AVX2 alone it then trains ResNet18 1.5 to 4 times slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with native_log.dropped():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()  # the message about a missing GPU comes here


def _report_interruption(
    kind: type[BaseException], exc: BaseException, traceback: TracebackType | None
) -> None:
    """Answer Ctrl-C during the imports, which take seconds, with one line and no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped before anything began", file=sys.stderr)
    else:
        sys.__excepthook__(kind, exc, traceback)
