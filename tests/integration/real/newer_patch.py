"""Knows a newer patch release of Kubernetes: the same programs, which say another version.

What is built once takes minutes; the version is a string of the same length in it, so that this takes a second:

<out>/<arch>/{kubeadm,kubelet,kubectl,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy}
"""

from pathlib import Path

from tests.integration.real.kubernetes_build import PROGRAMS
from tests.integration.real.release import Release


def make_newer_patch(release: Release, kubernetes: Path, out: Path) -> dict[str, str]:
    """Copy every program, its version replaced; raise RuntimeError where it is not found."""
    version, newer = release.kubernetes, release.newer
    for arch in release.arches:
        (out / arch).mkdir(parents=True)
        for name in PROGRAMS:
            content = (kubernetes / arch / name).read_bytes()
            if version.encode() not in content:
                raise RuntimeError(f"{name} does not hold its version {version}")
            program = out / arch / name
            program.write_bytes(content.replace(version.encode(), newer.encode()))
            program.chmod(0o755)
    return {"newer": newer}
