"""Trying a model in a child process first, so that its crash does not end the caller.

About one in 150 randomly damaged .tflite files crashes LiteRT itself. OpenVINO or a GPU driver may
crash on a sound one. Shipped files are known to be sound. The hashes of other files that ran are
kept in the user's cache folder (on Linux `$XDG_CACHE_HOME/edge-classify/sound-models`), so that
each file is tried once.

    python -m edge_runtime.inference.trial MODEL DELEGATE GPU_PRECISION    runs in the child
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from edge_runtime.errors import DelegateError, EdgeRuntimeError, ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.placement import CPU_DELEGATES, ON_CPU, OPENVINO

TIMEOUT_S = 60.0
_MAX_BYTES = 4 << 30  # of address space; a damaged shape may ask for any amount
_SOUND_EXIT, _REFUSED_EXIT = 0, 3


def ensure_sound(path: Path, delegate: str, *, gpu_precision: str = "fp32") -> None:
    """Load a model and run it once in a child process, unless it is known to be sound.

    If no child process can be started, the model is not tried. Ordinary errors of the model are not
    reported here, because loading it reports them again.

    Args:
        path: the model file.
        delegate: one of `placement.DELEGATES`, or the path of an external delegate's library.
        gpu_precision: type in which the GPU computes, `fp32` or `fp16`.

    Raises:
        ModelError: on `xnnpack` or `cpu`, the model crashes LiteRT or takes longer than
            `TIMEOUT_S`.
        DelegateError: it does so on another delegate.
        OSError: the file cannot be read.
    """
    on_cpu = delegate in ON_CPU
    if on_cpu and shipped.is_shipped(path):
        return
    key = _key(path, delegate) if on_cpu else ""
    if on_cpu and key in _known():
        return
    try:
        code = _exit_code_of_trial(path, delegate, gpu_precision)
    except OSError:  # no process can be started here
        return
    if code == _SOUND_EXIT:
        if on_cpu:
            _remember(key)
    elif code != _REFUSED_EXIT:
        library = "OpenVINO" if delegate == OPENVINO else "LiteRT"
        what = f"took more than {TIMEOUT_S:g} s" if code is None else f"crashed {library} ({code})"
        if delegate in CPU_DELEGATES:
            raise ModelError(f"{path} {what} when it was tried; copy or export it again.")
        raise DelegateError(
            f"{path} {what} when it was tried on {delegate}; use --delegate xnnpack."
        )


def _exit_code_of_trial(path: Path, delegate: str, gpu_precision: str) -> int | None:
    """Return the exit code of the child process, or None if it took too long."""
    import subprocess

    from edge_runtime.support.child import child_command, child_environment

    command = child_command("edge_runtime.inference.trial", str(path), delegate, gpu_precision)
    try:
        return subprocess.run(
            command,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def sound_models() -> Path | None:
    """Return the file of hashes, or None for a user without a home folder."""
    from edge_runtime.support.files import cache_folder

    folder = cache_folder()
    return folder and folder / "sound-models"


def _key(path: Path, delegate: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    from edge_runtime.support.files import file_sha256

    try:
        library = version("openvino" if delegate == OPENVINO else "ai-edge-litert")
    except PackageNotFoundError:  # a frozen application may lack it
        library = "unknown"
    return f"{file_sha256(path)} {delegate} {library}"


def _known() -> set[str]:
    cache = sound_models()
    try:
        return set(cache.read_text().splitlines()) if cache else set()
    except (OSError, ValueError):
        return set()


def _remember(key: str) -> None:
    cache = sound_models()
    with suppress(OSError):  # a device may have no place to write to
        if cache:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with cache.open("a") as stream:
                stream.write(key + "\n")


def _try(path: Path, delegate: str, gpu_precision: str) -> None:
    import numpy as np

    from edge_runtime.inference.opening import open_engine

    engine = open_engine(path, delegate=delegate, gpu_precision=gpu_precision)
    shape, dtype = engine.input.shape, engine.input.dtype
    noise = np.random.default_rng(0).integers(0, 256, shape)
    for image in (np.zeros(shape, dtype), noise.astype(dtype)):
        engine.run(image)


def _main() -> None:
    if sys.argv[2] in ON_CPU:
        with suppress(ImportError, ValueError, OSError):  # not every system has these limits
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
