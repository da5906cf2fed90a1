"""Everything under context/: scripts are clean, templates render, and what they say is accepted by who reads it."""

import itertools
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.scripts import image
from tests.scripts.image import CONTEXT, values

SHELL = sorted(CONTEXT.rglob("*.sh"))
SEALOS = CONTEXT / "sealos"  # what its scripts name is looked for in built images, by doit verify
PLAIN_STYLE = "SC2250,SC2292,SC2312,SC2310"  # braces, [[ ]], and notes on set -e in conditions

# What the rootfs of flavor sealer holds besides scripts, with the files that are not of context/.
ROOTFS_FILES = {
    "etc/10-kubeadm.conf", "etc/kubelet.service", "etc/registry.yml", "etc/registry_config.yml", "etc/daemon.json",
    "etc/docker.service", "etc/cri-docker.service", "etc/cri-docker.socket", "etc/containerd.service",
    "etc/dump-config.toml", "cri/docker.tar.gz", "cri/cri-dockerd.tar.gz", "cri/containerd.tar.gz", "cri/runc",
    "cri/cni-plugins.tar.gz", "images/registry.tar.gz", "bin/kubeadm", "bin/seautil", "etc/kubeadm.yml",
    "applications/tigera-operator.yaml",
    "applications/kube-flannel.yml", "applications/cilium.tgz", "bin/helm",
    "applications/custom-resources.yaml", "applications/cilium-values.yaml",
}  # fmt: skip
MADE_BY_SEALER = {"etc/registry_htpasswd"}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shellcheck_finds_nothing() -> None:
    options = ("--enable=all", f"--exclude={PLAIN_STYLE}")  # what is left out is optional: all of its defaults are in
    done = subprocess.run(["shellcheck", *options, *SHELL], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_scripts_are_executable_strict_and_say_what_they_do(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and lines[1].startswith("# ")
    assert "set -euo pipefail" in lines or "Sourced, never run" in "\n".join(lines[:3])
    assert path.stat().st_mode & 0o777 == 0o755
    assert max(map(len, lines)) <= 120
    assert "sed -i" not in path.read_text()


@pytest.mark.parametrize("path", [path for path in SHELL if SEALOS not in path.parents], ids=lambda path: path.name)
def test_no_script_names_a_file_that_the_image_does_not_hold(path: Path) -> None:
    text = path.read_text()
    names = {
        name
        for pair in re.findall(r"\$\{?ROOTFS\}?/([\w./-]+\w)|(applications/[\w.-]+|^bin/[\w-]+)", text)
        for name in pair
    }
    folders = {"bin", "images", "certs", "registry"}
    assert names - {""} - folders <= ROOTFS_FILES | MADE_BY_SEALER
    scripts = {script.name for script in SHELL}
    called = {
        name for pair in re.findall(r'\$SCRIPTS/([\w.-]+\.sh)|/(\w[\w-]*\.sh)"$', text, re.MULTILINE) for name in pair
    }
    assert called - {""} <= scripts


def lay_out(tmp_path: Path, **changes: object) -> Path:
    """Lay out one image and return its root."""
    image.lay_out(tmp_path / "rootfs", values(**changes))
    return tmp_path / "rootfs"


COMBINATIONS = list(itertools.product(["docker", "containerd"], ["none", "calico", "flannel", "cilium"], [2, 3]))


@pytest.mark.parametrize(("cri", "cni", "config"), COMBINATIONS)
def test_every_combination_renders_to_what_parses(tmp_path: Path, cri: str, cni: str, config: int) -> None:
    root = lay_out(tmp_path, cri=cri, cni=cni, containerd_config=config)
    assert not list(root.rglob("*.j2"))
    for path in root.rglob("*"):
        if path.suffix in (".yml", ".yaml") or path.name == "Clusterfile":
            assert list(yaml.safe_load_all(path.read_text()))
        elif path.suffix == ".json" or path.name == "Metadata":
            assert json.loads(path.read_text())
        elif path.suffix == ".toml":
            assert tomllib.loads(path.read_text())


def test_daemon_json_holds_only_what_stock_docker_and_sealer_know(tmp_path: Path) -> None:
    root = lay_out(tmp_path, cri="docker")
    daemon = json.loads((root / "etc/daemon.json").read_text())
    assert daemon == {
        "max-concurrent-downloads": 20,
        "log-driver": "json-file",
        "log-level": "warn",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "registry-mirrors": ["https://sea.hub:5000"],
        "insecure-registries": [],
        "exec-opts": ["native.cgroupdriver=systemd"],
        "data-root": "/var/lib/docker",
    }


def test_containerd_2_is_configured_in_its_own_syntax(tmp_path: Path) -> None:
    root = lay_out(tmp_path, cri="containerd", containerd_config=3)
    config = tomllib.loads((root / "etc/dump-config.toml").read_text())
    images = config["plugins"]["io.containerd.cri.v1.images"]
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert config["version"] == 3
    assert images["pinned_images"]["sandbox"] == "sea.hub:5000/pause:3.9"
    assert images["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True


def test_the_registry_shows_no_debug_port_and_the_kubelet_gets_no_removed_flag(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    assert "debug" not in yaml.safe_load((root / "etc/registry_config.yml").read_text())["http"]
    drop_in = (root / "etc/10-kubeadm.conf").read_text()
    for flag in ("cadvisor", "network-plugin", "cni", "container-runtime", "cgroup-driver", "dns", "allow-privileged"):
        assert flag not in drop_in.replace("/usr/bin/kubelet", "")


def test_the_kubefile_is_that_of_the_seed(tmp_path: Path) -> None:
    variables = values(k8s="v1.22.15", cri="docker", cri_version="19.03.14")
    assert (
        image.render(CONTEXT / "Kubefile.j2", variables)
        == """\
FROM scratch
COPY rootfs .
COPY ${ARCH} .
COPY imageList manifests
LABEL "io.clusterimage.client"="sealer >=0.9.2"
LABEL "cluster.alpha.sealer.io/cluster-runtime-version"="v1.22.15"
LABEL "cluster.alpha.sealer.io/cluster-runtime-type"="kubernetes"
LABEL "cluster.alpha.sealer.io/container-runtime-type"="docker"
LABEL "cluster.alpha.sealer.io/container-runtime-version"="19.03.14"
COPY tigera-operator.yaml applications/tigera-operator.yaml
COPY custom-resources.yaml applications/custom-resources.yaml
CNI calico local://calico.sh
LAUNCH ["calico"]
"""
    )
    assert image.render(CONTEXT / "Kubefile.j2", variables | {"cni": "none"}).count("\n") == 9


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("cri", ["docker", "containerd"])
def test_systemd_knows_every_word_of_the_units(tmp_path: Path, cri: str) -> None:
    root = lay_out(tmp_path, cri=cri)
    units = [path for path in (root / "etc").iterdir() if path.suffix in (".service", ".socket")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(root) in line and "is not executable" not in line]
    assert complaints == []
