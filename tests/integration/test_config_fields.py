"""The tables of configuration fields and feature gates beside Kubernetes' own Go modules."""

from __future__ import annotations

import re
import subprocess

import pytest

from clusterimage.catalog.kubeadm import fields as field_tables
from clusterimage.catalog.kubeadm import flags, gates
from clusterimage.catalog.kubeadm.fields import Trie
from clusterimage.values.version import Version
from tests.integration.real import go_flags, go_gates, go_types, real_upstream
from tests.integration.real.project import K8S, RealProject
from tests.integration.real.release import V1_20


def paths(trie: Trie, prefix: str = "") -> set[str]:
    """Return the leaves of nested names, as go_types spells them."""
    found = set()
    for name, inner in trie.items():
        place = f"{prefix}{name}" if name == "[]" else f"{prefix}.{name}" if prefix else name
        found |= paths(inner, place) or {place}
    return found


def leaves(names: set[str]) -> set[str]:
    return {name for name in names if not any(other.startswith((f"{name}.", f"{name}[")) for other in names)}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", [16, 22, 26, 34, 37])
def test_components_have_these_fields(minor: int) -> None:
    fields = field_tables.load(go_types.DATA, Version(1, minor, 0))
    for (kind, api), _ in go_types.COMPONENTS.items():
        assert paths(fields.of(kind, api)) == leaves(go_types.of_component(kind, minor))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", go_types.KUBEADM)
def test_kubeadm_has_these_fields(version: str) -> None:
    fields = field_tables.load(go_types.DATA, Version(1, 37, 0))
    for kind in go_types.KUBEADM_KINDS:
        assert paths(fields.of(kind, f"kubeadm.k8s.io/{version}")) == leaves(go_types.of_kubeadm(version, kind))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", [13, 22, 37])
def test_kubernetes_has_these_gates(minor: int) -> None:
    assert gates.known(go_gates.DATA, Version(1, minor, 0)) == go_gates.of(minor)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("minor", [20, 34])
@pytest.mark.parametrize("program", ["kube-apiserver", "kube-scheduler", "kubelet", "etcd"])
def test_components_have_these_flags(program: str, minor: int) -> None:
    assert flags.known(go_flags.DATA, Version(1, minor, 0))[program] == go_flags.of(program, minor)


@pytest.mark.slow
@pytest.mark.parametrize("program", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"])
def test_no_flag_that_a_real_program_has_is_missing(real: RealProject, program: str) -> None:
    path = real_upstream.cache_directory(V1_20) / "kubernetes/amd64" / program
    said = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
    real_flags = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", said.stdout + said.stderr, re.M))

    assert len(real_flags) > 60
    assert real_flags <= flags.known(go_flags.DATA, Version.parse(K8S))[program] | {"help"}
