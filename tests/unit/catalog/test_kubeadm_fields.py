"""Fields of a kubeadm.yml: ours are those of the published types, and a user's that are none are named."""

from __future__ import annotations

import functools

import pytest

from clusterimage.catalog import kubeadm
from clusterimage.catalog.kubeadm import fields as field_tables
from clusterimage.catalog.kubeadm.fields import Fields
from clusterimage.catalog.kubeadm.forms import CLUSTER, KUBELET, get
from clusterimage.values.errors import ConfigError
from clusterimage.values.version import Version
from tests.unit.catalog.kubeadm_documents import ROOT, body, every, first_of_each_minor, make, merged, refusal
from tests.unit.conftest import error_of

TABLE = ROOT / "data" / "config-fields.toml"


@functools.cache
def fields(version: str) -> Fields:
    return field_tables.load(TABLE, Version.parse(version))


def check(version: str, text: str) -> None:
    field_tables.check(text, fields(version))
    field_tables.check_merged(merged(version, text).bodies, fields(version), Version.parse(version))


def test_our_own_documents_have_no_field_that_their_types_do_not_have() -> None:
    assert every()
    for version, documents in first_of_each_minor():
        field_tables.check_merged(documents.bodies, fields(str(version)), version)
        field_tables.check(kubeadm.text(documents), fields(str(version)))


CASES = [
    ("v1.22.15", "kind: ClusterConfiguration\nnetworking:\n  podSubnets: 10.0.0.0/8\n", 3, "podSubnets", "podSubnet"),
    ("v1.22.15", "kind: KubeletConfiguration\nmaxPodz: 250\n", 2, "maxPodz", "maxPods"),
    ("v1.31.4", "kind: KubeletConfiguration\n\n\nauthentication: {webhook: {enable: true}}\n", 4, "enable", "enabled"),
    ("v1.34.4", "kind: KubeProxyConfiguration\niptables:\n  masqueradeAl: true\n", 3, "masqueradeAl", "masqueradeAll"),
    ("v1.22.15", "kind: JoinConfiguration\ndiscovery: {bootstrapToken: {tokens: a}}\n", 2, "tokens", "token"),
    ("v1.31.4", "kind: ClusterConfiguration\netcd: {local: {imagetag: '3'}}\n", 2, "imagetag", "imageTag"),
    (
        "v1.31.4",
        "---\nkind: KubeletConfiguration\nmaxPods: 1\n---\n"
        "kind: InitConfiguration\nnodeRegistration:\n  criSockets: /a\n",
        7,
        "criSockets",
        "criSocket",
    ),
    (
        "v1.31.4",
        "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer:\n  extraEnvs: []\n",
        4,
        "extraEnvs",
        "extraArgs",
    ),
    (
        "v1.22.15",
        "kind: ClusterConfiguration\nscheduler:\n  extraVolumes:\n  - name: a\n    hostpath: /a\n",
        5,
        "hostpath",
        "hostPath",
    ),
]


@pytest.mark.parametrize(("version", "text", "line", "name", "nearest"), CASES, ids=[case[3] for case in CASES])
def test_an_unknown_field_names_its_line_and_the_nearest(
    version: str, text: str, line: int, name: str, nearest: str
) -> None:
    error = error_of(check, version, text)

    assert error.problem.startswith(f"context/kubeadm.yml: line {line}: ") and f".{name}: " in error.problem
    assert error.hint == f"did you mean {nearest}?"


@pytest.mark.parametrize("api", ["kubeadm.k8s.io/v1beta9", "kubeadm.k8s.io/v2", "kubelet.config.k8s.io/v1beta1"])
def test_an_api_version_that_nobody_has_is_refused(api: str) -> None:
    error = error_of(check, "v1.22.15", f"# mine\napiVersion: {api}\nkind: ClusterConfiguration\n")

    assert f"line 2: ClusterConfiguration: no kubeadm, kubelet or kube-proxy has the apiVersion {api}" in error.problem


def test_a_field_that_came_or_went_is_known_to_its_versions_only() -> None:
    # k8s.io/kubelet: memorySwap came with 1.22; k8s.io/kube-proxy: udpIdleTimeout went with 1.26.
    swap, idle = "kind: KubeletConfiguration\nmemorySwap: {}\n", "kind: KubeProxyConfiguration\nudpIdleTimeout: 1s\n"
    check("v1.22.15", swap)
    check("v1.25.16", idle)

    assert ".memorySwap: " in error_of(check, "v1.21.14", swap).problem
    assert ".udpIdleTimeout: " in error_of(check, "v1.26.15", idle).problem


def test_a_field_that_the_configured_api_lacks_is_refused() -> None:
    text = "kind: ClusterConfiguration\ncertificateValidityPeriod: 8760h\n"
    error = error_of(check, "v1.22.15", text)

    assert "ClusterConfiguration.certificateValidityPeriod: kubeadm.k8s.io/v1beta2" in error.problem
    check("v1.37.0", text)


@pytest.mark.parametrize(
    "text",
    [
        "kind: ClusterConfiguration\napiServer: {extraArgs: {audit-log-maxage: '30'}}\n",
        "kind: ClusterConfiguration\napiServer: {extraArgs: [{name: v, value: '4'}]}\n",
        "kind: KubeletConfiguration\nevictionHard: {nodefs.available: 5%}\nfeatureGates: {Any: true}\n",
        "kind: KubeletConfiguration\nlogging: {format: json}\n",
        "kind: InitConfiguration\nnodeRegistration: {taints: [{key: a, effect: NoSchedule}]}\n",
    ],
)
def test_what_the_types_have_is_let_through(text: str) -> None:
    for version in ("v1.22.15", "v1.31.4"):
        check(version, text)


def test_an_external_etcd_takes_the_place_of_the_local_one() -> None:
    text = "kind: ClusterConfiguration\netcd: {external: {endpoints: ['https://a:2379'], caFile: /a}}\n"
    local = "kind: ClusterConfiguration\netcd: {local: {dataDir: /d}}\n"

    assert set(get(body(merged("v1.22.15", text), CLUSTER), ("etcd",))) == {"external"}
    assert get(body(merged("v1.22.15", f"{local}---\n{text}"), CLUSTER), ("etcd",)).keys() == {"external"}
    assert get(body(merged("v1.22.15", f"{text}---\n{local}"), CLUSTER), ("etcd",)).keys() == {"local"}
    both = "kind: ClusterConfiguration\netcd: {local: {dataDir: /d}, external: {endpoints: [a]}}\n"
    assert "local and external exclude each other" in refusal("v1.22.15", both).problem


@pytest.mark.parametrize("null", ["null", "~", "Null"])
def test_an_explicit_null_removes_and_an_empty_field_does_not(null: str) -> None:
    before = body(make("v1.22.15"), KUBELET)
    name = next(key for key in before if key not in ("apiVersion", "kind", "cgroupDriver"))

    assert "cgroupDriver" not in body(
        merged("v1.22.15", f"kind: KubeletConfiguration\ncgroupDriver: {null}\n"), KUBELET
    )
    assert body(merged("v1.22.15", "kind: KubeletConfiguration\ncgroupDriver:\n"), KUBELET) == before
    assert name not in body(merged("v1.22.15", f"kind: KubeletConfiguration\n{name}: {null}\n"), KUBELET)
    text = f"kind: ClusterConfiguration\napiServer: {{extraArgs: {{audit-log-maxage: {null}}}}}\n"
    for version in ("v1.22.15", "v1.31.4"):
        for flavor in ("sealer", "sealos"):
            assert "audit-log-maxage" not in kubeadm.text(merged(version, text, flavor))


@pytest.mark.parametrize("field", ["kubernetesVersion: null", "networking: ~", "networking: {podSubnet: null}"])
def test_what_the_image_needs_cannot_be_removed(field: str) -> None:
    with pytest.raises(ConfigError, match="cannot be removed"):
        merged("v1.22.15", f"kind: ClusterConfiguration\n{field}\n")
