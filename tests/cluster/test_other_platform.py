"""The image for arm64, which no node here can boot, is held against the one for amd64 that did."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Unpack
from tests.cluster.images import Choice
from tests.cluster.test_cluster import CHOICES
from tests.integration.real.debian_packages import ARCHES

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
BOTH = [choice for choice in CHOICES if choice.release.arches == ARCHES]
# e_machine of the ELF header, https://man7.org/linux/man-pages/man5/elf.5.html
MACHINES = {"amd64": 62, "arm64": 183}


def files(root: Path) -> set[str]:
    """List what lies in a rootfs; blobs of the registry have other names for other platforms."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if "registry/docker" not in str(path)}


def programs(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the head of every ELF file of a rootfs, and of every one in its archives."""
    for path in sorted(path for path in root.rglob("*") if path.is_file() and "registry/docker" not in str(path)):
        with path.open("rb") as stream:
            head = stream.read(20)
        if head.startswith(b"\x7fELF"):
            yield str(path.relative_to(root)), head
        elif path.name.endswith((".tar.gz", ".tgz")):
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    head = content.read(20) if content else b""
                    if head.startswith(b"\x7fELF"):
                        yield f"{path.relative_to(root)}:{member.name}", head


@pytest.mark.parametrize("choice", BOTH, ids=str)
def test_every_program_of_the_other_platform_is_for_it(choice: Choice, unpack: Unpack) -> None:
    for arch, machine in MACHINES.items():
        found = dict(programs(unpack(choice, arch).root))
        assert len(found) > 15
        assert {name for name, head in found.items() if int.from_bytes(head[18:20], "little") != machine} == set()


@pytest.mark.parametrize("choice", BOTH, ids=str)
def test_both_platforms_have_the_same_tree_and_the_same_scripts(choice: Choice, unpack: Unpack) -> None:
    amd64, arm64 = unpack(choice, "amd64").root, unpack(choice, "arm64").root

    assert files(amd64) == files(arm64)
    for path in sorted(files(amd64)):
        if path.startswith(("scripts/", "etc/", "statics/", "manifests/")) and (amd64 / path).is_file():
            assert (amd64 / path).read_bytes() == (arm64 / path).read_bytes(), path
