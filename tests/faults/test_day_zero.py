"""Releases that no table knows yet: locked from the source of their kubeadm, or refused with what to write by hand."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clusterimage.catalog import spec
from clusterimage.catalog.kubeadm_tags import KubeadmTags
from clusterimage.catalog.requirement import Demand
from clusterimage.context import imagelist
from clusterimage.upstream import Upstream, UpstreamFile, published
from clusterimage.values.version import Version
from tests.conftest import Project
from tests.faults.conftest import reach

URL = "https://raw.githubusercontent.com/kubernetes/kubernetes/v1.36.99/cmd/kubeadm/app/constants/constants.go"
TAGS = KubeadmTags("coredns/coredns:v1.14.9", "3.6.12-0", "3.10.3")
GO = """/*
Copyright 2019 The Kubernetes Authors.
*/

package constants

const (
	// DefaultEtcdVersion indicates the default etcd version that kubeadm uses
	DefaultEtcdVersion = "3.6.12-0"

	CoreDNSImageName = "coredns"
	CoreDNSVersion = "v1.14.9"

	PauseVersion = "3.10.3"
)

var (
	SupportedEtcdVersion = map[uint8]string{
		33: "3.6.8-0",
		34: "3.6.8-0",
	}
)
"""


@contextmanager
def upstream(project: Project, text: str) -> Iterator[Upstream]:
    """Start an upstream of v1.36.99, whose constants are `text` ("" for none), as the mirror `fake` of the project."""
    versions = spec.load(project.root / "versions.toml")
    extra = imagelist.read(project.root / "context" / "imageList")
    demand = Demand(versions, Version(1, 36, 99), extra, project.root, ("sealer",))
    files, images = published([demand.wanted(demand.requirements(TAGS))[0]])
    constants = [UpstreamFile(URL, "", "any", (), text=text)] if text else []
    with Upstream([*files, *constants], images) as running:
        reach(project, running)
        yield running


def test_a_release_that_no_table_has_is_locked_and_built(project: Project) -> None:
    with upstream(project, GO):
        first = project.doit("build", "k8s=v1.36.99", "mirror=fake", "cni=none", "platform=linux/amd64")
        again = project.doit("build", "k8s=v1.36.99", "mirror=fake", "cni=none", "platform=linux/amd64")

    lock = tomllib.loads((project.root / "locks/fake/v1.36.99.toml").read_text())
    assert (first.code, again.code) == (0, 0), first.text
    assert lock["constants"] == {
        "url": URL,
        "sha256": hashlib.sha256(GO.encode()).hexdigest(),
        "coredns": TAGS.coredns,
        "etcd": TAGS.etcd,
        "pause": TAGS.pause,
    }
    images = {image["reference"].partition("/")[2] for image in lock["image"]}
    assert {TAGS.coredns, f"etcd:{TAGS.etcd}", f"pause:{TAGS.pause}", "kube-proxy:v1.36.99"} <= images


def test_it_is_built_from_its_lock_without_the_source(project: Project) -> None:
    with upstream(project, GO):
        assert project.doit("lock", "k8s=v1.36.99", "mirror=fake").code == 0
        words = ("k8s=v1.36.99", "mirror=fake", "cni=none", "platform=linux/amd64")
        assert project.doit("download", "pull-images", *words).code == 0
        lock = (project.root / "locks/fake/v1.36.99.toml").read_bytes()
    result = project.doit("build", *words, "offline=yes", "locked=yes")

    assert result.code == 0, result.text
    assert (project.root / "locks/fake/v1.36.99.toml").read_bytes() == lock


def test_a_tag_that_was_moved_is_refused_and_the_lock_stays(project: Project) -> None:
    with upstream(project, GO):
        assert project.doit("lock", "k8s=v1.36.99", "mirror=fake").code == 0
    lock = (project.root / "locks/fake/v1.36.99.toml").read_bytes()
    text = (project.root / "versions.toml").read_text()
    (project.root / "versions.toml").write_text(text.partition("\n[mirrors.fake]")[0])
    with upstream(project, GO + "// moved\n"):
        result = project.doit("lock", "k8s=v1.36.99", "mirror=fake")

    assert result.code != 0 and f"{URL}: was sha256:" in result.text
    assert (project.root / "locks/fake/v1.36.99.toml").read_bytes() == lock


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["k8s=v1.36.99: not in data/kubeadm-images.toml", "upstream has no such release"]),
        (
            GO.replace("PauseVersion", "Pause"),
            [f"{URL}: cannot be understood", '"1.36.99" = { coredns = "coredns/coredns:v1.14.9"'],
        ),
        ("<!DOCTYPE html><title>Sign in</title>", [f"{URL}: cannot be understood", 'pause = "?"']),
        ("package constants\n" + "x" * (2 << 20), [f"{URL}: larger than 1 MiB"]),
    ],
)
def test_what_is_no_such_release_is_said_in_two_lines(project: Project, text: str, said: list[str]) -> None:
    with upstream(project, text):
        result = project.doit("build", "k8s=v1.36.99", "mirror=fake", "cni=none")

    assert result.code != 0 and "Traceback" not in result.text
    for words in said:
        assert words in result.text
    assert not (project.root / "locks/fake/v1.36.99.toml").exists()


def test_an_old_release_that_no_table_has_is_not_looked_for(project: Project) -> None:
    result = project.doit("build", "k8s=v1.18.99", "mirror=embedded")

    assert result.code != 0 and "k8s=v1.18.99: not in data/kubeadm-images.toml" in result.text


def test_the_embedded_upstream_has_the_patches_to_come_of_maintained_minors(project: Project) -> None:
    result = project.doit("build", "k8s=v1.37.9", "flavor=sealos", "mirror=embedded", "platform=linux/amd64")
    gone = project.doit("build", "k8s=v1.22.99", "mirror=embedded", "cni=none", "platform=linux/amd64")

    assert result.code == 0, result.text
    assert gone.code != 0 and "upstream has no such release" in gone.text
