"""Programs that others wrote, built once from their Go modules into the test cache: <base>/go/<name>-<version>/.

    helm              https://github.com/helm/helm        renders charts
    sealer, seautil   https://github.com/sealerio/sealer  reads and runs our images (0.11.0 is the newest)
    kubeadm           https://github.com/kubernetes/kubernetes  reads the configurations that we write
    crane             https://github.com/google/go-containerregistry  asks registries as we do
    conformance       https://github.com/opencontainers/distribution-spec  asks a registry what the specification says
    kubernetes        the same: all programs of a release
    etcd containerd runc cni-plugins crictl coredns       what a cluster of it is made of

`go install package@version` refuses a module with `replace` lines: they count in the main module only. A main module of
our own takes over all that the program's own go.mod and go.sum say, so what is built is what its authors build.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import tool
from tests.integration.real import shared_cache


@dataclass(frozen=True, slots=True)
class Source:
    """Programs of one module: its version and their packages; a single one is called `name`. `cgo` needs gcc."""

    name: str
    module: str
    version: str
    packages: tuple[str, ...]
    tags: str = ""
    cgo: bool = False
    linked: str = ""  # more of -ldflags
    own: Path | None = None  # a directory of Go files of ours, built as one program in the place of the module's

    @property
    def key(self) -> str:
        """What tells its programs from others in the cache."""
        own = [path.read_bytes() for path in sorted(self.own.glob("*.go"))] if self.own else []
        digest = hashlib.sha256(b"".join(own)).hexdigest()[:8] if own else ""
        return "-".join(filter(None, (self.name, self.version, digest)))

    @property
    def imported(self) -> tuple[str, ...]:
        """The packages by their full paths; that of "" is the module's own."""
        return tuple(f"{self.module}/{package}".rstrip("/") for package in self.packages)


_PLAIN = "containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper"
HELM = Source("helm", "helm.sh/helm/v3", "v3.22.0", ("cmd/helm",))
SEALER = Source("sealer", "github.com/sealerio/sealer", "v0.11.0", ("cmd/sealer",), _PLAIN, cgo=True)
SEAUTIL = Source("seautil", "github.com/sealerio/sealer", "v0.11.0", ("cmd/seautil",), _PLAIN)
CRANE = Source("crane", "github.com/google/go-containerregistry", "v0.22.1", ("cmd/crane",))
_SUITE = "github.com/opencontainers/distribution-spec/conformance"
CONFORMANCE = Source("conformance", _SUITE, "v0.0.0-20260831232431-97274622c111", ("",))
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def kubeadm(version: str) -> Source:
    """Return kubeadm of a Kubernetes version such as v1.37.0, which says that it is that version."""
    return Source("kubeadm", "k8s.io/kubernetes", version, ("cmd/kubeadm",), linked=_stamp(version, _STAMPED[:1]))


def kubernetes(version: str, programs: tuple[str, ...]) -> Source:
    """Return programs of a Kubernetes version, each of which says that it is that version."""
    packages = tuple(f"cmd/{program}" for program in programs)
    return Source("kubernetes", "k8s.io/kubernetes", version, packages, linked=_stamp(version, _STAMPED))


def _stamp(version: str, packages: tuple[str, ...]) -> str:
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X {package}.{name}={value}" for package in packages for name, value in values.items())


def module(name: str, version: str) -> Path:
    """Return the directory of a Go module, fetched by the go command; raises CalledProcessError."""
    words = [tool("go"), "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(words, cwd="/", capture_output=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def program(source: Source, arch: str = "") -> Path:
    """Return the only program of a source, built on the first call, for this machine or for `arch`."""
    return programs(source, arch) / source.name


def programs(source: Source, arch: str = "") -> Path:
    """Return the directory of the programs, built on the first call; a Go too old skips the test.

    Killed half-way it goes on: Go keeps each package that it has compiled.
    """
    out = shared_cache.base() / "go" / "-".join(filter(None, (source.key, arch)))
    out.parent.mkdir(parents=True, exist_ok=True)
    with shared_cache.locked(out.with_name(f"{out.name}.lock"), print):
        if not out.exists():
            _build(source, arch, out)
    return out


def _build(source: Source, arch: str, out: Path) -> None:
    theirs = module(source.module, source.version)
    _require_go(theirs)
    work, fresh = out.with_name(f"{out.name}.work"), out.with_name(f"{out.name}.part")
    for scratch in (work, fresh):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
    _main_module(source, theirs, work)
    environment = {"GOFLAGS": "-mod=mod", "CGO_ENABLED": str(int(source.cgo)), "GOTOOLCHAIN": "local"}
    environment |= {"GOARCH": arch} if arch else {}
    target = f"{fresh}/" if len(source.packages) > 1 else f"{fresh}/{source.name}"
    words = ["build", "-trimpath", "-ldflags", f"-s -w {source.linked}", "-tags", source.tags, "-o", target]
    if source.own:
        shutil.copytree(source.own, work / source.name)
    argv = [tool("go"), *words, *([f"./{source.name}"] if source.own else source.imported)]
    subprocess.run(argv, cwd=work, env=os.environ | environment, check=True, timeout=3600)
    shutil.rmtree(work)
    fresh.rename(out)


def _require_go(theirs: Path) -> None:
    """Skip the test if this machine's Go is older than the module asks for."""
    said = subprocess.run([tool("go"), "version"], capture_output=True, text=True, check=True).stdout
    asked = _go_line(theirs)
    ours, wanted = (
        tuple(map(int, re.findall(r"\d+", re.findall(r"\bgo ?(\d[\d.]*)", text)[0]))) for text in (said, asked)
    )
    if ours < wanted:
        pytest.skip(f"{theirs.name} needs {asked}")


def _go_line(theirs: Path) -> str:
    line = re.search(r"^go .*$", (theirs / "go.mod").read_text(), re.M)
    assert line is not None
    return line[0]


def staging(version: str) -> str:
    """Return the version of a staging module of Kubernetes: v0.37.0 of v1.37.0."""
    return re.sub(r"^v\d+", "v0", version)


# Pinned by Kubernetes up to 1.25 in what Go 1.23 and later refuses to link, or cannot compile on today's systems.
_NEWER = {
    "github.com/json-iterator/go": "v1.1.12",
    "github.com/modern-go/reflect2": "v1.0.2",
    "golang.org/x/sys": "v0.1.0",
}


def _outdated(said: str) -> str:
    """Return a go.mod that pins every module by `replace` without the pins that today's Go cannot build."""
    pins = "|".join(map(re.escape, (*_NEWER, "golang.org/x/")))
    told, count = re.subn(rf"^\s*(?:{pins})\S* => \S+ \S+$\n", "", said, flags=re.M)
    return told + "".join(f"require {name} {version}\n" for name, version in _NEWER.items()) if count else said


def _without_samples(said: str) -> str:
    """Return a go.mod without Kubernetes' samples: no program has a part of them, and not every version is served."""
    told, count = re.subn(r"^\s*k8s\.io/sample-\S+ .*\n", "", said, flags=re.M)
    return f"{told}exclude k8s.io/sample-apiserver v0.0.0\n" if count else said


def _main_module(source: Source, theirs: Path, work: Path) -> None:
    # Staging modules lie in the repository of Kubernetes; published they have a version of their own.
    said = re.sub(
        r"(\S+) => \./staging/src/\S+", rf"\1 => \1 {staging(source.version)}", (theirs / "go.mod").read_text()
    )
    said = _without_samples(_outdated(said))
    # So do the sister modules of others, and those that are forbidden: what is required says which.
    said = re.sub(r"^(replace )?\s*\S+ => \.\.?/\S+$", "", said, flags=re.M)
    blocks = re.findall(r"^(?:require|replace|exclude|godebug) (?:\(.*?^\)|[^(\n]+)$", said, re.M | re.S)
    lines = ["module judge", _go_line(theirs), f"require {source.module} {source.version}", *blocks]
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    shutil.copyfile(theirs / "go.sum", work / "go.sum")
    imports = "".join(f'import _ "{package}"\n' for package in source.imported)
    (work / "tools.go").write_text(f"//go:build tools\n\npackage judge\n\n{imports}")
