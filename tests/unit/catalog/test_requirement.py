"""What a Kubernetes version needs, by the rules of a small versions.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.catalog.requirement import FileRequest, ImageRequest, Requirement
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version
from tests.unit.conftest import KUBEADM_IMAGES, error_of


def require(root: Path, version: str = "v1.22.15", *extra: str) -> Requirement:
    references = tuple(Reference.parse(name) for name in extra)
    return requirement.require(spec.load(root / "versions.toml"), Version.parse(version), references, root)


def edit(root: Path, old: str, new: str) -> Path:
    path = root / "versions.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return root


def files(needed: Requirement, component: str) -> dict[str, FileRequest]:
    return {file.arch: file for file in needed.files if file.component == component}


def names(needed: Requirement, group: str) -> list[str]:
    return [str(image.reference) for image in needed.images if image.group == group]


def test_a_file_is_asked_for_once_per_architecture(small: Path) -> None:
    found = files(require(small), "kubectl")

    assert list(found) == ["amd64", "arm64"]
    assert found["arm64"] == FileRequest(
        component="kubectl",
        version="1.22.15",
        arch="arm64",
        url="https://dl.example/v1.22.15/arm64/kubectl",
        checksum_url="https://dl.example/v1.22.15/arm64/kubectl.sha256",
        table="kubectl",
        install=(("", "bin/kubectl"),),
        mode=0o755,
        part="kubernetes",
        cri="",
        cni="",
    )
    assert found["arm64"].key == ("kubectl", "1.22.15", "arm64")


@pytest.mark.parametrize(("version", "expected"), [("v1.22.15", "1.22.0"), ("v1.24.9", "1.23.0")])
def test_the_first_row_that_holds_chooses_the_version(small: Path, version: str, expected: str) -> None:
    file = files(require(small, version), "crictl")["amd64"]

    assert file.url == f"https://files.example/crictl-v{expected}-linux-amd64.tar.gz"
    assert file.checksum_url == f"https://files.example/sums/crictl-v{expected}-linux-amd64.tar.gz.sha256"


def test_an_upstream_may_spell_an_architecture_in_its_own_way(small: Path) -> None:
    found = files(require(small), "docker")

    assert found["amd64"].url == "https://files.example/x86_64/docker-20.10.24.tgz"
    assert found["arm64"].url == "https://files.example/aarch64/docker-20.10.24.tgz"


def test_a_file_for_every_architecture_is_asked_for_once(small: Path) -> None:
    found = files(require(small), "gperf")

    assert list(found) == ["any"]
    assert found["any"].install == (("", "lib/gperf-3.1.tar.gz"),)


def test_a_component_is_needed_where_its_range_holds(small: Path) -> None:
    assert files(require(small, "v1.22.15"), "cri-dockerd") == {}
    assert files(require(small, "v1.24.9"), "cri-dockerd").keys() == {"amd64", "arm64"}


def test_the_operator_s_file_is_that_of_the_calico_row(small: Path) -> None:
    file = files(require(small), "tigera-operator")["any"]

    assert (file.version, file.url) == ("3.22.1", "https://files.example/calico/tigera-operator.yaml")


def test_the_images_come_in_groups(small: Path) -> None:
    needed = require(small, "v1.22.15", "sealerio/lvscare:v1")

    assert names(needed, "base") == ["docker.io/sealerio/lvscare:v1"]
    assert names(needed, "calico") == ["quay.io/tigera/operator:v1.25.3", "docker.io/calico/node:v3.22.1"]
    assert names(needed, "node") == ["docker.io/library/registry:2.8.3"]
    assert names(needed, "kubernetes") == [
        "k8s.gcr.io/kube-apiserver:v1.22.15",
        "k8s.gcr.io/kube-controller-manager:v1.22.15",
        "k8s.gcr.io/kube-scheduler:v1.22.15",
        "k8s.gcr.io/kube-proxy:v1.22.15",
        "k8s.gcr.io/pause:3.5",
        "k8s.gcr.io/etcd:3.5.0-0",
        "k8s.gcr.io/coredns/coredns:v1.8.4",
    ]


def test_an_image_list_ends_with_the_control_plane(small: Path) -> None:
    groups = [image.group for image in require(small, "v1.22.15", "nginx:1.25").images]

    assert list(dict.fromkeys(groups)) == ["base", "calico", "kubernetes", "node"]


@pytest.mark.parametrize(("version", "host"), [("v1.22.15", "k8s.gcr.io"), ("v1.24.9", "registry.k8s.io")])
def test_kubeadm_s_images_come_from_where_that_release_says(small: Path, version: str, host: str) -> None:
    assert {image.reference.host for image in require(small, version).images if image.group == "kubernetes"} == {host}


def test_an_alias_without_a_tag_takes_the_image_s(small: Path) -> None:
    image = next(image for image in require(small).images if image.reference.repository == "coredns/coredns")

    assert image.aliases == (("coredns", "v1.8.4"), ("other/dns", "fixed"))


def test_an_alias_holds_for_its_versions_only(small: Path) -> None:
    assert {image.aliases for image in require(small, "v1.24.9").images} == {()}


def test_versions_are_asked_by_the_component_s_name(small: Path) -> None:
    needed = require(small)

    assert (needed.component_version("containerd"), needed.pause()) == ("1.6.39", "3.5")


def test_a_version_before_the_oldest_is_refused(small: Path) -> None:
    error = error_of(require, small, "v1.12.10")

    assert error.problem == "k8s=v1.12.10: Kubernetes before v1.13.0 cannot be built"


@pytest.mark.parametrize(
    ("version", "hint"),
    [
        ("v1.22.14", "did you mean v1.22.15? newest of v1.22: v1.22.15"),
        ("v1.22.16", "if that release exists, add its row there"),  # an older patch is no remedy
        ("v1.29.0", "if that release exists, add its row there"),
    ],
)
def test_a_release_without_a_row_of_images_is_refused_with_what_to_do(small: Path, version: str, hint: str) -> None:
    error = error_of(require, small, version)

    assert error.problem == f"k8s={version}: not in data/kubeadm-images.toml"
    assert error.hint.startswith(hint)


def test_a_version_without_a_row_of_a_network_does_without_it(small: Path) -> None:
    needed = require(small, "v1.30.0")

    assert not names(needed, "calico")
    assert not files(needed, "tigera-operator")


def test_a_component_without_a_row_for_the_version_is_refused(small: Path) -> None:
    error = error_of(require, edit(small, '["", "1.23.0"]', '["<1.20", "1.0.0"]'), "v1.24.9")

    assert error.problem == "versions.toml: component.crictl.versions: no row for v1.24.9"
    assert error.hint == "add a row"


def test_a_row_of_images_that_lacks_one_is_named(small: Path) -> None:
    (small / "data" / "kubeadm-images.toml").write_text(KUBEADM_IMAGES.replace('pause = "3.5"', 'paus = "3.5"'))

    assert "kubeadm_images.1.22.15.pause: is missing" in error_of(require, small).problem


def test_a_row_of_images_that_is_malformed_is_named(small: Path) -> None:
    (small / "data" / "kubeadm-images.toml").write_text(KUBEADM_IMAGES.replace('"1.22.15" = {', '"1.22.15" = '))

    error = error_of(require, small)

    assert error.problem.startswith(f"{small}/data/kubeadm-images.toml: kubeadm_images: not valid TOML: ")


def test_a_missing_table_of_images_is_named(small: Path) -> None:
    (small / "data" / "kubeadm-images.toml").unlink()

    assert error_of(require, small).problem == f"{small}/data/kubeadm-images.toml: no such file"


@pytest.mark.parametrize(
    ("old", "new"),
    [("/{arch}/docker-", "/{arhc}/docker-"), ('"{url}.sha256"', '"{urll}.sha256"'), ("gperf-{version}.", "gperf-{}.")],
)
def test_an_unknown_placeholder_is_a_user_error(small: Path, old: str, new: str) -> None:
    error = error_of(require, edit(small, old, new))

    assert error.problem.startswith("versions.toml: component.")
    assert "placeholder" in error.problem
    assert "{version}" in error.hint


def test_a_version_of_something_unknown_is_refused(small: Path) -> None:
    error = error_of(spec.load, edit(small, 'versions = "calico"', 'versions = "calcio"') / "versions.toml")

    assert "component.tigera-operator.versions: " in error.problem
    assert error.hint == "did you mean calico?"


def test_two_images_that_would_be_saved_under_one_name_are_refused(small: Path) -> None:
    error = error_of(require, small, "v1.22.15", "quay.io/calico/node:v3.22.1")

    assert error.problem == (
        "quay.io/calico/node:v3.22.1 and docker.io/calico/node:v3.22.1 would be saved under one name"
    )
    assert error.hint == "drop one of them from imageList"


def test_an_image_and_the_alias_of_another_do_not_share_a_name(small: Path) -> None:
    error = error_of(require, small, "v1.22.15", "quay.io/other/dns:fixed")

    assert error.problem == (
        "quay.io/other/dns:fixed and k8s.gcr.io/coredns/coredns:v1.8.4 would be saved under one name"
    )


def test_images_by_digest_share_no_name(small: Path) -> None:
    images = [f"quay.io/a/b@sha256:{letter * 64}" for letter in "12"]

    assert names(require(small, "v1.22.15", *images), "base") == images


def test_an_image_that_two_lists_name_is_needed_once(small: Path) -> None:
    needed = require(small, "v1.22.15", "k8s.gcr.io/pause:3.5", "calico/node:v3.22.1")

    assert [str(image.reference) for image in needed.images].count("k8s.gcr.io/pause:3.5") == 1
    assert {image.group for image in needed.images if image.reference.repository == "calico/node"} == {"base"}


def test_an_image_is_a_value(small: Path) -> None:
    assert require(small).images[-1] == ImageRequest(Reference.parse("registry:2.8.3"), "node")
