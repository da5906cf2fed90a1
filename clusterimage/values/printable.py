"""Text from outside, made fit for a line of a terminal, a log or a record."""

from __future__ import annotations

_LONGEST = 300


def printable(text: str) -> str:
    r"""Return `text` in one line: what does not print is written as \x1b is, what is too long is cut.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)
