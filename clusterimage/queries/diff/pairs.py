"""Match the items of two sides: equal name and version first, then other versions of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")
Name = tuple[str, str]  # (name, version)


def matched(
    a: Mapping[Name, T], b: Mapping[Name, T]
) -> Iterator[tuple[str, tuple[str, T] | None, tuple[str, T] | None]]:
    """Yield (name, (version, item) of a, (version, item) of b), sorted by name; None where a side has no match."""
    for what in sorted({what for what, _ in (*a, *b)}):
        left = {version: thing for (name, version), thing in a.items() if name == what}
        right = {version: thing for (name, version), thing in b.items() if name == what}
        for version in sorted(left.keys() & right.keys()):
            yield what, (version, left.pop(version)), (version, right.pop(version))
        for old, new in zip_longest(sorted(left), sorted(right)):
            yield (
                what,
                None if old is None else (old, left[old]),
                None if new is None else (new, right[new]),
            )
