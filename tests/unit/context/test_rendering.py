"""The names that templates use, and what they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from clusterimage.catalog import spec
from clusterimage.context import rendering
from clusterimage.context.rendering import Rendering, Variables
from clusterimage.context.template import Template
from clusterimage.storage import manifest
from clusterimage.values.version import Version
from tests.conftest import ROOT
from tests.unit.conftest import error_of, plant, texts


@pytest.fixture(scope="module")
def variables() -> Variables:
    return Variables(
        kubernetes=Version(1, 22, 15),
        cri="docker",
        cri_version="20.10.24",
        cni="calico",
        cni_title="Calico",
        cni_files=("tigera-operator.yaml", "custom-resources.yaml"),
        cni_version="3.22.1",
        pause="3.5",
        flavor="sealer",
        client="sealer >=0.9.2",
        registry="sea.hub:5000",
        image_repository="sea.hub:5000",
        registry_image="docker.io/library/registry:2.8.3",
        socket="/var/run/dockershim.sock",
        containerd_config=2,
        docker_needs_cri_dockerd=False,
        pod_subnet="100.64.0.0/10",
        service_subnet="10.96.0.0/22",
        images=("k8s.gcr.io/pause:3.5",),
        own_images=(),
        rules=spec.load(ROOT / "versions.toml").kubeadm,
    )


def test_every_fact_has_the_name_that_templates_use(variables: Variables) -> None:
    names = rendering.names(variables)

    ready = {"kubeadm_yml", "kubeadm_yml_tmpl"}
    assert {name: value for name, value in names.items() if name not in ready} == {
        "k8s": "v1.22.15",
        "cri": "docker",
        "cri_version": "20.10.24",
        "cni": "calico",
        "cni_title": "Calico",
        "cni_files": ("tigera-operator.yaml", "custom-resources.yaml"),
        "cni_version": "3.22.1",
        "pause": "3.5",
        "client": "sealer >=0.9.2",
        "registry": "sea.hub:5000",
        "registry_domain": "sea.hub",
        "registry_port": 5000,
        "registry_image": "docker.io/library/registry:2.8.3",
        "socket": "/var/run/dockershim.sock",
        "containerd_config": 2,
        "docker_needs_cri_dockerd": False,
        "pod_subnet": "100.64.0.0/10",
        "service_subnet": "10.96.0.0/22",
        "images": ("k8s.gcr.io/pause:3.5",),
        "own_images": (),
    }
    assert ready < names.keys()


def test_kubeadm_s_file_is_made_of_the_same_facts(variables: Variables) -> None:
    documents = list(yaml.safe_load_all(rendering.names(variables)["kubeadm_yml"]))

    by_kind = {document["kind"]: document for document in documents}
    cluster = by_kind["ClusterConfiguration"]
    assert cluster["kubernetesVersion"] == "v1.22.15"
    assert cluster["imageRepository"] == "sea.hub:5000"
    assert cluster["networking"]["podSubnet"] == "100.64.0.0/10"
    assert cluster["networking"]["serviceSubnet"] == "10.96.0.0/22"
    assert by_kind["InitConfiguration"]["nodeRegistration"]["criSocket"] == "/var/run/dockershim.sock"


def test_the_names_that_kubeadm_keeps_are_left_alone(variables: Variables) -> None:
    kept = replace(variables, flavor="sealos", registry="sealos.hub:5000", image_repository="")
    texts = rendering.names(kept)["kubeadm_yml"]

    assert "imageRepository" not in texts
    assert "sealos.hub" not in texts


def test_the_run_time_template_is_left_to_run_time(variables: Variables) -> None:
    assert "{{" in rendering.names(variables)["kubeadm_yml_tmpl"]


@pytest.mark.parametrize(
    ("registry", "domain", "port"), [("sea.hub:5000", "sea.hub", 5000), ("registry.example", "registry.example", 443)]
)
def test_a_registry_without_a_port_is_asked_over_https(
    variables: Variables, registry: str, domain: str, port: int
) -> None:
    names = rendering.names(replace(variables, registry=registry))

    assert (names["registry"], names["registry_domain"], names["registry_port"]) == (registry, domain, port)


def test_templates_and_texts_become_a_tree(variables: Variables, tmp_path: Path) -> None:
    plant(tmp_path, {"in.j2": "{{ k8s }} {{ registry_port }}\n"})
    made = Rendering((Template(tmp_path / "in.j2", "rootfs/out"),), variables, (("imageList", "x\n"),))

    rendering.write(made, tmp_path / "tree")

    assert texts(tmp_path / "tree") == {"rootfs/out": "v1.22.15 5000\n", "imageList": "x\n"}
    assert manifest.read(tmp_path / "tree.manifest") == manifest.scan(tmp_path / "tree", part="config")


def test_a_user_s_own_kubeadm_file_is_laid_over_ours_and_tells_the_subnets(
    variables: Variables, tmp_path: Path
) -> None:
    own = "kind: ClusterConfiguration\napiVersion: kubeadm.k8s.io/v1beta2\nnetworking: {podSubnet: 10.1.0.0/16}\n"
    plant(tmp_path, {"kubeadm.yml": own})

    names = rendering.names(variables, tmp_path / "kubeadm.yml")

    assert (names["pod_subnet"], names["service_subnet"]) == ("10.1.0.0/16", "10.96.0.0/22")
    assert "podSubnet: 10.1.0.0/16" in names["kubeadm_yml"]


@pytest.mark.parametrize(
    ("content", "problem"), [("a: [", "context/kubeadm.yml: line 1: "), (b"\xff", "kubeadm.yml: not UTF-8 text")]
)
def test_a_user_s_own_kubeadm_file_that_cannot_be_read_is_named(
    variables: Variables, tmp_path: Path, content: str | bytes, problem: str
) -> None:
    plant(tmp_path, {"kubeadm.yml": content})

    assert problem in error_of(rendering.names, variables, tmp_path / "kubeadm.yml").problem


def test_everything_that_is_read_is_an_input_once(variables: Variables, tmp_path: Path) -> None:
    template = Template(tmp_path / "in.j2", "a/out"), Template(tmp_path / "in.j2", "b/out")

    assert Rendering(template, variables, ()).inputs == (tmp_path / "in.j2",)
    assert Rendering((), variables, (), tmp_path / "kubeadm.yml").inputs == (tmp_path / "kubeadm.yml",)
