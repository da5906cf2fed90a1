"""Where the actions of a Go template are: {{ … }}, and comments {{/* … */}} (https://pkg.go.dev/text/template)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

LONGEST_LINE = 4096  # characters; the name of an image and its actions are far shorter


def split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of `text` in order, and whether each is an action, which then has its braces.

    Each character is looked at once, also where an action has no end.
    """
    at = 0
    while (start := text.find("{{", at)) >= 0:
        comment = text.startswith(("/*", "- /*"), start + 2)
        end = text.find("*/", start + 4) if comment else start
        end = text.find("}}", end) if end >= 0 else -1
        if end < 0:
            break
        if start > at:
            yield text[at:start], False
        yield text[start : end + 2], True
        at = end + 2
    if at < len(text):
        yield text[at:], False


def replaced(text: str, by: Callable[[str], str]) -> str:
    """Return `text` with every action replaced by what `by` makes of it."""
    return "".join(by(piece) if is_action else piece for piece, is_action in split(text))


def inside(action: str) -> str:
    """Return what an action says: without braces, dashes and blanks; a comment says nothing."""
    plain = action[2:-2].strip()
    plain = plain[1:] if plain.startswith("-") and plain[1:2].isspace() else plain
    plain = plain[:-1] if plain.endswith("-") and plain[-2:-1].isspace() else plain
    plain = plain.strip()
    return "" if plain.startswith("/*") else plain
