"""A user's own kubeadm.yml: any part of it, in any API version, over the default one."""

from __future__ import annotations

import re

import pytest

from clusterimage.catalog import kubeadm
from clusterimage.catalog.kubeadm.forms import CLUSTER, INIT, JOIN, KUBELET, get
from tests.unit.catalog.kubeadm_documents import MINORS, arguments, body, make, merged, refusal, user

OWN_SOCKETS = """
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint:
  bindPort: 7443
nodeRegistration:
  criSocket: /var/run/own.sock
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
caCertPath: /etc/own/ca.crt
discovery:
  timeout: 9m0s
nodeRegistration:
  criSocket: /var/run/own.sock
controlPlane:
  localAPIEndpoint:
    bindPort: 7443
"""


@pytest.mark.parametrize("minor", MINORS)
def test_a_part_in_an_old_api_lands_where_the_version_keeps_it(minor: str) -> None:
    for flavor in ("sealer", "sealos"):
        documents = merged(f"v{minor}.0", OWN_SOCKETS, flavor)
        init, join = body(documents, INIT), body(documents, JOIN)
        assert init["localAPIEndpoint"]["bindPort"] == 7443
        assert {init["nodeRegistration"]["criSocket"], join["nodeRegistration"]["criSocket"]} == {"/var/run/own.sock"}
        assert join["caCertPath"] == "/etc/own/ca.crt"
        place = ("timeouts", "discovery") if init["apiVersion"].endswith("v1beta4") else ("discovery", "timeout")
        assert get(join, place) == "9m0s"
        assert init["apiVersion"] == body(make(f"v{minor}.0", flavor=flavor), INIT)["apiVersion"]


def test_a_map_of_arguments_merges_by_name_into_a_list() -> None:
    text = "kind: ClusterConfiguration\napiServer: {extraArgs: {audit-log-maxage: '30', profiling: 'false'}}"
    documents = merged("v1.31.0", text, "sealos")
    value = body(documents, CLUSTER)["apiServer"]["extraArgs"]
    assert {"name": "audit-log-maxage", "value": "30"} in value
    assert {"name": "audit-log-maxsize", "value": "100"} in value
    assert value[-1] == {"name": "profiling", "value": "false"}
    assert [item["name"] for item in value].count("audit-log-maxage") == 1


def test_a_list_of_arguments_merges_by_name_into_a_map() -> None:
    text = """
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: ClusterConfiguration
    scheduler: {extraArgs: [{name: v, value: "4"}]}
    """
    assert arguments(merged("v1.22.15", text), ("scheduler", "extraArgs"))["v"] == "4"


def test_a_repeated_argument_stays_repeated_where_the_api_can_say_so_and_is_refused_elsewhere() -> None:
    text = """
    kind: ClusterConfiguration
    apiServer: {extraArgs: [{name: audit-log-path, value: "-"}, {name: audit-log-path, value: /a}]}
    """
    value = body(merged("v1.31.0", text, "sealos"), CLUSTER)["apiServer"]["extraArgs"]
    assert [item["value"] for item in value if item["name"] == "audit-log-path"] == ["-", "/a"]
    assert "audit-log-path: given 2 times" in refusal("v1.31.0", text).problem


def test_bare_numbers_and_truth_values_become_text_in_arguments() -> None:
    text = "kind: ClusterConfiguration\napiServer: {extraArgs: {audit-log-maxage: 30, profiling: false}}"
    value = arguments(merged("v1.22.15", text), ("apiServer", "extraArgs"))
    assert (value["audit-log-maxage"], value["profiling"]) == ("30", "false")


def test_lists_are_replaced_and_mappings_merged() -> None:
    text = """
    kind: KubeletConfiguration
    apiVersion: kubelet.config.k8s.io/v1beta1
    enforceNodeAllocatable: [pods, kube-reserved]
    evictionHard: {memory.available: 500Mi}
    """
    kubelet = body(merged("v1.22.15", text), KUBELET)
    assert kubelet["enforceNodeAllocatable"] == ["pods", "kube-reserved"]
    assert kubelet["evictionHard"]["memory.available"] == "500Mi"
    assert kubelet["evictionHard"]["nodefs.available"] == "10%"


def test_an_empty_field_says_nothing() -> None:
    text = "kind: KubeletConfiguration\ncgroupDriver:\nauthentication:\n  webhook:\n    enabled:\n"
    assert merged("v1.22.15", text).bodies == make("v1.22.15").bodies
    text = "kind: ClusterConfiguration\napiServer: {certSANs: , extraArgs: {feature-gates: }}\nscheduler:\n"
    assert merged("v1.22.15", text).bodies == make("v1.22.15").bodies


def test_an_empty_list_is_a_value() -> None:
    documents = merged("v1.22.15", "kind: InitConfiguration\nnodeRegistration: {taints: []}")
    assert body(documents, INIT)["nodeRegistration"]["taints"] == []


def test_the_time_allowed_for_the_control_plane_moves_both_ways() -> None:
    old = "kind: ClusterConfiguration\napiServer: {timeoutForControlPlane: 8m0s}"
    new = "kind: InitConfiguration\ntimeouts: {controlPlaneComponentHealthCheck: 8m0s}"
    documents = merged("v1.31.0", old, "sealos")
    assert body(documents, INIT)["timeouts"] == {"controlPlaneComponentHealthCheck": "8m0s"}
    assert body(documents, JOIN)["timeouts"] == {"discovery": "5m0s", "controlPlaneComponentHealthCheck": "8m0s"}
    assert "timeoutForControlPlane" not in body(documents, CLUSTER)["apiServer"]
    assert body(merged("v1.22.15", new), CLUSTER)["apiServer"]["timeoutForControlPlane"] == "8m0s"


def test_a_timeout_that_the_api_lacks_is_refused_by_name() -> None:
    error = refusal("v1.31.0", "kind: InitConfiguration\ntimeouts: {etcdAPICall: 3m0s}")
    assert error.problem == "InitConfiguration.timeouts.etcdAPICall: kubeadm.k8s.io/v1beta3 has no such field"
    text = """
    kind: InitConfiguration
    timeouts: {controlPlaneComponentHealthCheck: 1m0s}
    ---
    kind: JoinConfiguration
    timeouts: {controlPlaneComponentHealthCheck: 2m0s}
    """
    assert "differ" in refusal("v1.22.15", re.sub(r"(?m)^    ", "", text)).problem


def test_the_kind_of_dns_is_dropped_where_only_coredns_is_left() -> None:
    text = "kind: ClusterConfiguration\ndns: {type: CoreDNS}"
    assert "type" not in body(merged("v1.28.0", text), CLUSTER)["dns"]
    assert body(merged("v1.19.8", text), CLUSTER)["dns"]["type"] == "CoreDNS"
    assert "knows CoreDNS only, not kube-dns" in refusal("v1.28.0", text.replace("CoreDNS", "kube-dns")).problem


def test_coredns_follows_an_image_repository_of_the_users() -> None:
    text = "kind: ClusterConfiguration\nimageRepository: my.hub/k8s"
    assert body(merged("v1.22.15", text), CLUSTER)["dns"]["imageRepository"] == "my.hub/k8s/coredns"
    own = f"{text}\ndns: {{imageRepository: other.hub}}"
    assert body(merged("v1.22.15", own), CLUSTER)["dns"]["imageRepository"] == "other.hub"


def test_another_kubernetes_version_is_refused() -> None:
    error = refusal("v1.22.15", "kind: ClusterConfiguration\nkubernetesVersion: v1.19.8")
    assert error.problem.endswith("is v1.19.8, the image holds v1.22.15")
    assert (
        merged("v1.22.15", "kind: ClusterConfiguration\nkubernetesVersion: v1.22.15").bodies == make("v1.22.15").bodies
    )


@pytest.mark.parametrize(
    ("version", "text", "name", "hint"),
    [
        ("v1.25.0", "controllerManager: {extraArgs: {experimental-cluster-signing-duration: 1h}}",
         "argument experimental-cluster-signing-duration", "use cluster-signing-duration"),
        ("v1.18.0", "controllerManager: {extraArgs: {cluster-signing-duration: 1h}}",
         "argument cluster-signing-duration", "use experimental-cluster-signing-duration"),
        ("v1.13.0", "etcd: {local: {extraArgs: {listen-metrics-urls: 'http://0.0.0.0:2381'}}}",
         "argument listen-metrics-urls", "leave it out"),
        ("v1.25.0", "apiServer: {extraArgs: {feature-gates: 'EphemeralContainers=true,TTLAfterFinished=true'}}",
         "feature gate TTLAfterFinished", "leave it out"),
        ("v1.15.3", "scheduler: {extraArgs: {feature-gates: EphemeralContainers=true}}",
         "feature gate EphemeralContainers", "leave it out"),
    ],
)  # fmt: skip
def test_what_the_version_does_not_know_is_refused_by_name(version: str, text: str, name: str, hint: str) -> None:
    error = refusal(version, f"kind: ClusterConfiguration\n{text}")
    assert error.problem.endswith(f"Kubernetes {version} does not know the {name}")
    assert error.hint == hint


def test_a_dead_gate_of_the_kubelet_is_refused_too() -> None:
    error = refusal("v1.27.0", "kind: KubeletConfiguration\nfeatureGates: {EphemeralContainers: true}")
    assert "does not know the feature gate EphemeralContainers" in error.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: KubeletConfig", "kind 'KubeletConfig' is not for kubeadm"),
        ("kind: ClusterStatus\napiVersion: kubeadm.k8s.io/v1beta2", "kind 'ClusterStatus' is not for kubeadm"),
        ("maxPods: 110", "a document without kind is not for kubeadm"),
        ("- a\n- b", "a document without kind is not for kubeadm"),
        ("kind: InitConfiguration\napiVersion: v1", "InitConfiguration with apiVersion v1"),
        ("kind: KubeletConfiguration\napiVersion: kubeadm.k8s.io/v1beta2", "KubeletConfiguration with apiVersion"),
        ("kind: ClusterConfiguration\napiServer: 5", "ClusterConfiguration.apiServer: must be a mapping, not 5"),
        ("kind: ClusterConfiguration\netcd: {local: [1]}", "ClusterConfiguration.etcd.local: must be a mapping"),
        ("kind: InitConfiguration\ntimeouts: 5", "InitConfiguration.timeouts: must be a mapping, not 5"),
        ("kind: KubeletConfiguration\nfeatureGates: x", "KubeletConfiguration.featureGates: must be a mapping"),
        ("kind: KubeletConfiguration\nevictionHard: x", "KubeletConfiguration.evictionHard: must be a mapping"),
        ("kind: ClusterConfiguration\nscheduler: {extraArgs: [v]}", "extraArgs: must map names to values, or list"),
        ("kind: ClusterConfiguration\nscheduler: {extraArgs: {v: [4]}}", "a value must be a string, not [4]"),
        ("kind: [", "context/kubeadm.yml: line 1:"),
    ],
)
def test_a_malformed_part_is_an_error_that_names_the_place(text: str, problem: str) -> None:
    assert problem in refusal("v1.22.15", text).problem


def test_dates_stay_text() -> None:
    text = "kind: InitConfiguration\nbootstrapTokens: [{token: a, expires: 2026-11-21T00:00:00Z}]"
    assert body(merged("v1.22.15", text), INIT)["bootstrapTokens"][0]["expires"] == "2026-11-21T00:00:00Z"


def test_several_documents_of_a_kind_merge_in_order_and_empty_ones_are_skipped() -> None:
    text = "---\nkind: KubeletConfiguration\nmaxPods: 1\n---\n---\nkind: KubeletConfiguration\nmaxPods: 2\n"
    assert body(merged("v1.22.15", text), KUBELET)["maxPods"] == 2


def test_merging_leaves_the_documents_and_the_users_as_they_were() -> None:
    documents, own = make("v1.22.15"), user("kind: ClusterConfiguration\napiServer: {extraArgs: {v: 4}}")
    before = repr((documents, own))
    kubeadm.merge(documents, own)
    assert repr((documents, own)) == before
