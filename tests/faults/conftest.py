"""An upstream outside of the build, reached through a mirror profile, that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.context import imagelist
from clusterimage.upstream import Auth, Faults, Upstream, published
from clusterimage.values.version import Version
from tests.conftest import Project


@pytest.fixture
def faults() -> Faults:
    return Faults()


def start(root: Path, faults: Faults, auth: Auth | None = None) -> Upstream:
    """Return an upstream, not yet started, of all that v1.22.15 needs."""
    versions = spec.load(root / "versions.toml")
    extra = imagelist.read(root / "context" / "imageList")
    needed = requirement.require(versions, Version.parse("v1.22.15"), extra, root)
    return Upstream(*published([needed]), faults=faults, auth=auth)


def reach(project: Project, upstream: Upstream) -> None:
    """Add the mirror profile `fake` to the project."""
    with (project.root / "versions.toml").open("a") as text:
        text.write(
            f'\n[mirrors.fake]\nfiles = {{ "" = "{upstream.url}" }}\n'
            f'registries = {{ "*" = "{upstream.registry}/{{host}}" }}\n'
            f'plain_http = ["{upstream.registry}"]\nown_bytes = true\n'
        )


@pytest.fixture
def upstream(project: Project, faults: Faults) -> Iterator[Upstream]:
    with start(project.root, faults) as running:
        reach(project, running)
        yield running


@pytest.fixture
def locked(project: Project, upstream: Upstream) -> Upstream:
    """The upstream, after v1.22.15 was locked from it while it behaved."""
    assert project.doit("lock", "mirror=fake").code == 0
    upstream.requests.clear()
    return upstream


Build = Callable[..., object]
