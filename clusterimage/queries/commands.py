"""Entry points of what answers and makes nothing, imported lazily: each import costs every other command 2 to 4 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterimage.catalog.spec import Spec
    from clusterimage.plan.layout import Layout
    from clusterimage.plan.plan import Plan
    from clusterimage.transport.network import Network


def diff(
    sides: tuple[str, str], layout: Layout, arches: tuple[str, ...], form: str, say: Callable[[str], None]
) -> None:
    """Print the differences between the two `sides`."""
    from clusterimage.queries import diff

    diff.show(sides, layout, arches, form, say)


def plan(planned: Plan, sources: dict[str, str], form: str, say: Callable[[str], None]) -> None:
    """Print the downloads and disk usage of a build of `planned`."""
    from clusterimage.queries import build_plan

    build_plan.show(planned, sources, form, say)


def prune(spec: Spec, layout: Layout, form: str, say: Callable[[str], None]) -> None:
    """Remove unused files of the build directory, and print their number and size."""
    from clusterimage.queries import prune as pruning

    pruning.prune(spec, layout, form, say)


def versions(
    spec: Spec, layout: Layout, network: Network | None, wanted: str, form: str, say: Callable[[str], None]
) -> None:
    """Print which Kubernetes releases are known, locked and published; without `network` the last is left out."""
    from clusterimage.queries import versions as releases

    releases.show(spec, layout, network, wanted, form, say)


def outdated(spec: Spec, network: Network | None, form: str, say: Callable[[str], None]) -> None:
    """Print which rows of versions.toml have a newer release; without `network` only what the rows say."""
    from clusterimage.queries import outdated as freshness

    freshness.show(spec, network, form, say)
