"""What `edge-benchmark --tune` does: tune models, print and keep the choices, or forget them."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_runtime.benchmark.images import BenchmarkImages
from edge_runtime.benchmark.tune import tune
from edge_runtime.benchmark.tune_report import record, text
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inference.tuning import forget, keep, tuned_folder
from edge_runtime.support.environment import read_environment

FORMAT = "edge-benchmark-tune 1"


def tune_models(
    models: Sequence[str],
    images: BenchmarkImages,
    say: Callable[[str], None],
    show: Callable[[str], None],
    *,
    calls: int | None,
    as_json: bool,
) -> int:
    """Tune models one after the other, keep each choice at once, and return the exit code.

    Args:
        models: names of shipped models, or .tflite files.
        images: the images to classify.
        say: called with each message for standard error.
        show: displays what is being done.
        calls: as in `edge_runtime.benchmark.session.Plan`.
        as_json: print JSON instead of tables.
    """
    try:
        _require_writable()
    except OSError as exc:
        say(_not_kept("the choice", exc))
        return 1
    environment = read_environment()
    if not as_json:
        print(*environment.lines(), "", sep="\n", flush=True)
    failed = bool(images.failed)
    records = []
    for model in models:
        try:
            tuning = tune(model, images, show, calls=calls)
        except EdgeRuntimeError as exc:
            show("")
            say(str(exc))
            failed = True
            continue
        show("")
        if not as_json:
            print(text(tuning), flush=True)
        records.append(record(tuning))
        for name, conditions in tuning.session.conditions.items():
            if conditions.disturbed:
                say(f"{model}, {name}: {conditions.sentence}")
        try:
            keep(shipped.find(model), tuning.tuned)
        except OSError as exc:
            say(_not_kept(f"the choice for {model}", exc))
            failed = True
            continue
        say(f"{model}: --delegate auto now means {tuning.tuned}.")
    if as_json:
        found = {"format": FORMAT, "environment": environment.record(), "models": records}
        print(json.dumps(found, indent=1), flush=True)
    return int(failed)


def forget_models(models: Sequence[str], say: Callable[[str], None]) -> int:
    """Remove the choices for some models, say which they were, and return the exit code.

    Args:
        models: names of shipped models, or .tflite files; empty for all.
        say: called with each message for standard error.
    """
    try:
        paths: list[Path | None] = [shipped.find(model) for model in models]
        for path in paths or [None]:
            found = forget(path)
            for what in found:
                print(f"Forgot {what}.", flush=True)
            if not found:
                print(f"Nothing was tuned{f' for {path}' if path else ''}.", flush=True)
    except OSError as exc:
        say(f"{exc.filename} cannot be removed ({exc.strerror}); remove it yourself.")
        return 1
    return 0


def _require_writable() -> None:
    """Fail before minutes of measuring if no choice can be kept.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder = tuned_folder()
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, "there is no home folder", "the cache folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(folder)) from exc


def _not_kept(what: str, exc: OSError) -> str:
    return (
        f"{what} cannot be kept in {exc.filename} ({exc.strerror}); let XDG_CACHE_HOME name a "
        f"folder that can be written."
    )
