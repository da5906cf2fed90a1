"""Every Kubernetes version that can be built is built, for both runtimes and both flavors, and meets its contract."""

from __future__ import annotations

import tomllib
from itertools import groupby

import pytest

from tests.conftest import ROOT, Project

TABLE = tomllib.loads((ROOT / "data/kubeadm-images.toml").read_text())["kubeadm_images"]
MINORS: dict[str, list[str]] = {}
for number in TABLE:
    major, minor, _ = number.split(".")
    if (int(major), int(minor)) >= (1, 13):
        MINORS.setdefault(f"{major}.{minor}", []).append(f"v{number}")
NEWEST = max((number for number in TABLE), key=lambda number: [int(part) for part in number.split(".")])
# The ends, and a version of every rule in between that changes what is built.
SAMPLE = (
    *("v1.13.12", "v1.16.15", "v1.20.2", "v1.22.15", "v1.24.17", "v1.27.16", "v1.31.4"),
    f"v{NEWEST}",
)


def flavors(version: str) -> tuple[str, ...]:
    """Return the flavors of a version: no sealer writes what kubeadm 1.37 reads."""
    return ("sealos",) if int(version.split(".")[1]) >= 37 else ("sealer", "sealos")


def build_and_verify(project: Project, versions: list[str] | tuple[str, ...], *words: str) -> None:
    for chosen, group in groupby(versions, flavors):
        of_flavors(project, list(group), chosen, *words)


def of_flavors(project: Project, versions: list[str], flavors: tuple[str, ...], *words: str) -> None:
    chosen = (f"k8s={','.join(versions)}", "cri=docker,containerd", f"flavor={','.join(flavors)}", *words)
    project.build(*chosen)

    result = project.doit("verify", "mirror=embedded", *chosen)

    assert result.code == 0, result.text
    found = {path.name for path in (project.root / "dist/embedded").iterdir()}
    for version in versions:
        for cri in ("docker", "containerd"):
            for flavor, ending in (("sealer", ""), ("sealos", "-sealos")):
                assert (f"{version}-{cri}{ending}" in found) == (flavor in flavors)


def test_one_command_builds_a_version_of_every_kind(project: Project) -> None:
    build_and_verify(project, SAMPLE, "cni=")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("minor", MINORS)
def test_every_version_is_built_and_meets_its_contract(project: Project, minor: str) -> None:
    build_and_verify(project, MINORS[minor], "cni=none")
