"""Knows what `doit render-templates` writes for an image: its files without all that is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import Project

# What a joining node learns from the cluster: kubeadm asks for it as soon as it reads a JoinConfiguration.
_DISCOVERY = {
    "bootstrapToken": {
        "apiServerEndpoint": "apiserver.cluster.local:6443",
        "token": "abcdef.0123456789abcdef",
        "caCertHashes": [f"sha256:{'0' * 64}"],
    }
}


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """One image: its files as they lie in its rootfs."""

    k8s: str
    cri: str
    flavor: str
    root: Path

    def kubeadm(self) -> dict[str, dict[str, Any]]:
        """Return the documents of kubeadm.yml by their kind, as the consumer passes them on to kubeadm."""
        found = {one["kind"]: one for one in yaml.safe_load_all((self.root / "etc/kubeadm.yml").read_text())}
        join = found["JoinConfiguration"]
        join["discovery"] = {**(join.get("discovery") or {}), **_DISCOVERY}
        return found

    def images_of_kubeadm(self) -> list[str]:
        """Return the lines of the image list that are kubeadm's, in the registry that kubeadm is told."""
        place = "imageList" if self.flavor == "sealer" else "images/shim/DefaultImageList"
        lines = (self.root / place).read_text().split()
        told = self.kubeadm()["ClusterConfiguration"].get("imageRepository", "")
        upstreams = ("registry.k8s.io/", "k8s.gcr.io/")
        ours = [line for line in lines if line.startswith(upstreams)]
        return [f"{told}/{line.partition('/')[2]}" if told else line for line in ours]


def render(project: Project, k8s: str, flavors: tuple[str, ...]) -> list[RenderedImage]:
    """Render the templates of a version's images for both runtimes."""
    words = (f"k8s={k8s}", "cri=docker,containerd", f"flavor={','.join(flavors)}", "cni=none", "platform=amd64")
    result = project.doit("render-templates", "mirror=embedded", *words)
    assert result.code == 0, result.text
    (trees,) = (path for path in (project.root / "_build/embedded").glob("rendered-v*"))
    return [
        RenderedImage(k8s, cri, flavor, trees / f"{k8s}-{cri}{'-sealos' if flavor == 'sealos' else ''}" / "rootfs")
        for flavor in flavors
        for cri in ("docker", "containerd")
    ]
