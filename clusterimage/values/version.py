"""Kubernetes-style versions and the ranges that rules are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterimage.values.errors import ConfigError

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_TERM = re.compile(r"(<=|>=|<|>|==)\s*v?(\d+(?:\.\d+){0,2})")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A released version, ordered by number: 1.9.0 < 1.10.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `v1.22.15` or `1.22.15`; anything else, pre-releases included, raises ConfigError.

        >>> str(Version.parse("1.22.15"))
        'v1.22.15'
        """
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ConfigError(f"'{text}' is not a released version", hint="write it like v1.22.15")
        return cls(*(int(part) for part in match.groups()))

    @property
    def number(self) -> str:
        """The version without its `v`, as checksum tables and release URLs spell it."""
        return f"{self.major}.{self.minor}.{self.patch}"

    def __str__(self) -> str:
        return f"v{self.number}"


@dataclass(frozen=True, slots=True)
class Range:
    """A comma list of comparisons that all must hold; the empty range holds for every version."""

    text: str
    terms: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read `>=1.15,<1.23`; missing numbers are zero.

        >>> Range.parse(">=1.15,<1.23").holds(Version.parse("v1.22.15"))
        True
        >>> Range.parse("<1.24").holds(Version.parse("v1.24.0"))
        False
        """
        terms = []
        for term in filter(None, (part.strip() for part in text.split(","))):
            match = _TERM.fullmatch(term)
            if match is None:
                raise ConfigError(f"'{text}' is not a range", hint="write it like >=1.15,<1.23")
            numbers = [int(number) for number in match[2].split(".")]
            terms.append((match[1], Version(*(numbers + [0, 0])[:3])))
        return cls(text, tuple(terms))

    def holds(self, version: Version) -> bool:
        """Return whether `version` lies in the range."""
        return all(_compare(operator, version, bound) for operator, bound in self.terms)


def _compare(operator: str, version: Version, bound: Version) -> bool:
    match operator:
        case "<":
            return version < bound
        case "<=":
            return version <= bound
        case ">":
            return version > bound
        case ">=":
            return version >= bound
        case _:
            return version == bound
