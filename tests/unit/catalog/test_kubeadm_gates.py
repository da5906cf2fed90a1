"""Feature gates: ours are known to every version that gets them, and a user's that are none are named."""

from __future__ import annotations

import functools

import pytest

from clusterimage.catalog.kubeadm import gates
from clusterimage.values.version import Version
from tests.unit.catalog.kubeadm_documents import ROOT, first_of_each_minor, merged
from tests.unit.conftest import error_of

TABLE = ROOT / "data" / "feature-gates.toml"


@functools.cache
def known(version: str) -> frozenset[str]:
    return gates.known(TABLE, Version.parse(version))


def check(version: str, text: str) -> None:
    gates.check(merged(version, text).bodies, known(version), Version.parse(version))


def test_every_gate_that_we_set_is_known_to_its_version() -> None:
    for version, documents in first_of_each_minor():
        gates.check(documents.bodies, known(str(version)), version)


@pytest.mark.parametrize(
    ("version", "text", "name", "hint"),
    [
        (
            "v1.28.15",
            "kind: KubeletConfiguration\nfeatureGates: {NodeSwapp: true}",
            "NodeSwapp",
            "did you mean NodeSwap?",
        ),
        (
            "v1.21.14",
            "kind: KubeletConfiguration\nfeatureGates: {NodeSwap: true}",
            "NodeSwap",
            "did you mean NodeLease?",
        ),
        (
            "v1.31.4",
            "kind: ClusterConfiguration\nscheduler: {extraArgs: {feature-gates: 'AllBeta=1,SidecarContainer=true'}}",
            "SidecarContainer",
            "did you mean SidecarContainers?",
        ),
        (
            "v1.22.15",
            "kind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: {feature-gates: Any=true}}",
            "Any",
            "leave it out",
        ),
    ],
)
def test_an_unknown_gate_is_named(version: str, text: str, name: str, hint: str) -> None:
    error = error_of(check, version, text)

    assert error.problem.endswith(f"Kubernetes {version} does not know the feature gate {name}")
    assert error.hint == hint


@pytest.mark.parametrize("version", ["v1.22.15", "v1.31.4", "v1.37.2"])
def test_known_gates_and_kubeadm_s_own_are_let_through(version: str) -> None:
    check(version, "kind: KubeletConfiguration\nfeatureGates: {NodeSwap: true, AllAlpha: false}")
    check(version, "kind: ClusterConfiguration\nfeatureGates: {PublicKeysECDSA: true}")
