"""Why something failed, in words: without error numbers, and without chains of HTTP exceptions."""

from __future__ import annotations


def reason(exc: BaseException) -> str:
    """Return an exception's reason for use in a message that names the file itself.

    Args:
        exc: what was raised; of an OSError only the system's words are kept.
    """
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return " ".join(str(exc).split()) or type(exc).__name__


def sentence(exc: BaseException) -> str:
    """Return an exception as a sentence that names its file, if it is of a file."""
    if isinstance(exc, OSError) and exc.filename:
        return f"{exc.filename} cannot be used ({reason(exc)}); check it and its permissions."
    if isinstance(exc, OSError):
        return f"A file cannot be read or written ({reason(exc)})."
    return str(exc)
