"""Text of others in messages: what a server says goes to a terminal and into a log."""

from __future__ import annotations

_MOST = 300


def shown(text: str, most: int = _MOST) -> str:
    r"""Return `text` on one line, control characters escaped, and cut after `most` characters.

    >>> shown("two\r\nlines, \x1b[31mred")
    'two lines, \\x1b[31mred'
    >>> shown("long", most=2)
    'lo…'
    """
    line = " ".join(text[: 4 * most].split())
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return safe if len(safe) <= most else f"{safe[:most]}…"
