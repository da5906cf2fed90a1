"""What belongs together on two sides: the same name, else the next version of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")
Name = tuple[str, str]  # what it is, and which version of it


def matched(
    a: Mapping[Name, T], b: Mapping[Name, T]
) -> Iterator[tuple[str, tuple[str, T] | None, tuple[str, T] | None]]:
    """Yield (what, (version, thing) of a, the same of b), sorted; None where a side has nothing to set against it."""
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
