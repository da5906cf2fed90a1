"""Chooses the cluster cases of one CI run by its commit, so that a run stays short and some commits together run all.

Cases of one module and one release are of a kind: one of them is run. What belongs to no release is always run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.cluster.images import Choice
from tests.integration.real import sample
from tests.integration.real.release import Release


def kind(module: str, parameters: Mapping[str, object]) -> tuple[str, str] | None:
    """Tell what a case is one of: its module and its release; None if it has no release."""
    for value in parameters.values():
        if isinstance(value, Choice):
            return module, str(value.release)
        if isinstance(value, Release):
            return module, str(value)
    return None


def chosen(cases: Iterable[tuple[str, tuple[str, str] | None]], commit: str) -> set[str]:
    """Return the names of the cases, given with their kinds, that a commit runs: one of each kind."""
    kinds: dict[tuple[str, str], list[str]] = {}
    always = set()
    for name, of in cases:
        if of is None:
            always.add(name)
        else:
            kinds.setdefault(of, []).append(name)
    return always.union(*(sample.chosen(names, 1, commit) for names in kinds.values()))
