"""Which checksum files the real upstreams publish, and since which version: facts with their sources, as data.

The embedded upstream publishes by these facts and not by the templates of versions.toml, which they are there to test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.values.table import Table

_SHA256 = ("sha256", "list")


@dataclass(frozen=True, slots=True)
class Fact:
    """A row: from `first` to `last` (inclusive, () where open) the `components` have a checksum file of that kind."""

    components: tuple[str, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    kind: str
    name: str
    inferred: bool

    def holds(self, version: tuple[int, ...]) -> bool:
        """Return whether the row speaks of that version."""
        return (not self.first or version >= self.first) and (not self.last or version <= self.last)


def load(path: Path) -> tuple[Fact, ...]:
    """Read data/published-checksums.toml; no facts where there is no such file."""
    if not path.exists():
        return ()
    return tuple(
        Fact(
            components=row.texts("component"),
            first=number(row.text("from", "")),
            last=number(row.text("to", "")),
            kind=row.text("kind"),
            name=row.text("name", ""),
            inferred=row.text("sure") == "inferred",
        )
        for row in Table.load(path).tables("checksum")
    )


def publishes_sha256(facts: tuple[Fact, ...], component: str, version: str) -> bool | None:
    """Return whether upstream publishes a sha256 of that release; None for a component that no fact speaks of.

    What was only inferred, and not measured or read in a release script, does not count as published.
    """
    return _publishes(facts, component, version, _SHA256)


def publishes_sha512(facts: tuple[Fact, ...], component: str, version: str) -> bool | None:
    """Return whether upstream publishes a sha512 of that release, as publishes_sha256 does."""
    return _publishes(facts, component, version, ("sha512",))


def _publishes(facts: tuple[Fact, ...], component: str, version: str, kinds: tuple[str, ...]) -> bool | None:
    rows = [fact for fact in facts if component in fact.components]
    if not rows:
        return None
    return any(row.kind in kinds and not row.inferred and row.holds(number(version)) for row in rows)


def number(text: str) -> tuple[int, ...]:
    """Return a version for comparing: (1, 0, 0) for 1.0.0-rc90, () for no text."""
    return tuple(int(part) for part in text.partition("-")[0].split(".")) if text else ()
