"""Which versions of two components speak to each other (data/compatibility.toml)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from clusterimage.catalog.requirement import Requirement
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table
from clusterimage.values.version import Range, Version

KUBERNETES = "kubernetes"
_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two components, each with the versions that fit those of the other."""

    sides: tuple[tuple[str, Range], tuple[str, Range]]
    why: str

    @property
    def names(self) -> frozenset[str]:
        """The names of both."""
        return frozenset(name for name, _ in self.sides)

    def fits(self, versions: dict[str, Version]) -> bool:
        """Return whether both versions lie in the row."""
        return all(held.holds(versions[name]) for name, held in self.sides)


def load(path: Path) -> tuple[Pair, ...]:
    """Read data/compatibility.toml; a row that does not name two components raises ConfigError."""
    pairs = []
    for row in Table.load(path).tables("pair"):
        names = [name for name in row.values if name != "why"]
        if len(names) != 2:
            raise row.error("why", f"a row names two components, not {', '.join(names) or 'none'}")
        one, other = ((name, row.parse(name, Range.parse)) for name in names)
        pairs.append(Pair((one, other), row.text("why")))
    return tuple(pairs)


def refuse(requirement: Requirement, pairs: tuple[Pair, ...]) -> None:
    """Raise ConfigError naming two components of one flavor's `requirement` whose versions do not fit."""
    versions = {file.component: version for file in requirement.files if (version := _number(file.version))}
    versions[KUBERNETES] = requirement.kubernetes
    known = {pair.names for pair in pairs}
    for one, other in combinations(sorted(versions), 2):
        if {one, other} not in known:
            continue
        rows = [pair for pair in pairs if pair.names == {one, other}]
        if not any(pair.fits(versions) for pair in rows):
            both = f"{one} {versions[one].number} and {other} {versions[other].number} do not fit"
            hint = f"change a row of versions.toml (data/compatibility.toml: {'; '.join(pair.why for pair in rows)})"
            raise ConfigError(f"k8s={requirement.kubernetes}: {both}", hint=hint)


def _number(text: str) -> Version | None:
    match = _NUMBERS.match(text)
    return Version(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
