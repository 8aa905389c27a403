"""Download a file into the user's cache, once, with a progress bar; `pooch` does the work."""

from __future__ import annotations

from pathlib import Path

from train.reason import reason


class DownloadError(Exception):
    """A file could not be downloaded, or its hash is not the expected one."""


def fetch(url: str, name: str, known_hash: str | None, cache: str | Path | None = None) -> Path:
    """Return a file's path in the cache; download the file first if it is not there.

    Args:
        url: where the file comes from.
        name: the file's name in the cache.
        known_hash: "md5:..." or "sha256:..."; without it, any content is accepted.
        cache: folder of the cache; by default the user's.

    Raises:
        DownloadError: the download failed, the hash differs, or pooch is not installed.
    """
    try:
        import pooch
    except ModuleNotFoundError as exc:
        raise DownloadError("downloading needs pooch: pip install -e '.[train]'") from exc
    folder = cache or pooch.os_cache("edge-classify")
    try:
        return Path(pooch.retrieve(url, known_hash, name, folder, progressbar=True))
    except ValueError as exc:  # the hash differs
        raise DownloadError(str(exc)) from exc
    except OSError as exc:  # requests' errors are OSErrors too
        raise DownloadError(_reason(exc)) from exc


def _reason(exc: OSError) -> str:
    if exc.strerror or getattr(exc, "response", None) is not None:  # the server refused
        return reason(exc)
    return "its server cannot be reached, or broke off"
