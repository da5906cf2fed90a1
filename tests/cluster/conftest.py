"""Fixtures: the images, built once, and where the transcripts go."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import consumer, images
from tests.cluster.debian_tree import debian_tree
from tests.cluster.images import Choice, ClusterImage
from tests.conftest import FAILED_ON_CI, ROOT, tool
from tests.integration.real import real_upstream
from tests.integration.real.project import RealProject
from tests.integration.real.release import V1_20, Release

PROGRAMS = ("systemd-nspawn", "mmdebstrap", "nsenter", "unshare", "ip", "bridge", "umoci", "openssl", "htpasswd", "go")
Unpack = Callable[[Choice, str], ClusterImage]
Projects = Callable[[Release], RealProject]


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
