"""What is said to people: sizes in bytes, counts, and lines in columns."""

from __future__ import annotations

from collections.abc import Sequence


def size(count: int) -> str:
    """Return a number of bytes as people read it: `1.2 MB`, powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def count(number: int, one: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def columns(rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """Return `rows` as lines, every column as wide as its widest cell; those whose index is in `right` end together."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        padded = [f"{c:>{w}}" if str(index) in right else f"{c:<{w}}" for index, (c, w) in enumerate(cells)]
        lines.append("  ".join(padded).rstrip())
    return lines
