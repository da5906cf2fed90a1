"""Knows how to build the programs of Kubernetes v1.20.2 for both architectures from Debian's source package.

Debian ships kubectl only, but its source package is whole. The Go of that time is Debian 11's: programs that a Go of
1.19 or later built from these sources panic at start. `make generated_files` and the version variables are those of
https://github.com/kubernetes/kubernetes/tree/v1.20.2/hack.

    <out>/amd64/{kubeadm,kubelet,kubectl,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy}
    <out>/arm64/...
"""

import os
import shutil
from pathlib import Path

from tests.integration.real.debian_packages import fetch_source, native_arch, open_root, run, unpack
from tests.integration.real.release import V1_20

SOURCE_VERSION = "1.20.5+really1.20.2"
PROGRAMS = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)

# What `kubeadm version` of the upstream release says, so that the build looks like it.
_STAMP = {
    "gitVersion": V1_20.kubernetes,
    "gitMajor": "1",
    "gitMinor": "20",
    "gitTreeState": "clean",
    "gitCommit": "faecb196815e248d3ecfb03c680a4507229c2a56",
    "buildDate": "2021-01-13T13:20:24Z",
}
_STAMPED_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_GO = {"golang-1.15-go": "1.15", "golang-1.15-src": "1.15"}


def go_toolchain(work: Path) -> Path:
    """Return the GOROOT of a Go 1.15 below the work directory, unpacked there on the first call."""
    goroot = work / "go/usr/lib/go-1.15"
    if not goroot.exists():
        fresh = work / "go.part"
        unpack(open_root(work / "apt/bullseye", "bullseye"), _GO, native_arch(), fresh)
        fresh.rename(work / "go")
    return goroot


def go_environment(work: Path) -> dict[str, str]:
    """Return an environment for that Go that leaves the user's own Go settings, home and caches alone."""
    goroot = go_toolchain(work)
    temporary = work / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": f"{goroot}/bin:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
        "HOME": str(work),
        "TMPDIR": str(temporary),
        "GOROOT": str(goroot),
        "GOPATH": str(work / "gopath"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
        "LC_ALL": "C",
    }


def build_kubernetes(work: Path, out: Path) -> dict[str, str]:
    """Build all programs for both architectures, ten minutes of CPU time; return the source package's version.

    Killed half-way it resumes from the generated sources and Go's build cache in the work directory.
    """
    environment = go_environment(work)
    source, version = _generated_source(work, environment)
    for arch in V1_20.arches:
        target = out / arch
        target.mkdir(parents=True)
        packages = [f"k8s.io/kubernetes/cmd/{program}" for program in PROGRAMS]
        argv = ["go", "build", "-trimpath", "-ldflags", _linker_flags(), "-o", f"{target}/", *packages]
        run(argv, cwd=source, env={**environment, "GOARCH": arch})
    for scratch in ("gopath", "gocache", "kubernetes"):
        _remove_tree(work / scratch)
    return {"kubernetes": version}


def _generated_source(work: Path, environment: dict[str, str]) -> tuple[Path, str]:
    """Return the source tree at its place in the GOPATH, generated files made, and the version of its package."""
    unpacked = work / "kubernetes"
    source = work / "gopath/src/k8s.io/kubernetes"
    ready = unpacked / "generated"
    if not ready.exists():
        _remove_tree(unpacked)
        root = open_root(work / "apt/bookworm", "bookworm")
        version = fetch_source(root, "kubernetes", SOURCE_VERSION, unpacked, extract=True)
        source.parent.mkdir(parents=True, exist_ok=True)
        source.unlink(missing_ok=True)
        source.symlink_to(next(unpacked.glob("kubernetes-*/")))
        run(["make", "generated_files"], cwd=source, env={**environment, "PWD": str(source)})
        ready.write_text(version)
    return source, ready.read_text()


def _linker_flags() -> str:
    """Return the -ldflags that strip a program and give it the release's version.

    The build ID is left out: it is all that depends on the directory of the build.
    """
    names = [
        f"k8s.io/kubernetes/vendor/{package}.{name}={value}"
        for package in _STAMPED_PACKAGES
        for name, value in _STAMP.items()
    ]
    return " ".join(["-s", "-w", "-buildid=", *(f"-X {name}" for name in names)])


def _remove_tree(path: Path) -> None:
    """Remove a tree that may hold directories without write permission, as Go's caches do; nothing there is fine."""
    for directory, _, _ in os.walk(path):
        Path(directory).chmod(0o755)
    shutil.rmtree(path, ignore_errors=True)
