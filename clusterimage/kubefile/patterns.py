"""Patterns of paths as Go reads them: https://pkg.go.dev/path/filepath#Match, in ignore files also with `**`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\*\*/|\*+|\?|\[(?:\\.|[^]\\])*\]|\\.|.", re.DOTALL)
_BOUND = re.compile(r"\\(.)|([^-])", re.DOTALL)


class BadPatternError(ValueError):
    """Text that is no pattern; it says why."""


def is_pattern(text: str) -> bool:
    """Return whether `text` is more than a name."""
    return any(char in text for char in "*?[\\")


def compiled(pattern: str, *, deep: bool = False) -> re.Pattern[str]:
    """Return the expression whose full match is a match of `pattern`; raises BadPatternError.

    With `deep` a `**` stands for any number of directories, else it is one star.
    """
    return re.compile("".join(_expressions(pattern, deep)), re.DOTALL)


def _expressions(pattern: str, deep: bool) -> Iterator[str]:
    for token in _TOKEN.findall(pattern):
        if token.startswith("["):
            yield _class(token)
        elif token == "\\":
            raise BadPatternError("a backslash stands at its end")
        elif token.startswith("\\"):
            yield re.escape(token[1:])
        elif token.startswith("**") and deep:
            yield "(?:.*/)?" if token.endswith("/") else ".*"
        elif token.startswith("*"):
            yield "[^/]*" + ("/" if token.endswith("/") else "")
        else:
            yield "[^/]" if token == "?" else re.escape(token)


def _class(token: str) -> str:
    """Return a class of characters: `[^` is none of them, `!` is a character like any other."""
    if token == "[":
        raise BadPatternError("a bracket is not closed")
    inside = token[1:-1]
    none_of = inside.startswith("^")
    at = 1 if none_of else 0
    ranges = []
    while at < len(inside):
        low, at = _bound(inside, at)
        high = low
        if inside[at : at + 1] == "-":
            high, at = _bound(inside, at + 1)
        if low <= high:  # Go takes a range that ends before it begins, and finds nothing in it
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not inside.removeprefix("^"):
        raise BadPatternError("brackets have nothing between them")
    if none_of:
        return f"[^/{''.join(ranges)}]"
    return f"[{''.join(ranges)}]" if ranges else r"(?!)"


def _bound(inside: str, at: int) -> tuple[str, int]:
    found = _BOUND.match(inside, at)
    if found is None:
        raise BadPatternError("a - in brackets has nothing on one side")
    return found[1] or found[2], found.end()
