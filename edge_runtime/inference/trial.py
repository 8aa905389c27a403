"""Trying a model in a child process first, so that its crash is not the caller's.

About one in 150 randomly damaged .tflite files makes LiteRT itself crash, and a GPU's driver may
do so for a sound one. The shipped files are known to be sound; of others that ran, the hash is
kept in `$XDG_CACHE_HOME/edge-classify/sound-models`, so that each is tried once.

    python -m edge_runtime.inference.trial MODEL DELEGATE GPU_PRECISION    what the child runs
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from edge_runtime.errors import DelegateError, EdgeRuntimeError, ModelError
from edge_runtime.inference import shipped
from edge_runtime.support.child import child_command, child_environment

_TIMEOUT_S = 60
_MAX_BYTES = 4 << 30  # of address space; a damaged shape may ask for any amount
_SOUND_EXIT, _REFUSED_EXIT = 0, 3


def ensure_sound(path: Path, delegate: str, *, gpu_precision: str = "fp32") -> None:
    """Load a model and run it once in a child process, unless it is known to be sound.

    What the model is refused for in good order is not reported: loading it will say it again.

    Args:
        delegate: as for `edge_runtime.inference.engine.open_engine`.

    Raises:
        ModelError: the file crashes LiteRT, or takes too long, on the CPU.
        DelegateError: it does so on another delegate.
        OSError: the file cannot be read.
    """
    on_cpu = delegate in ("xnnpack", "cpu")
    if on_cpu and path.parent == shipped.MODELS:
        return
    key = _key(path, delegate) if on_cpu else ""
    if on_cpu and key in _known():
        return
    import subprocess

    try:
        code = subprocess.run(
            child_command("edge_runtime.inference.trial", str(path), delegate, gpu_precision),
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        ).returncode
    except subprocess.TimeoutExpired:
        code = None
    if code == _SOUND_EXIT:
        if on_cpu:
            _remember(key)
    elif code != _REFUSED_EXIT:
        what = f"took more than {_TIMEOUT_S} s" if code is None else f"crashed LiteRT ({code})"
        if on_cpu:
            raise ModelError(f"{path} {what} when it was tried; copy or export it again.")
        raise DelegateError(
            f"{path} {what} when it was tried on {delegate}; use --delegate xnnpack."
        )


def _key(path: Path, delegate: str) -> str:
    import hashlib
    from importlib.metadata import version

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"{digest} {delegate} {version('ai-edge-litert')}"


def _cache() -> Path | None:
    """Return where hashes are kept; nowhere for a user who has no home."""
    for folder in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):  # noqa: PTH111
        if os.path.isabs(folder):  # noqa: PTH117
            return Path(folder) / "edge-classify" / "sound-models"
    return None


def _known() -> set[str]:
    cache = _cache()
    try:
        return set(cache.read_text().splitlines()) if cache else set()
    except (OSError, ValueError):
        return set()


def _remember(key: str) -> None:
    cache = _cache()
    with suppress(OSError):  # a device may have no place to write to
        if cache:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with cache.open("a") as stream:
                stream.write(key + "\n")


def _try(path: Path, delegate: str, gpu_precision: str) -> None:
    import numpy as np

    from edge_runtime.inference.engine import open_engine

    engine = open_engine(path, delegate=delegate, gpu_precision=gpu_precision)
    shape, dtype = engine.input.shape, engine.input.dtype
    noise = np.random.default_rng(0).integers(0, 256, shape)
    for image in (np.zeros(shape, dtype), noise.astype(dtype)):
        engine.run(image)


def _main() -> None:
    if sys.argv[2] in ("xnnpack", "cpu"):
        with suppress(ImportError, ValueError, OSError):  # not every system has it
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _try(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    except (EdgeRuntimeError, MemoryError):
        os._exit(_REFUSED_EXIT)
    os._exit(_SOUND_EXIT)


if __name__ == "__main__":
    _main()
