"""An upstream outside of the build, reached through a mirror profile, that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.context import imagelist
from clusterimage.upstream import Auth, Faults, Upstream, published
from clusterimage.values.version import Version
from tests.conftest import Project, new_project

LOCK = "locks/fake/v1.22.15.toml"


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


@pytest.fixture(scope="session")
def pins(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The lock of v1.22.15, made from an upstream that behaves: it is the same for all of them, it names no port."""
    project = new_project(tmp_path_factory.mktemp("pins") / "project")
    with start(project.root, Faults()) as running:
        reach(project, running)
        assert project.doit("lock", "mirror=fake").code == 0
    return (project.root / LOCK).read_bytes()


@pytest.fixture
def locked(project: Project, upstream: Upstream, pins: bytes) -> Upstream:
    """The upstream, with v1.22.15 locked from it: nobody has asked it for anything yet."""
    (project.root / LOCK).parent.mkdir(parents=True)
    (project.root / LOCK).write_bytes(pins)
    return upstream


Build = Callable[..., object]
