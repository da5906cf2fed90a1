"""Knows the images that nodes boot from: built by doit from the real upstream, with the tests' own settings.

What this kernel or sandbox needs is said as a user says it: a tree for `overlay=`, context/kubeadm.yml,
context/imageList and a line in the templates of containerd's configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import run, tool
from tests.integration.real import real_upstream
from tests.integration.real.project import RealProject, real_project
from tests.integration.real.release import Release

OVERLAY = Path(__file__).parent / "overlay"
# nf_conntrack_max belongs to the machine's own network: kube-proxy in any other cannot set it.
_KUBEADM = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack:
  maxPerCore: 0
"""
# Where the tests run nobody may lower it (CAP_SYS_RESOURCE), and a sandbox would not start.
_RESTRICTED = "  restrict_oom_score_adj = true\n"
_TABLES = (
    ("context/containerd/etc/dump-config.toml.j2", '[plugins."io.containerd.grpc.v1.cri"]\n'),
    ("context/containerd/etc/dump-config.toml.j2", '[plugins."io.containerd.cri.v1.runtime"]\n'),
    ("context/sealos/containerd/etc/dump-config.toml.tmpl.j2", '[plugins."io.containerd.grpc.v1.cri"]\n'),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a cluster is made of and for; `newer` is the patch that a release is upgraded to."""

    flavor: str
    cri: str
    release: Release
    newer: bool = False

    @property
    def k8s(self) -> str:
        return self.release.newer if self.newer else self.release.kubernetes

    def __str__(self) -> str:
        return f"{self.k8s}-{self.flavor}-{self.cri}"


@dataclass(frozen=True, slots=True)
class ClusterImage:
    """A built image for one platform, unpacked by umoci, and its OCI configuration."""

    choice: Choice
    arch: str
    layout: Path
    tag: str
    root: Path
    config: dict[str, Any]

    @property
    def env(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config.get("Env", []))

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.config.get("Labels", {}))


@contextmanager
def project(root: Path, release: Release) -> Iterator[RealProject]:
    """Yield a project with the tests' settings, and its upstream served."""
    cache = real_upstream.prepare(release, tell=print)
    with real_upstream.serve(cache) as upstream, real_project(root, upstream, release) as made:
        mode = f"mode: {release.proxy_mode}\n" if release.proxy_mode else ""
        (root / "context/kubeadm.yml").write_text(_KUBEADM + mode)
        for template, table in _TABLES:
            made.project.edit(template, table, table + _RESTRICTED)
        yield made


def build(made: RealProject, choice: Choice) -> Path:
    """Build the image for all platforms, let `doit verify` judge it, its own kubeadm too, and return its layout."""
    overlay = OVERLAY / f"{choice.flavor}-{choice.cri}"
    words = [f"cri={choice.cri}", f"flavor={choice.flavor}", "cni=none"]
    words += [f"overlay={overlay}"] if overlay.exists() else []
    for step in ("build", "verify"):
        result = made.doit(step, *words, k8s=choice.k8s)
        assert result.code == 0, result.text
    logs = made.project.root / "_build/real/log/verify"
    assert f"kubeadm {choice.k8s} lists the same" in "".join(log.read_text() for log in logs.iterdir())
    return made.dist / f"{choice.k8s}-{choice.cri}{'-sealos' if choice.flavor == 'sealos' else ''}"


def changed_paths(made: RealProject, before: Path, after: Path, arch: str) -> list[str]:
    """Return what doit diff says that an upgrade copies: the paths that `after` has new or changed."""
    result = made.doit("diff", f"a={before}", f"b={after}", f"platform={arch}", "format=paths", k8s="")
    assert result.code == 0, result.text
    return result.out.splitlines()


def unpack(layout: Path, choice: Choice, arch: str, work: Path) -> ClusterImage:
    """Unpack the image of one platform."""
    index = json.loads((layout / "index.json").read_text())
    tags = [manifest["annotations"]["org.opencontainers.image.ref.name"] for manifest in index["manifests"]]
    (tag,) = (tag for tag in tags if tag.endswith(f"-{arch}"))
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{tag}", work)
    manifest = _blob(layout, index["manifests"][tags.index(tag)]["digest"])
    config = _blob(layout, manifest["config"]["digest"])["config"]
    return ClusterImage(choice, arch, layout, tag, work / "rootfs", config)


def _blob(layout: Path, digest: str) -> Any:
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
