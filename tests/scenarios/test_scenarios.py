"""Directories in, manifests out: what the image of each scenario holds, one line a file, for reviewers to read.

A scenario is a folder with the name of an image; its file `expected` has mode, part and path of every file below the
root, the saved registry left out. `UPDATE_EXPECTED=1 make test` writes it anew; a new folder is a new scenario.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterimage import kubefile
from clusterimage.storage import manifest
from tests.conftest import Project

HERE = Path(__file__).parent
SCENARIOS = sorted(path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__")

# Seed 000 (with 001) and seed 004 draw the tree of a rootfs; the image holds both, but for these names:
NOT_OURS = {
    "images/registry.tar": "images/registry.tar.gz, which seed 000 names too",
    "images/docker-amd64-registry-image.tar.gz": "images/registry.tar.gz: one name for every CRI and architecture",
    "etc/kubeadm-config.yaml": "etc/kubeadm.yml, as seeds 000 and 004 call it",
    "cri/lib64/libseccomp.so.2": "runc's static binary holds libseccomp",
}
SEED_000 = """
bin/conntrack bin/containerd-rootless-setuptool.sh bin/containerd-rootless.sh bin/crictl bin/kubeadm
bin/kubectl bin/kubelet bin/nerdctl bin/seautil cri/docker.tar.gz etc/10-kubeadm.conf etc/Clusterfile
etc/daemon.json etc/docker.service etc/kubeadm.yml etc/kubeadm.yml.tmpl etc/kubelet.service
etc/registry_config.yml etc/registry.yml images/registry.tar Kubefile Metadata README.md imageList
scripts/clean.sh scripts/clean-kube.sh scripts/docker.sh scripts/init-kube.sh scripts/init-registry.sh
scripts/init.sh scripts/kubelet-pre-start.sh statics/audit-policy.yml etc/kubeadm-config.yaml
"""
SEED_000_CONTAINERD = "cri/containerd.tar.gz cri/lib64/libseccomp.so.2 etc/dump-config.toml scripts/containerd.sh"
SEED_004 = """
application/apps/calico/calico.sh applications/custom-resources.yaml applications/tigera-operator.yaml
bin/conntrack bin/containerd-rootless-setuptool.sh bin/containerd-rootless.sh bin/crictl bin/kubeadm
bin/kubectl bin/kubelet bin/nerdctl bin/seautil cri/docker.tar.gz etc/10-kubeadm.conf etc/daemon.json
etc/docker.service etc/kubeadm.yml etc/kubeadm.yml.tmpl etc/kubelet.service etc/registry_config.yml
images/docker-amd64-registry-image.tar.gz lib/gperf-3.1.tar.gz lib/install_libseccomp.sh
lib/libseccomp-2.5.4.tar.gz manifests/imageList scripts/docker.sh scripts/init-kube.sh
scripts/init-registry.sh scripts/kubelet-pre-start.sh scripts/uninstall-docker.sh statics/audit-policy.yml
"""


def tree(project: Project, name: str, arch: str) -> dict[str, manifest.Entry]:
    """Return what the Kubefile makes of the build context: path in the image -> entry."""
    root = project.root / "_build/embedded/context-v1"
    listing = manifest.read(root / f"{name}.manifest")
    instructions = kubefile.parse((root / name / "Kubefile").read_text(), "Kubefile")
    content = kubefile.evaluate(instructions, listing, arch)
    return {entry.path: entry for entry, _ in kubefile.entries(content)}


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_image_holds_what_its_scenario_says(built: Project, scenario: str, arch: str) -> None:
    expected = HERE / scenario / "expected"

    lines = [f"{entry.mode:04o} {entry.part:<10} {path}" for path, entry in tree(built, scenario, arch).items()]
    text = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(text)

    assert text == expected.read_text()


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("v1.22.15-docker", SEED_000),
        ("v1.22.15-containerd", SEED_000_CONTAINERD),
        ("v1.22.15-docker-calico", SEED_004),
    ],
)
def test_the_rootfs_holds_what_the_trees_of_the_seeds_show(built: Project, name: str, paths: str) -> None:
    found = tree(built, name, "amd64")

    assert {path for path in paths.split() if path not in found} <= NOT_OURS.keys()
    assert "images/registry.tar.gz" in found
