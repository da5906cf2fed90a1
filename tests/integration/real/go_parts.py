"""Knows how the programs of a cluster are built from their Go modules, as the Makefiles of those modules do.

https://github.com/{etcd-io/etcd,containerd/containerd,opencontainers/runc,containernetworking/plugins,coredns/coredns},
https://github.com/kubernetes-sigs/cri-tools
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.integration.real import go_programs
from tests.integration.real.debian_packages import native_arch
from tests.integration.real.go_programs import Source
from tests.integration.real.kubernetes_build import PROGRAMS
from tests.integration.real.release import Release

_CONTAINERD = "github.com/containerd/containerd/v2"
_PLUGINS = "github.com/containernetworking/plugins"
_CRI_TOOLS = "sigs.k8s.io/cri-tools"
_PLUGIN_PACKAGES = (
    *(f"plugins/ipam/{name}" for name in ("dhcp", "host-local", "static")),
    *(f"plugins/main/{name}" for name in ("bridge", "dummy", "host-device", "ipvlan", "loopback", "macvlan", "ptp")),
    *(f"plugins/main/{name}" for name in ("tap", "vlan")),
    *(f"plugins/meta/{name}" for name in ("bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf")),
)


def etcd(version: str) -> Source:
    return Source("etcd", "go.etcd.io/etcd/server/v3", f"v{version}", ("",))


def containerd(version: str) -> Source:
    packages = tuple(f"cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr"))
    linked = f"-X {_CONTAINERD}/version.Version=v{version} -X {_CONTAINERD}/version.Package={_CONTAINERD}"
    tags = "no_btrfs no_devmapper no_zfs urfave_cli_no_docs"  # snapshotters that nobody here has
    return Source("containerd", _CONTAINERD, f"v{version}", packages, tags, linked=linked)


def runc(version: str) -> Source:
    """Link libseccomp in, as the released runc has it: kubeadm's pods ask for seccomp."""
    tags = "seccomp osusergo netgo urfave_cli_no_docs"
    return Source(
        "runc", "github.com/opencontainers/runc", f"v{version}", ("",), tags, cgo=True, linked="-extldflags -static"
    )


def cni_plugins(version: str) -> Source:
    linked = f"-X {_PLUGINS}/pkg/utils/buildversion.BuildVersion=v{version}"
    return Source("cni-plugins", _PLUGINS, f"v{version}", _PLUGIN_PACKAGES, linked=linked)


def crictl(version: str) -> Source:
    linked = f"-X {_CRI_TOOLS}/pkg/version.Version={version}"
    return Source("crictl", _CRI_TOOLS, version, ("cmd/crictl",), linked=linked)


def coredns(version: str) -> Source:
    return Source("coredns", "github.com/coredns/coredns", version, ("",))


def built(source: Source, arch: str) -> Path:
    """Return the directory of the programs for an architecture."""
    return go_programs.programs(source, "" if arch == native_arch() else arch)


def link_kubernetes(release: Release, version: str, out: Path) -> dict[str, str]:
    """Put the programs of Kubernetes into <out>/<arch>/, built on the first call; return their version."""
    for arch in release.arches:
        _link(built(go_programs.kubernetes(version, PROGRAMS), arch), out / arch)
    return {"kubernetes": version}


def link_tools(release: Release, out: Path) -> dict[str, str]:
    """Put what else a cluster is made of into <out>/<arch>/{bin,cni}/, built on the first call; return the versions."""
    sources = (
        containerd(release.containerd),
        coredns(release.coredns.rpartition(":")[2]),
        etcd(release.etcd.partition("-")[0]),
        runc(release.runc),
    )
    plugins = cni_plugins(release.cni_plugins)
    for arch in release.arches:
        for source in sources:
            _link(built(source, arch), out / arch / "bin")
        _link(built(plugins, arch), out / arch / "cni")
    return {source.name: source.version for source in (*sources, plugins)}


def _link(source: Path, target: Path) -> None:
    """Make hard links of all files of a directory."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
