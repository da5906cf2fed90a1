"""A flavor is a row of data: what it says is kept, what it cannot be is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.catalog import flavor, requirement, spec
from clusterimage.catalog.flavor import Flavor
from clusterimage.catalog.requirement import Requirement
from clusterimage.catalog.spec import Spec
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table
from clusterimage.values.version import Version
from tests.conftest import ROOT
from tests.unit.conftest import error_of

SPEC = spec.load(ROOT / "versions.toml")
OLD, NEW = Version.parse("v1.20.2"), Version.parse("v1.31.4")
IMAGES = (Reference.parse("example.com/own:1"),)


def needed(version: Version, name: str, rules: Spec = SPEC) -> Requirement:
    return requirement.require(rules, version, IMAGES, ROOT, name)


@pytest.mark.parametrize(
    ("name", "cri", "expected"),
    [
        ("sealer", "docker", "docker.io/sealerio/kubernetes:v1.31.4"),
        ("sealer", "containerd", "docker.io/sealerio/kubernetes:v1.31.4-containerd"),
        ("sealos", "docker", "docker.io/labring/kubernetes-docker:v1.31.4"),
        ("sealos", "containerd", "docker.io/labring/kubernetes:v1.31.4"),
    ],
)
def test_an_image_has_the_name_that_its_users_know(name: str, cri: str, expected: str) -> None:
    assert SPEC.flavor(name).image_name(cri, NEW) == expected


def test_a_runtime_without_a_name_is_refused() -> None:
    assert "flavor.sealos.names: none for crio" in error_of(SPEC.flavor("sealos").image_name, "crio", NEW).problem


def test_a_network_that_a_flavor_has_not_is_refused_with_the_reason() -> None:
    SPEC.flavor("sealer").refuse_cni("calico")
    error = error_of(SPEC.flavor("sealos").refuse_cni, "calico")

    assert error.problem.startswith("cni=calico: not with flavor=sealos: an application image brings the network")


@pytest.mark.parametrize(
    ("name", "version", "client"),
    [
        ("sealer", "v1.13.12", "sealer >=0.9.2"),
        ("sealer", "v1.36.5", "sealer >=0.9.2"),
        ("sealos", "v1.21.14", "sealos >=4.3,<5"),
        ("sealos", "v1.22.0", "sealos >=4.3"),
        ("sealos", "v1.31.0", "sealos >=5.1"),
        ("sealos", "v1.37.2", "sealos >=5.1"),
    ],
)
def test_an_image_says_which_releases_of_the_tool_run_it(name: str, version: str, client: str) -> None:
    assert SPEC.flavor(name).client(Version.parse(version)) == client


def test_a_version_that_no_release_of_the_tool_runs_is_refused_with_the_reason() -> None:
    error = error_of(SPEC.flavor("sealer").client, Version.parse("v1.37.0"))

    assert error.problem.startswith("k8s=v1.37.0: not with flavor=sealer: sealer writes kubeadm.k8s.io/v1beta3")
    assert error.hint == "flavor=sealos, or another version"


@pytest.mark.parametrize("name", flavor.FLAVORS)
def test_every_file_of_context_that_a_flavor_names_is_there(name: str) -> None:
    row = SPEC.flavor(name)
    for cri in ("docker", "containerd"):
        paths = [ROOT / "context" / text.format(cri=cri) for text in (*row.trees, *row.files, row.kubefile)]
        assert [path for path in paths if not path.exists()] == []


def test_what_only_one_flavor_needs_is_asked_for_by_that_one() -> None:
    components = {name: {file.component for file in needed(OLD, name).files} for name in flavor.FLAVORS}

    assert components["sealer"] - components["sealos"] == {
        "seautil",
        "nerdctl",
        "libseccomp",
        "gperf",
        "tigera-operator",
        "kube-flannel",
    }
    assert components["sealos"] - components["sealer"] == {"sealos", "registry", "cri-dockerd"}


def test_images_are_the_users_the_flavors_and_kubeadms() -> None:
    groups = {str(image.reference): image.group for image in needed(NEW, "sealos").images}

    assert groups["example.com/own:1"] == "base"
    assert groups["ghcr.io/labring/lvscare:v5.1.1"] == "sealos"
    assert set(groups.values()) == {"base", "sealos", "kubernetes"}


def test_other_names_of_an_image_are_for_the_flavor_that_asks_for_them() -> None:
    def aliases(name: str) -> set[str]:
        return {alias for image in needed(OLD, name).images for alias, _ in image.aliases}

    assert "coredns/coredns" in aliases("sealer")
    assert aliases("sealos") == set()


def test_a_union_asks_for_everything_once() -> None:
    both = requirement.union([needed(NEW, name) for name in flavor.FLAVORS])

    keys = [file.key for file in both.files]
    references = [image.reference for image in both.images]
    assert len(keys) == len(set(keys)) and len(references) == len(set(references))
    for name in flavor.FLAVORS:
        assert {file.key for file in needed(NEW, name).files} <= set(keys)
        assert {image.reference for image in needed(NEW, name).images} <= set(references)


def read(**changes: object) -> Flavor:
    clients = [{"kubernetes": "", "client": ">=1"}]
    row = {
        "clients": clients,
        "names": {"docker": "a/b:{k8s}"},
        "registry": "r:1",
        "cni": ["none"],
        "kubefile": "K",
        "trees": ["t"],
    }
    return flavor.read("sealos", Table("versions.toml: flavor.sealos", row | changes), ("none", "calico"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tag": "x"}, "flavor.sealos.tag: is not a known key"),
        ({"registry": 5}, "flavor.sealos.registry: must be a string, not 5"),
        ({"single_platform": "yes"}, "flavor.sealos.single_platform: must be true or false, not 'yes'"),
        ({"clients": [{"kubernetes": "", "client": "new"}]}, "flavor.sealos.clients[0].client: 'new' is not a range"),
        ({"images": [{"kubernetes": "1.2", "image": "a"}]}, "flavor.sealos.images[0].kubernetes: '1.2' is not a range"),
        (
            {"images": [{"kubernetes": "", "image": "A/B"}]},
            "flavor.sealos.images[0].image: image 'A/B': bad repository",
        ),
    ],
)
def test_what_is_wrong_in_a_row_is_named_with_its_key(changes: dict[str, object], problem: str) -> None:
    assert read().names == (("docker", "a/b:{k8s}"),)
    assert problem in error_of(read, **changes).problem


@pytest.mark.parametrize(("text", "expected"), [("{registry}/k8s", "r:1/k8s"), ("mine:2", "mine:2"), ("", "")])
def test_kubeadm_can_be_told_the_registry_by_reference(text: str, expected: str) -> None:
    assert read(image_repository=text).image_repository == expected


def test_a_third_flavor_is_refused_by_name(tmp_path: Path) -> None:
    assert "flavor.x" in error_of(flavor.read, "x", Table("versions.toml: flavor", {}), ()).problem
