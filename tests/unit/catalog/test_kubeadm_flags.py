"""Flags of the components: ours are known to every version that gets them, and a user's that are none are named."""

from __future__ import annotations

import functools

import pytest

from clusterimage.catalog.kubeadm import flags
from clusterimage.values.version import Version
from tests.unit.catalog.kubeadm_documents import ROOT, first_of_each_minor, merged
from tests.unit.conftest import error_of

TABLE = ROOT / "data" / "component-flags.toml"


@functools.cache
def known(version: str) -> dict[str, frozenset[str]]:
    return flags.known(TABLE, Version.parse(version))


def check(version: str, text: str) -> None:
    flags.check(merged(version, text).bodies, known(version), Version.parse(version))


def test_every_flag_that_we_give_is_known_to_its_version() -> None:
    for version, documents in first_of_each_minor():
        flags.check(documents.bodies, known(str(version)), version)


CLUSTER = "kind: ClusterConfiguration\n"


@pytest.mark.parametrize(
    ("version", "text", "says", "hint"),
    [
        ("v1.34.4", f"{CLUSTER}apiServer: {{extraArgs: {{audit-log-maxag: '7'}}}}",
         "ClusterConfiguration.apiServer.extraArgs: the kube-apiserver of v1.34.4 has no flag audit-log-maxag",
         "did you mean audit-log-maxage?"),
        ("v1.24.0", f"{CLUSTER}apiServer: {{extraArgs: {{insecure-port: '0'}}}}", "insecure-port", "secure-port?"),
        ("v1.25.0", f"{CLUSTER}controllerManager: {{extraArgs: {{port: '0'}}}}",
         "the kube-controller-manager of v1.25.0 has no flag port", ""),
        ("v1.26.0", f"{CLUSTER}scheduler: {{extraArgs: {{logtostderr: 'true'}}}}", "the kube-scheduler of v1.26.0", ""),
        ("v1.24.0", "kind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: {network-plugin: cni}}",
         "InitConfiguration.nodeRegistration.kubeletExtraArgs: the kubelet of v1.24.0 has no flag network-plugin", ""),
        ("v1.22.15", f"{CLUSTER}etcd: {{local: {{extraArgs: {{quota-backend-byte: '1'}}}}}}",
         "the etcd of v1.22.15 has no flag quota-backend-byte", "did you mean quota-backend-bytes?"),
    ],
)  # fmt: skip
def test_an_unknown_flag_is_named(version: str, text: str, says: str, hint: str) -> None:
    error = error_of(check, version, text)

    assert error.problem.startswith("context/kubeadm.yml: ") and says in error.problem
    assert hint in error.hint


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("v1.23.17", f"{CLUSTER}apiServer: {{extraArgs: {{insecure-port: '0'}}}}"),
        ("v1.23.17", "kind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: {node_ip: 1.2.3.4}}"),
        ("v1.30.0", f"{CLUSTER}apiServer: {{extraArgs: {{authentication-config: /etc/a, v: '4', vmodule: 'a=1'}}}}"),
        ("v1.22.15", f"{CLUSTER}etcd: {{local: {{imageTag: 9.9.9, extraArgs: {{of-another-etcd: 'x'}}}}}}"),
        ("v1.34.4", f"{CLUSTER}apiVersion: kubeadm.k8s.io/v1beta4\nscheduler: {{extraArgs: [{{name: v, value: x}}]}}"),
    ],
)  # fmt: skip
def test_a_known_flag_is_taken(version: str, text: str) -> None:
    check(version, text)
