"""kubeadm's documents against what Kubernetes knows (kubeadm_facts.toml), for every release of the image table."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from clusterimage.catalog import kubeadm, spec
from clusterimage.catalog.kubeadm.forms import ARGUMENTS, CLUSTER, INIT, JOIN, KINDS, KUBELET, PROXY, get
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table
from clusterimage.values.version import Version
from tests.unit.catalog.kubeadm_documents import (
    FACTS,
    MINORS,
    REGISTRY,
    ROOT,
    RULES,
    SPEC,
    arguments,
    body,
    every,
    first_of_each_minor,
    make,
    merged,
    minor_of,
    paths,
    releases,
    scalars,
)

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
    code = "import sys, clusterimage.catalog.kubeadm; sys.exit(bool({'yaml', 'jinja2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
