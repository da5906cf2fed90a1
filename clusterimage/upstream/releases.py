"""What the embedded upstream publishes of a Kubernetes release that no table has: the constants of its kubeadm."""

from __future__ import annotations

from pathlib import Path

from clusterimage.catalog import kubeadm_tags
from clusterimage.catalog.kubeadm_tags import KubeadmTags
from clusterimage.values.version import Version

_MAINTAINED = 4  # minors that get patch releases at one time, at most (https://kubernetes.io/releases/patch-releases/)


def tags(table: Path, kubernetes: Version) -> KubeadmTags | None:
    """Return the tags of a release that may have come since the table was written, None for one that has not.

    Only the newest minors get new patches; the stand-in of one takes over what the newest known patch has.
    """
    known = kubeadm_tags.known(table)
    maintained = sorted({(one.major, one.minor) for one in known})[-_MAINTAINED:]
    patches = [one for one in known if (one.major, one.minor) == (kubernetes.major, kubernetes.minor)]
    if (kubernetes.major, kubernetes.minor) not in maintained or kubernetes < max(patches):
        return None
    return kubeadm_tags.find(table, max(patches))


def constants(release: KubeadmTags) -> str:
    """Return the constants of a release's kubeadm, as a stand-in of the Go source that they are in."""
    name, _, version = release.coredns.rpartition("/")[2].partition(":")
    values = {"CoreDNSImageName": name, "CoreDNSVersion": version}
    values |= {"DefaultEtcdVersion": release.etcd, "PauseVersion": release.pause}
    lines = [f'\t{name} = "{value}"' for name, value in values.items()]
    return "\n".join(["// clusterimage stand-in", "package constants", "", "const (", *lines, ")", ""])
