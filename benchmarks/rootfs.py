"""Knows the trees that are packaged: a cluster image's rootfs, plain binaries, and many small files.

mixed/     780 MB, 61 % compressed already: bin/ 300 MB, cri/ archives, registry/ layers, etc/ and scripts/ texts
plain/     1120 MB of binaries
many/      texts of 0.1 to 4 kB
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks import contents
from benchmarks.contents import Donors

_MEGABYTE = 1_000_000
_BINARIES = {"kubeadm": 45, "kubelet": 112, "kubectl": 46, "crictl": 40, "nerdctl": 26, "conntrack": 2, "seautil": 33}


def write_mixed(root: Path, given: Donors, scale: float = 1.0) -> None:
    """Write the realistic rootfs."""
    for name, size in _BINARIES.items():
        size = int(size * scale * _MEGABYTE)
        contents.write(root / "bin" / name, contents.binary(given, f"mixed {name}", size), 0o755)
    for name, megabytes in {"docker.tar.gz": 66, "docker-registry.tar.gz": 9}.items():
        packed = contents.gzipped(contents.noise(name, int(megabytes * scale * _MEGABYTE)))
        contents.write(root / "cri" / name, packed)
    for number in range(32):
        size = int((6 + number * 5 % 13) * scale * _MEGABYTE)
        packed = contents.gzipped(contents.noise(f"layer {number}", size))
        place = f"registry/docker/registry/v2/blobs/sha256/{number:02x}/{number:064x}/data"
        contents.write(root / place, packed)
    _texts(root)


def write_plain(root: Path, given: Donors, scale: float = 1.0) -> None:
    """Write the plain binaries."""
    for number in range(28):
        size = int((18 + number * 11 % 45) * scale * _MEGABYTE)
        contents.write(root / "bin" / f"program-{number:02}", contents.binary(given, f"plain {number}", size), 0o755)
    _texts(root)


def write_many(root: Path, count: int) -> None:
    """Write many small files, 50 in a directory."""
    for number in range(count):
        line = hashlib.shake_256(f"text {number}".encode()).hexdigest(50).encode()
        contents.write(root / f"share/{number // 50:04}/part-{number:06}.yaml", iter([line * (1 + number % 40)]))


def _texts(root: Path) -> None:
    for number in range(120):
        line = f"# option {number} of the cluster, as its scripts read it\n"
        contents.write(root / "etc" / f"part-{number:03}.conf", iter([line.encode() * (20 + number)]))
        script = f"#!/usr/bin/env bash\nset -euo pipefail\necho step {number}\n"
        contents.write(root / "scripts" / f"step-{number:03}.sh", iter([script.encode() * 9]), 0o755)
