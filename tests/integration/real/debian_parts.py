"""Knows which programs of the upstream are Debian's own and which upstream version each stands for.

The tree that it writes, from packages that https://packages.debian.org/bookworm/ describes:

<out>/<arch>/bin/      containerd* ctr docker* runc conntrack etcd registry busybox
<out>/<arch>/cni/      bridge loopback portmap ...
<out>/<arch>/libc/     libc.so.6 and the program loader, in the places that programs look for them
<out>/<arch>/iptables/ iptables, its libraries and modules, at their own paths: kube-proxy calls it
<out>/source/          libseccomp-2.5.4.tar.gz gperf-3.1.tar.gz
"""

import re
import shutil
from pathlib import Path

from tests.integration.real.debian_packages import fetch_source, open_root, run, unpack
from tests.integration.real.release import Release

LIBSECCOMP = "2.5.4"
GPERF = "3.1"

_PACKAGES = {
    "busybox-static": "1.35.0",
    "conntrack": "1.4.7",
    "docker-registry": "2.8.2",
    "iptables": "1.8.9",
    "libc6": "",
    "libmnl0": "",
    "libnftnl11": "",
    "libxtables12": "",
}
_PROGRAMS = {
    "busybox": "bin/busybox",
    "conntrack": "usr/sbin/conntrack",
    "registry": "usr/bin/docker-registry",
}
# And what a release that is built from modules has from there.
_NO_MODULES = {
    "containerd": "usr/bin/containerd",
    "containerd-shim": "usr/bin/containerd-shim",
    "containerd-shim-runc-v1": "usr/bin/containerd-shim-runc-v1",
    "containerd-shim-runc-v2": "usr/bin/containerd-shim-runc-v2",
    "ctr": "usr/bin/ctr",
    "docker": "usr/bin/docker",
    "docker-init": "usr/bin/tini-static",
    "docker-proxy": "usr/sbin/docker-proxy",
    "dockerd": "usr/sbin/dockerd",
    "etcd": "usr/bin/etcd",
    "runc": "usr/sbin/runc",
}
# The files of libc6 that a Go program linked with C needs: name in the package -> path at which a program finds it.
LIBC = {
    "amd64": {
        "lib/x86_64-linux-gnu/libc.so.6": "lib/x86_64-linux-gnu/libc.so.6",
        "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "lib64/ld-linux-x86-64.so.2",
    },
    "arm64": {
        "lib/aarch64-linux-gnu/libc.so.6": "lib/aarch64-linux-gnu/libc.so.6",
        "lib/aarch64-linux-gnu/ld-linux-aarch64.so.1": "lib/ld-linux-aarch64.so.1",
    },
}
# All that iptables on nftables consists of; it looks for its modules and libraries in the folder of the architecture.
_IPTABLES = ("usr/sbin/xtables-nft-multi", "usr/lib/*/libmnl.so.0", "usr/lib/*/libnftnl.so.11",
             "usr/lib/*/libxtables.so.12", "usr/lib/*/xtables/*.so")  # fmt: skip
# These go into images beside nothing but libc, so they must need nothing else.
_IN_IMAGES = ("busybox", "etcd", "registry")
# libxt_statistic, by which kube-proxy chooses among endpoints, needs it. The older upstream lacks it: its bytes stay.
_LIBM = "lib/*/libm.so.6"


def collect_debian_parts(release: Release, work: Path, out: Path) -> dict[str, str]:
    """Copy programs, plugins, libraries and source archives out of Debian's packages; return the packages' versions."""
    root = open_root(work / "apt/bookworm", "bookworm")
    packages = _PACKAGES if release.from_modules else _PACKAGES | _packages_besides(release)
    programs = _PROGRAMS if release.from_modules else _PROGRAMS | _NO_MODULES
    iptables = (*_IPTABLES, _LIBM) if release.from_modules else _IPTABLES
    versions: dict[str, str] = {}
    for arch in release.arches:
        tree = work / f"debian-{arch}"
        unpacked = unpack(root, packages, arch, tree)
        versions |= {f"{name}:{arch}": version for name, version in unpacked.items()}
        for name, path in programs.items():
            _place(tree / path, out / arch / "bin" / name)
        for plugin in sorted((tree / "usr/lib/cni").glob("*")):
            _place(plugin, out / arch / "cni" / plugin.name)
        for path, place in LIBC[arch].items():
            _place(tree / path, out / arch / "libc" / place)
        for file in sorted(file for pattern in iptables for file in tree.glob(pattern)):
            _place(file, out / arch / "iptables" / file.relative_to(tree))
        for name in programs.keys() & _IN_IMAGES:
            _require_only_libc(out / arch / "bin" / name)
        shutil.rmtree(tree)
    for name, upstream in (("libseccomp", LIBSECCOMP), ("gperf", GPERF)):
        versions[name] = fetch_source(root, name, upstream, work / "source")
        _place(work / f"source/{name}_{upstream}.orig.tar.gz", out / f"source/{name}-{upstream}.tar.gz")
    return versions


def _packages_besides(release: Release) -> dict[str, str]:
    """Return the packages of what is not built from modules."""
    return {
        "containerd": release.containerd,
        "containernetworking-plugins": release.cni_plugins,
        "docker.io": release.docker,
        "etcd-server": "3.4.23",
        "runc": release.runc,
        "tini": "",
    }


def _place(source: Path, target: Path) -> None:
    """Copy a file, its mode included, to a path whose directories may not exist yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _require_only_libc(program: Path) -> None:
    """Raise RuntimeError if a program needs a shared library that the images do not carry."""
    needed = set(re.findall(r"Shared library: \[([^]]+)]", run(["readelf", "--dynamic", "--wide", program])))
    missing = sorted(name for name in needed if name != "libc.so.6" and not name.startswith("ld-linux"))
    if missing:
        raise RuntimeError(f"{program.name} of Debian bookworm needs {', '.join(missing)}: add them to LIBC")
