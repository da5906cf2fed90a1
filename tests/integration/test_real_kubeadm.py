"""kubeadm v1.20.2 reads what clusterimage.kubeadm writes; the fixture `real_kubeadm` is the path of that program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clusterimage.catalog import kubeadm
from clusterimage.catalog.kubeadm.forms import JOIN
from clusterimage.values.table import Table
from clusterimage.values.version import Version

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
RULES = kubeadm.rules(Table.load(ROOT / "versions.toml").table("kubeadm"))
# What a joining node learns from the cluster: kubeadm asks for it as soon as it reads a JoinConfiguration.
TOKEN = """
kind: JoinConfiguration
discovery:
  bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: "apiserver:6443", unsafeSkipCAVerification: true}
"""
# How kubeadm says that a field is none of its own: it warns and goes on.
COMPLAINTS = ("unknown field", "strict.go", "error unmarshaling")


def documents(socket: str) -> kubeadm.Documents:
    settings = kubeadm.Settings(Version.parse("v1.20.2"), socket, "sea.hub:5000", "100.64.0.0/10", "10.96.0.0/22")
    return kubeadm.documents(settings, RULES)


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("socket", ["/var/run/dockershim.sock", "/run/containerd/containerd.sock"])
def test_kubeadm_lists_the_images_of_the_private_registry(real_kubeadm: Path, tmp_path: Path, socket: str) -> None:
    path = write(tmp_path / "kubeadm.yml", kubeadm.text(documents(socket)))
    result = run(real_kubeadm, "config", "images", "list", "--config", str(path))
    assert result.returncode == 0, result.stderr
    assert not any(complaint in result.stderr for complaint in COMPLAINTS), result.stderr
    images = [line for line in result.stdout.splitlines() if line.startswith("sea.hub:5000/")]
    assert images == [
        *(f"sea.hub:5000/kube-{name}:v1.20.2" for name in ("apiserver", "controller-manager", "scheduler", "proxy")),
        "sea.hub:5000/pause:3.2",
        "sea.hub:5000/etcd:3.4.13-0",
        "sea.hub:5000/coredns:1.7.0",
    ]


def test_kubeadm_reads_every_document_strictly(real_kubeadm: Path, tmp_path: Path) -> None:
    whole = kubeadm.merge(documents("/run/containerd/containerd.sock"), kubeadm.parse(TOKEN))
    path = write(tmp_path / "kubeadm.yml", kubeadm.text(whole))
    result = run(real_kubeadm, "config", "migrate", "--old-config", str(path))
    assert result.returncode == 0, result.stderr
    assert f"kind: {JOIN}" in result.stdout
    assert not any(complaint in result.stderr for complaint in COMPLAINTS), result.stderr


def test_kubeadm_would_complain_about_a_field_of_another_version(real_kubeadm: Path, tmp_path: Path) -> None:
    alien = kubeadm.merge(
        documents("/run/containerd/containerd.sock"),
        kubeadm.parse("kind: ClusterConfiguration\nproxy: {disabled: true}"),
    )
    path = write(tmp_path / "kubeadm.yml", kubeadm.text(alien))
    result = run(real_kubeadm, "config", "images", "list", "--config", str(path))
    assert any(complaint in result.stderr for complaint in COMPLAINTS), result.stderr
