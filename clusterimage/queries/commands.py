"""The commands that answer, each loaded when it is asked for: every other command would pay for it (2 to 4 ms each)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterimage.catalog.spec import Spec
    from clusterimage.plan.layout import Layout
    from clusterimage.plan.plan import Plan


def diff(
    sides: tuple[str, str], layout: Layout, arches: tuple[str, ...], form: str, say: Callable[[str], None]
) -> None:
    """Say what differs between the two `sides`."""
    from clusterimage.queries import diff

    diff.show(sides, layout, arches, form, say)


def plan(planned: Plan, sources: dict[str, str], form: str, say: Callable[[str], None]) -> None:
    """Say what a build of all that is `planned` would fetch and need."""
    from clusterimage.queries import build_plan

    build_plan.show(planned, sources, form, say)


def prune(spec: Spec, layout: Layout, form: str, say: Callable[[str], None]) -> None:
    """Drop what nothing uses any more, and say how much that was."""
    from clusterimage.queries import prune as pruning

    pruning.prune(spec, layout, form, say)
