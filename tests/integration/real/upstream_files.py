"""Knows the files that the real upstreams publish: URLs, members of archives, forms of checksum files.

The tree that it writes is laid out as the URLs are, https://<host>/<path> at <out>/<host>/<path>:

<out>/dl.k8s.io/release/<version>/bin/linux/<arch>/kubeadm{,.sha256} ...
<out>/github.com/<owner>/<project>/releases/download/<version>/<file>
<out>/download.docker.com/linux/static/stable/{x86_64,aarch64}/docker-<version>.tgz
<out>/ftp.gnu.org/gnu/gperf/gperf-3.1.tar.gz
<out>/raw.githubusercontent.com/sealerio/basefs/<commit>/context/tigera-operator.yaml
"""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.integration.real import kubernetes_build
from tests.integration.real.debian_parts import GPERF, LIBSECCOMP
from tests.integration.real.fixed_tar import Member, write_tar, write_tar_gz
from tests.integration.real.release import Release
from tests.integration.real.standin_programs import SEAUTIL

K3S_ROOT = "v0.14.1"
REGISTRY = "2.8.3"
BASEFS = "ea0ee0ac5a602fe78129c35a71fa4408435aa97f"  # the commit that versions.toml names

_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
_GITHUB = "github.com/{}/releases/download"
_ROOTLESS = b'#!/bin/sh\necho "$0: a stand-in made for tests"\n'
_DOCKER = ("containerd", "containerd-shim-runc-v2", "ctr", "docker", "docker-init", "docker-proxy", "dockerd", "runc")

_TIGERA_YAML = """\
# A stand-in made for tests: the names and the image of the real manifest, none of its custom resources.
apiVersion: v1
kind: Namespace
metadata:
  name: tigera-operator
  labels:
    name: tigera-operator
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: tigera-operator
  namespace: tigera-operator
  labels:
    k8s-app: tigera-operator
spec:
  replicas: 1
  selector:
    matchLabels:
      name: tigera-operator
  template:
    metadata:
      labels:
        name: tigera-operator
        k8s-app: tigera-operator
    spec:
      hostNetwork: true
      containers:
        - name: tigera-operator
          image: quay.io/tigera/operator:{version}
          imagePullPolicy: IfNotPresent
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the parts that were made before are: one directory each, architectures below."""

    release: Release
    kubernetes: Path
    newer: Path
    tools: Path
    standins: Path

    def releases(self) -> tuple[tuple[str, Path], ...]:
        """Return the versions of Kubernetes and where their programs are."""
        return ((self.release.kubernetes, self.kubernetes), (self.release.newer, self.newer))


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive to write at a path below the root, compressed unless its name ends in .tar."""

    path: str
    members: tuple[Member, ...]


def write_upstream_files(programs: Programs, out: Path) -> None:
    """Write the whole tree; programs that are published as they are become hard links."""
    release, arches = programs.release, programs.release.arches
    archives = [archive for arch in arches for archive in (*_archives(programs, arch), *_docker(programs, arch))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda archive: _write_archive(out, archive), archives))
    for arch in arches:
        for version, built in programs.releases():
            _publish_kubernetes(built / arch, out / f"dl.k8s.io/release/{version}/bin/linux/{arch}")
        runc = _release("opencontainers/runc", f"v{release.runc}", f"runc.{arch}")
        _link(programs.tools / arch / "bin/runc", out / runc)
    seccomp = _release("seccomp/libseccomp", f"v{LIBSECCOMP}", f"libseccomp-{LIBSECCOMP}.tar.gz")
    _link(programs.tools / f"source/libseccomp-{LIBSECCOMP}.tar.gz", out / seccomp)
    _link(programs.tools / f"source/gperf-{GPERF}.tar.gz", out / f"ftp.gnu.org/gnu/gperf/gperf-{GPERF}.tar.gz")
    _write_checksums(release, out)
    if release.calico:
        _write_manifest(release, out)


def _write_manifest(release: Release, out: Path) -> None:
    """Write what Calico is installed with."""
    manifest = out / f"raw.githubusercontent.com/sealerio/basefs/{BASEFS}/context/tigera-operator.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(_TIGERA_YAML.format(version=release.tigera_operator))


def _archives(programs: Programs, arch: str) -> tuple[Archive, ...]:
    """Return the archives of one architecture that every release has."""
    release, tools, standins = programs.release, programs.tools / arch, programs.standins / arch
    rootless = tuple(Member(name, _ROOTLESS) for name in ("containerd-rootless-setuptool.sh", "containerd-rootless.sh"))
    plugins = tuple(Member(f"./{plugin.name}", plugin) for plugin in sorted((tools / "cni").iterdir()))
    crictl = _release("kubernetes-sigs/cri-tools", release.crictl, f"crictl-{release.crictl}-linux-{arch}.tar.gz")
    nerdctl = _release("containerd/nerdctl", f"v{release.nerdctl}", f"nerdctl-{release.nerdctl}-linux-{arch}.tar.gz")
    conntrack = _release("k3s-io/k3s-root", K3S_ROOT, f"k3s-root-{arch}.tar")
    seautil = _release("sealerio/sealer", SEAUTIL, f"seautil-{SEAUTIL}-linux-{arch}.tar.gz")
    sealos = _release("labring/sealos", f"v{release.sealos}", f"sealos_{release.sealos}_linux_{arch}.tar.gz")
    registry = _release("distribution/distribution", f"v{REGISTRY}", f"registry_{REGISTRY}_linux_{arch}.tar.gz")
    version = release.containerd
    containerd = _release("containerd/containerd", f"v{version}", f"containerd-{version}-linux-{arch}.tar.gz")
    version = release.cni_plugins
    cni = _release("containernetworking/plugins", f"v{version}", f"cni-plugins-linux-{arch}-v{version}.tgz")
    return (
        Archive(containerd, _directory("bin", tools / "bin", release.containerd_programs)),
        Archive(cni, (Member("./"), *plugins)),
        Archive(crictl, (Member("crictl", standins / "crictl"),)),
        Archive(nerdctl, (Member("nerdctl", standins / "nerdctl"), *rootless)),
        Archive(conntrack, (Member("./"), Member("./bin"), Member("./bin/conntrack", tools / "bin/conntrack"))),
        Archive(seautil, (Member("seautil", standins / "seautil"),)),
        Archive(sealos, tuple(Member(name, standins / name) for name in ("image-cri-shim", "sealctl"))),
        Archive(registry, (Member("registry", tools / "bin/registry"),)),
    )


def _docker(programs: Programs, arch: str) -> tuple[Archive, ...]:
    """Return the archives of one architecture that only a release with docker has."""
    version, shim = programs.release.docker, programs.release.cri_dockerd
    if not version:
        return ()
    docker = f"download.docker.com/linux/static/stable/{_MACHINE[arch]}/docker-{version}.tgz"
    cri_dockerd = _release("Mirantis/cri-dockerd", f"v{shim}", f"cri-dockerd-{shim}.{arch}.tgz")
    return (
        Archive(docker, _directory("docker", programs.tools / arch / "bin", _DOCKER)),
        Archive(cri_dockerd, _directory("cri-dockerd", programs.standins / arch, ("cri-dockerd",))),
    )


def _directory(name: str, source: Path, programs: Iterable[str]) -> tuple[Member, ...]:
    """Return the members of an archive that holds one directory of programs."""
    return (Member(name), *(Member(f"{name}/{program}", source / program) for program in programs))


def _release(project: str, version: str, file: str) -> str:
    """Return the path of a file of a GitHub release."""
    return f"{_GITHUB.format(project)}/{version}/{file}"


def _write_archive(out: Path, archive: Archive) -> None:
    """Write one archive."""
    path = out / archive.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tar":
        with path.open("xb") as target:
            write_tar(target, archive.members)
    else:
        write_tar_gz(path, archive.members)


def _publish_kubernetes(release: Path, directory: Path) -> None:
    """Publish the programs of Kubernetes, each with a checksum file that holds the digest and nothing else."""
    for name in kubernetes_build.PROGRAMS:
        _link(release / name, directory / name)
        (directory / f"{name}.sha256").write_text(_sha256(directory / name))


def _write_checksums(release: Release, out: Path) -> None:
    """Write the checksum files of the GitHub releases, each in the form and under the name that its project uses."""
    # crictl 1.20.0 has none: data/published-checksums.toml.
    suffixes = {
        "containerd/containerd": ".sha256sum",
        "containernetworking/plugins": ".sha256",
        "distribution/distribution": ".sha256",
        "sealerio/sealer": ".sha256sum",
        "seccomp/libseccomp": ".SHA256SUM",
    }
    for project, suffix in suffixes.items():
        for file in _released(out, project):
            file.with_name(file.name + suffix).write_text(_sums([file]))
    for arch in release.arches:
        file = out / _release("k3s-io/k3s-root", K3S_ROOT, f"k3s-root-{arch}.tar")
        file.with_name(f"sha256sum-{arch}.txt").write_text(_sums([file]))
    for project, name in (("containerd/nerdctl", "SHA256SUMS"), ("opencontainers/runc", "runc.sha256sum")):
        files = _released(out, project)
        files[0].with_name(name).write_text(_sums(files))


def _released(out: Path, project: str) -> list[Path]:
    """Return the files of a project's one release."""
    return sorted((out / _GITHUB.format(project)).glob("*/*"))


def _sums(files: Iterable[Path]) -> str:
    """Return lines as sha256sum prints them."""
    return "".join(f"{_sha256(file)}  {file.name}\n" for file in files)


def _sha256(path: Path) -> str:
    """Return the sha256 of a file as hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _link(source: Path, target: Path) -> None:
    """Make a hard link in a directory that may not exist yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)
