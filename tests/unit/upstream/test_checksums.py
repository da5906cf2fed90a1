"""The facts of what upstreams publish, and every release of the tables held against them."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.catalog.flavor import FLAVORS
from clusterimage.catalog.requirement import FileRequest
from clusterimage.upstream import checksums
from clusterimage.values.table import Table
from clusterimage.values.version import Version
from tests.conftest import ROOT

FACTS = checksums.load(ROOT / "data/published-checksums.toml")
WITNESSES = Table.load(ROOT / "data/checksums.toml").values
SPEC = spec.load(ROOT / "versions.toml")
RELEASES = [
    f"v{number}"
    for number in tomllib.loads((ROOT / "data/kubeadm-images.toml").read_text())["kubeadm_images"]
    if Version.parse(number) >= Version(1, 13, 0)
]
# No source was found that says what is beside these; they have one version each, and a row of the second witness.
NOT_READ = {"libseccomp", "gperf", "tigera-operator"}


def requests(release: str) -> set[FileRequest]:
    version = Version.parse(release)
    return {
        file
        for flavor in FLAVORS
        for file in requirement.require(SPEC, version, (), ROOT, flavor).files
        if file.component not in NOT_READ
    }


@pytest.mark.parametrize(
    ("component", "version", "expected"),
    [
        ("crictl", "1.20.0", False),  # cri-tools#716 asks for the files, #738 adds them
        ("crictl", "1.21.0", True),
        ("kubeadm", "1.15.12", False),  # kuberlr#80; that 1.15.4 on had them is inferred only
        ("kubectl", "1.16.0", True),
        ("runc", "1.1.15", True),
        ("docker", "28.5.2", False),
        ("seautil", "0.9.1", True),
        ("nobody", "1.0.0", None),
    ],
)
def test_what_is_published_since_when(component: str, version: str, expected: bool | None) -> None:
    assert checksums.publishes_sha256(FACTS, component, version) is expected


def test_without_the_file_nothing_is_known(tmp_path: Path) -> None:
    assert checksums.load(tmp_path / "none.toml") == ()


@pytest.mark.parametrize("release", RELEASES)
def test_every_file_of_a_release_has_a_template_that_upstream_publishes_or_another_way(release: str) -> None:
    for file in requests(release):
        published = checksums.publishes_sha256(FACTS, file.component, file.version)
        assert published is not None, f"{file.component}: no fact says what is published beside it"
        names = {
            fact.name
            for fact in FACTS
            if file.component in fact.components and fact.holds(checksums.number(file.version))
        }
        if published:
            assert file.checksum_url, f"{file.component} {file.version}: upstream has a checksum that nobody asks for"
        if published and file.checksum_url:
            expected = {name.replace("{url}", file.url).format(version=file.version, arch=file.arch) for name in names}
            assert file.checksum_url in expected, f"{file.component} {file.version}: no such file upstream"
        if file.sha512_url:
            assert checksums.publishes_sha512(FACTS, file.component, file.version)


def test_no_digest_stands_twice_in_the_table() -> None:
    digests = [
        digest
        for component, versions in WITNESSES.items()
        for arches in versions.values()
        for digest in arches.values()
    ]

    assert len(digests) > 2000
    assert [digest for digest, count in Counter(digests).items() if count > 1] == []


def test_the_copy_error_of_kubespray_is_mended() -> None:
    # kubesphere/kubekey 3.x version/components.json; Kubespray v2.24.2 on repeats 1.27.12 here.
    expected = "4838ad8f3902c928f6139d69eba962b1cc2471511c828885650d728d970594d1"

    assert WITNESSES["kubectl"]["1.27.13"]["arm64"] == expected
