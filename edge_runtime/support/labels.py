"""Comparing names of classes: equal names are one class, however Unicode spells them."""

from __future__ import annotations

from collections.abc import Iterable


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC).

    Folders copied from a Mac may have names in the decomposed form, which look the same.
    """
    if name.isascii():
        return name
    from unicodedata import normalize

    return normalize("NFC", name)


def first_of_same_name(names: Iterable[str]) -> list[int]:
    """Return for each name the index of the first one that is equal to it."""
    first: dict[str, int] = {}
    return [first.setdefault(composed(name), at) for at, name in enumerate(names)]
