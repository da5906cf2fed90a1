"""Fixtures: the images, built once, and where the transcripts go."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import consumer, images, sample
from tests.cluster.debian_tree import debian_tree
from tests.cluster.images import Choice, ClusterImage
from tests.conftest import FAILED_ON_CI, ROOT, tool
from tests.integration.real import real_upstream
from tests.integration.real.project import RealProject
from tests.integration.real.release import V1_20, Release
from tests.integration.real.sample import commit as commit_here

PROGRAMS = ("systemd-nspawn", "mmdebstrap", "nsenter", "unshare", "ip", "bridge", "umoci", "openssl", "htpasswd", "go")
Unpack = Callable[[Choice, str], ClusterImage]
Projects = Callable[[Release], RealProject]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With CLUSTERIMAGE_SAMPLE=1 leave only the cases of this commit, and say which they are."""
    if os.environ.get("CLUSTERIMAGE_SAMPLE") != "1":
        return
    cases = [item for item in items if item.get_closest_marker("cluster")]
    kinds = {case.nodeid: sample.kind(case.path.name, _parameters(case)) for case in cases}
    commit = commit_here()
    chosen = sample.chosen(kinds.items(), commit)
    left_out = [case for case in cases if case.nodeid not in chosen]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    print(f"the sample of commit {commit[:12]}, make cluster-all runs all:")
    print("".join(f"    {name}\n" for name in sorted(chosen) if kinds[name]))


def _parameters(case: pytest.Item) -> dict[str, object]:
    return case.callspec.params if isinstance(case, pytest.Function) and hasattr(case, "callspec") else {}


@pytest.fixture(scope="session")
def machine() -> None:
    """Skip where no node can boot; in CI that is a failure."""
    for name in PROGRAMS:
        tool(name)
    if os.geteuid() != 0:
        message = "nodes boot as root only"
        pytest.fail(message) if FAILED_ON_CI else pytest.skip(message)


@pytest.fixture(scope="session")
def tree(machine: None) -> Path:
    return debian_tree(real_upstream.cache_directory(V1_20))


@pytest.fixture(scope="session")
def projects(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    """Make the project of a release, once, with its upstream served."""
    with ExitStack() as stack:
        root = tmp_path_factory.mktemp("cluster")
        yield functools.cache(lambda release: stack.enter_context(images.project(root / str(release), release)))
    consumer.forget_templates()


@pytest.fixture(scope="session")
def unpack(projects: Projects, tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """Build the image of a choice and unpack it for an architecture, each once."""
    built: dict[Choice, Path] = {}
    unpacked: dict[tuple[Choice, str], ClusterImage] = {}

    def get(choice: Choice, arch: str) -> ClusterImage:
        if choice not in built:
            built[choice] = images.build(projects(choice.release), choice)
        if (choice, arch) not in unpacked:
            work = tmp_path_factory.mktemp("image") / f"{choice}-{arch}"
            unpacked[choice, arch] = images.unpack(built[choice], choice, arch, work)
        return unpacked[choice, arch]

    return get


@pytest.fixture(scope="session")
def transcripts() -> Path:
    """The folder that `make cluster` leaves its transcripts in."""
    return ROOT / "_build/cluster"
