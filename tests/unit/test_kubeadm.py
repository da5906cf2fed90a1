"""kubeadm's documents against what Kubernetes knows (kubeadm_facts.toml), for every release of the image table."""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterimage import kubeadm, spec
from clusterimage.errors import ConfigError
from clusterimage.kubeadm.forms import ARGUMENTS, CLUSTER, INIT, JOIN, KINDS, KUBELET, PROXY, get
from clusterimage.table import Table
from clusterimage.version import Version

ROOT = Path(__file__).resolve().parents[2]
FACTS = tomllib.loads((Path(__file__).parent / "kubeadm_facts.toml").read_text())
SPEC = spec.load(ROOT / "versions.toml")
RULES = kubeadm.rules(Table.load(ROOT / "versions.toml").table("kubeadm"))
MINORS = tuple(FACTS["apis"])
REGISTRY = "sea.hub:5000"


def releases() -> Iterator[Version]:
    for minor, runs in FACTS["releases"].items():
        for run in runs.split():
            first, _, last = run.partition("-")
            for patch in range(int(first), int(last or first) + 1):
                yield Version.parse(f"v{minor}.{patch}")


def minor_of(version: Version) -> str:
    return f"{version.major}.{version.minor}"


def make(version: str | Version, cri: str = "containerd", flavor: str = "sealer") -> kubeadm.Documents:
    kubernetes = Version.parse(str(version))
    socket = spec.pick(SPEC.sockets, kubernetes, "socket", cri)
    settings = kubeadm.Settings(kubernetes, socket, REGISTRY, "100.64.0.0/10", "10.96.0.0/22", flavor=flavor)
    return kubeadm.documents(settings, RULES)


@functools.cache
def every() -> tuple[tuple[Version, kubeadm.Documents], ...]:
    choices = itertools.product(releases(), ("docker", "containerd"), ("sealer", "sealos"))
    return tuple((version, make(version, cri, flavor)) for version, cri, flavor in choices)


def first_of_each_minor() -> Iterator[tuple[Version, kubeadm.Documents]]:
    return ((version, documents) for version, documents in every() if version.patch == 0)


def body(documents: kubeadm.Documents, kind: str) -> dict[str, Any]:
    return next(document for document in documents.bodies if document["kind"] == kind)


def arguments(documents: kubeadm.Documents, place: tuple[str, ...]) -> dict[str, str]:
    value = get(body(documents, CLUSTER), place) or {}
    return value if isinstance(value, dict) else {item["name"]: item["value"] for item in value}


def paths(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, item in value.items():
        yield f"{prefix}{key}"
        if isinstance(item, dict) and key not in ("extraArgs", "kubeletExtraArgs"):
            yield from paths(item, f"{prefix}{key}.")


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from scalars(item)
    else:
        yield value


def user(text: str) -> tuple[dict[str, Any], ...]:
    return kubeadm.parse(text)


def merged(version: str, text: str, flavor: str = "sealer") -> kubeadm.Documents:
    return kubeadm.merge(make(version, flavor=flavor), user(text))


def refusal(version: str, text: str, flavor: str = "sealer") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        merged(version, text, flavor)
    return caught.value


# What the version knows


def test_the_facts_speak_of_every_release_of_the_image_table() -> None:
    table = Table.load(ROOT / SPEC.kubeadm_images).table("kubeadm_images")
    unknown = set(table.values) - {version.number for version in releases()}
    assert not {number for number in unknown if ".".join(number.split(".")[:2]) not in MINORS}


def test_the_api_is_one_that_the_version_reads() -> None:
    for version, documents in every():
        for kind in (INIT, CLUSTER, JOIN):
            group, _, api = body(documents, kind)["apiVersion"].partition("/")
            assert group == "kubeadm.k8s.io"
            assert api in FACTS["apis"][minor_of(version)], version


@pytest.mark.parametrize(
    ("version", "flavor", "api"),
    [
        ("v1.14.10", "sealos", "v1beta1"),
        ("v1.15.0", "sealos", "v1beta2"),
        ("v1.22.17", "sealer", "v1beta2"),
        ("v1.23.0", "sealer", "v1beta3"),
        ("v1.30.14", "sealos", "v1beta3"),
        ("v1.31.0", "sealos", "v1beta4"),
        ("v1.31.0", "sealer", "v1beta3"),
        ("v1.36.5", "sealer", "v1beta3"),
        ("v1.37.0", "sealer", "v1beta4"),
    ],
)
def test_sealer_keeps_v1beta3_as_long_as_the_version_reads_it(version: str, flavor: str, api: str) -> None:
    assert body(make(version, flavor=flavor), CLUSTER)["apiVersion"] == f"kubeadm.k8s.io/{api}"


def test_kubeadm_documents_hold_only_fields_of_their_api() -> None:
    for version, documents in every():
        for kind in (INIT, CLUSTER, JOIN):
            document = dict(body(documents, kind))
            api = document.pop("apiVersion").rpartition("/")[2]
            document.pop("kind")
            known = set(FACTS["fields"][api][kind].split())
            assert set(paths(document)) <= known, (version, kind)


def test_arguments_are_lists_in_v1beta4_and_maps_before_with_text_as_values() -> None:
    for version, documents in every():
        lists = body(documents, CLUSTER)["apiVersion"].endswith("v1beta4")
        for kind, place in ARGUMENTS:
            value = get(body(documents, kind), place)
            if value is not None:
                assert isinstance(value, list if lists else dict), version
                assert all(isinstance(item, str) for item in scalars(value)), version


def test_kubelet_fields_are_known_to_the_version() -> None:
    known: set[str] = set()
    by_minor = {}
    for minor in MINORS:
        known |= set(FACTS["kubelet"].get(minor, "").split())
        by_minor[minor] = set(known)
    for version, documents in every():
        fields = set(body(documents, KUBELET)) - {"apiVersion", "kind"}
        assert fields <= by_minor[minor_of(version)], version


def test_kube_proxy_runs_ipvs_and_spares_the_virtual_ip_of_the_api_server() -> None:
    for version, documents in every():
        proxy = body(documents, PROXY)
        assert set(paths(proxy)) - {"apiVersion", "kind"} == set(FACTS["kube_proxy"]["fields"]), version
        assert proxy["mode"] == "ipvs"
        assert proxy["ipvs"] == {"excludeCIDRs": ["10.103.97.2/32"]}


def test_gates_are_known_to_the_version_and_none_that_it_knows_is_forgotten() -> None:
    for version, documents in every():
        known = set(FACTS["gates"][minor_of(version)])
        for component in ("apiServer", "controllerManager", "scheduler"):
            text = arguments(documents, (component, "extraArgs")).get("feature-gates", "")
            gates = dict(gate.split("=") for gate in text.split(",") if gate)
            assert {name for name, value in gates.items() if value == "true"} == known, version
            assert set(gates) - known <= {"AllAlpha"}, version


def test_sealer_always_finds_feature_gates_of_ours_as_it_fills_missing_ones_with_dead_ones() -> None:
    for version in releases():
        for component in ("apiServer", "controllerManager", "scheduler"):
            assert arguments(make(version), (component, "extraArgs"))["feature-gates"], version


def test_controller_manager_flags_are_known_to_the_version_and_the_new_name_is_preferred() -> None:
    for version, documents in every():
        flags = {name for name in arguments(documents, ("controllerManager", "extraArgs")) if "signing" in name}
        known = FACTS["controller_manager_flags"][minor_of(version)]
        assert flags == {"cluster-signing-duration" if "cluster-signing-duration" in known else known[0]}, version


def test_api_server_flags_are_known_to_the_version() -> None:
    for version, documents in every():
        assert set(arguments(documents, ("apiServer", "extraArgs"))) <= set(FACTS["api_server"]["flags"]), version


def test_etcd_gets_a_metrics_address_from_the_first_etcd_that_has_the_flag() -> None:
    for version, documents in every():
        known = FACTS["etcd"]["1.13" if version.minor == 13 else "1.14"]["listen_metrics_urls"]
        assert ("listen-metrics-urls" in arguments(documents, ("etcd", "local", "extraArgs"))) == known, version


def test_coredns_is_asked_for_by_the_name_that_kubeadm_lists_it_under() -> None:
    facts = [(Version.parse(text), row) for text, row in FACTS["coredns"].items()]
    for version, documents in every():
        row = [row for first, row in facts if first <= version][-1]
        dns = get(body(documents, CLUSTER), ("dns", "imageRepository"))
        asked = row["with_dns"].replace("D", dns) if dns else row["without_dns"].replace("R", REGISTRY)
        assert asked == f"{REGISTRY}/{row['listed']}", version


def test_coredns_is_also_saved_where_sealer_would_look_for_it() -> None:
    facts = [(Version.parse(text), row) for text, row in FACTS["coredns"].items()]
    for version in releases():
        row = [row for first, row in facts if first <= version][-1]
        if get(body(make(version), CLUSTER), ("dns", "imageRepository")) is None:
            wanted = row["with_dns"].replace("D/", "coredns/")
            names = [
                alias.also for alias in SPEC.aliases if alias.image == row["listed"] and alias.kubernetes.holds(version)
            ]
            assert names == [(wanted,)], version


def test_a_socket_has_its_scheme_from_the_version_that_warns_without() -> None:
    first = Version.parse(FACTS["socket"]["scheme_from"])
    for version, documents in every():
        for kind in (INIT, JOIN):
            socket = body(documents, kind)["nodeRegistration"]["criSocket"]
            assert socket.startswith("unix:///" if version >= first else "/"), version


def test_docker_is_reached_through_cri_dockerd_once_the_dockershim_is_gone() -> None:
    last = Version.parse(FACTS["socket"]["dockershim_until"])
    for version in releases():
        socket = body(make(version, "docker"), INIT)["nodeRegistration"]["criSocket"]
        assert ("dockershim" in socket) == (version <= last), version


def test_the_list_of_images_names_the_registry_that_the_release_names() -> None:
    firsts = [Version.parse(text) for text in FACTS["registry_k8s_io"]["first"]]
    for version in releases():
        since = [first for first in firsts if first.minor == version.minor] or [firsts[-1]]
        host = spec.pick(SPEC.repositories, version, "kubeadm_repository")
        assert host == ("registry.k8s.io" if version >= since[0] else "k8s.gcr.io"), version


# What is in every file


def test_every_kind_is_there_once_in_order() -> None:
    for version, documents in every():
        assert tuple(document["kind"] for document in documents.bodies) == KINDS, version


def test_nothing_of_a_laboratory_is_left() -> None:
    for version, documents in first_of_each_minor():
        text = kubeadm.text(documents)
        assert not re.search(r"advertiseAddress|etcd-servers|certSANs|172\.16\.|192\.168\.", text), version
        assert None not in list(scalars(list(documents.bodies))), version
        assert "" not in list(scalars(list(documents.bodies))), version


def test_the_version_the_subnets_and_the_cgroup_driver_are_the_images_own() -> None:
    documents = make("v1.22.15", "docker")
    cluster = body(documents, CLUSTER)
    assert cluster["kubernetesVersion"] == "v1.22.15"
    assert cluster["imageRepository"] == REGISTRY
    assert cluster["networking"] == {"podSubnet": "100.64.0.0/10", "serviceSubnet": "10.96.0.0/22"}
    assert body(documents, KUBELET)["cgroupDriver"] == "systemd"


def test_without_a_repository_of_its_own_kubeadm_keeps_its_default_names() -> None:
    settings = kubeadm.Settings(
        Version.parse("v1.28.0"), "unix:///run/containerd/containerd.sock", "", "10.0.0.0/8", "10.96.0.0/22"
    )
    cluster = body(kubeadm.documents(settings, RULES), CLUSTER)
    assert "imageRepository" not in cluster
    assert "dns" not in cluster


def test_the_discovery_timeout_is_where_the_api_keeps_it() -> None:
    assert body(make("v1.30.0"), JOIN)["discovery"] == {"timeout": "5m0s"}
    join = body(make("v1.31.0", flavor="sealos"), JOIN)
    assert join["timeouts"] == {"discovery": "5m0s"}
    assert "discovery" not in join


def test_making_documents_leaves_the_rules_as_they_were() -> None:
    before = repr(RULES)
    merged("v1.22.15", "kind: KubeletConfiguration\nauthentication: {anonymous: {enabled: true}}")
    assert repr(RULES) == before


def test_a_version_without_an_api_is_refused_by_name() -> None:
    rules = kubeadm.rules(Table("versions.toml: kubeadm", {}))
    settings = kubeadm.Settings(Version.parse("v1.22.15"), "/s", REGISTRY, "10.0.0.0/8", "10.96.0.0/22")
    with pytest.raises(ConfigError, match=r"no row for v1\.22\.15"):
        kubeadm.documents(settings, rules)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"apis": []}, "kubeadm.apis: is not a known key"),
        ({"api": [{"kubernetes": "", "name": "v9"}]}, "'v9' has no [kubeadm.form]"),
        ({"form": {"v1": {"arguments": "tree"}}}, "must be map or list, not 'tree'"),
        ({"part": [{"kubernetes": "", "kind": "Kubelet", "fields": {}}]}, "'Kubelet' is not a document of kubeadm's"),
        ({"removed": [{"kubernetes": ""}]}, "a row names an argument or a gate"),
        ({"gate": [{"kubernetes": "1.25", "name": "X", "value": True}]}, "kubeadm.gate[0].kubernetes"),
    ],
)
def test_a_wrong_rule_is_named_by_its_key(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kubeadm.rules(Table("versions.toml: kubeadm", section))
    assert problem in caught.value.problem


# The texts


def test_the_file_reads_back_as_the_documents() -> None:
    for version, documents in first_of_each_minor():
        assert tuple(yaml.safe_load_all(kubeadm.text(documents))) == documents.bodies, version


def test_the_same_settings_give_the_same_bytes() -> None:
    assert kubeadm.text(make("v1.31.0")) == kubeadm.text(make("v1.31.0"))


def test_no_anchors_and_no_folded_lines() -> None:
    text = kubeadm.text(
        merged("v1.22.15", f"kind: ClusterConfiguration\napiServer: {{extraArgs: {{x: '{'a b ' * 99}'}}}}")
    )
    assert not re.search(r"[:-] [&*]", text)
    assert "a b " * 99 in text


@pytest.mark.parametrize(
    "value", ["y", "no", "1e3", "0o17", "010", "1_0", "2026-11-21", "null", "~", "0x1f", "12:30:45", "=", "", " a"]
)
def test_text_that_yaml_could_take_for_something_else_is_quoted(value: str) -> None:
    documents = kubeadm.merge(make("v1.22.15"), [{"kind": CLUSTER, "clusterName": value}])
    assert f"clusterName: '{value}'\n" in kubeadm.text(documents)


def render(template: str, environment: dict[str, str]) -> str:
    """Do what Go's text/template does with the two actions that we use."""

    def action(match: re.Match[str]) -> str:
        if match[1] is None:
            return "{{"
        return environment.get(match[1]) or match[2]

    return re.sub(r'\{\{(?:or \.(\w+) "([^"]*)"|"\{\{")\}\}', action, template)


def test_the_template_without_an_environment_is_the_file() -> None:
    for version, documents in first_of_each_minor():
        assert list(yaml.safe_load_all(render(kubeadm.template(documents), {}))) == list(documents.bodies), version


def test_the_template_takes_sealers_registry_and_the_users_subnets() -> None:
    environment = {"RegistryURL": "hub.example:443", "PodCIDR": "10.1.0.0/16", "SvcCIDR": "10.2.0.0/16"}
    rendered = list(yaml.safe_load_all(render(kubeadm.template(make("v1.22.15")), environment)))
    cluster = next(document for document in rendered if document["kind"] == CLUSTER)
    assert cluster["imageRepository"] == "hub.example:443"
    assert cluster["dns"]["imageRepository"] == "hub.example:443/coredns"
    assert cluster["networking"] == {"podSubnet": "10.1.0.0/16", "serviceSubnet": "10.2.0.0/16"}
    assert [d for d in rendered if d["kind"] != CLUSTER] == [d for d in make("v1.22.15").bodies if d["kind"] != CLUSTER]


def test_the_template_is_yaml_before_it_is_rendered() -> None:
    cluster = list(yaml.safe_load_all(kubeadm.template(make("v1.22.15"))))[1]
    assert cluster["imageRepository"] == '{{or .RegistryURL "sea.hub:5000"}}'


def test_what_a_user_chose_is_not_left_to_the_environment() -> None:
    text = "kind: ClusterConfiguration\nimageRepository: my.hub/k8s\nnetworking: {podSubnet: 10.9.0.0/16}"
    template = kubeadm.template(merged("v1.22.15", text))
    assert "imageRepository: my.hub/k8s\n" in template
    assert "podSubnet: 10.9.0.0/16\n" in template
    assert "{{or .SvcCIDR" in template


def test_braces_in_a_users_text_survive_the_template() -> None:
    documents = merged("v1.22.15", "kind: ClusterConfiguration\nclusterName: 'a{{.B}}c'")
    rendered = list(yaml.safe_load_all(render(kubeadm.template(documents), {})))
    assert rendered[1]["clusterName"] == "a{{.B}}c"


def test_importing_kubeadm_costs_no_yaml() -> None:
    code = "import sys, clusterimage.kubeadm; sys.exit(bool({'yaml', 'jinja2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# A user's own kubeadm.yml

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
