"""Programs that others wrote, built once from their Go modules into the test cache: <base>/go/<name>-<version>/.

    helm              https://github.com/helm/helm        renders charts
    sealer, seautil   https://github.com/sealerio/sealer  reads and runs our images (0.11.0 is the newest)
    kubeadm           https://github.com/kubernetes/kubernetes  reads the configurations that we write
    crane             https://github.com/google/go-containerregistry  asks registries as we do
    conformance       https://github.com/opencontainers/distribution-spec  asks a registry what the specification says

`go install package@version` refuses a module with `replace` lines: they count in the main module only. A main module of
our own takes over all that the program's own go.mod and go.sum say, so what is built is what its authors build.
"""

from __future__ import annotations

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
    """A program's module, version and package; `cgo` needs gcc, `go` is the oldest Go that builds it.

    The package "" is that of the module itself.
    """

    module: str
    version: str
    package: str
    go: tuple[int, int]
    tags: str = ""
    cgo: bool = False
    linked: str = ""  # more of -ldflags

    @property
    def path(self) -> str:
        return "/".join(filter(None, (self.module, self.package)))

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


_PLAIN = "containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper"
HELM = Source("helm.sh/helm/v3", "v3.22.0", "cmd/helm", (1, 26))
SEALER = Source("github.com/sealerio/sealer", "v0.11.0", "cmd/sealer", (1, 17), _PLAIN, cgo=True)
SEAUTIL = Source("github.com/sealerio/sealer", "v0.11.0", "cmd/seautil", (1, 17), _PLAIN)
CRANE = Source("github.com/google/go-containerregistry", "v0.22.1", "cmd/crane", (1, 25))
CONFORMANCE = Source(
    "github.com/opencontainers/distribution-spec/conformance", "v0.0.0-20260831232431-97274622c111", "", (1, 24)
)


def kubeadm(version: str) -> Source:
    """Return kubeadm of a Kubernetes version such as v1.37.0, which says that it is that version."""
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    linked = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())
    return Source("k8s.io/kubernetes", version, "cmd/kubeadm", (1, 24), linked=linked)


def module(name: str, version: str) -> Path:
    """Return the directory of a Go module, fetched by the go command; raises CalledProcessError."""
    words = [tool("go"), "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(words, cwd="/", capture_output=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def program(source: Source, arch: str = "") -> Path:
    """Return the program, built on the first call, for this machine or for `arch`; a Go too old skips the test."""
    out = shared_cache.base() / "go" / "-".join(filter(None, (source.name, source.version, arch)))
    out.parent.mkdir(parents=True, exist_ok=True)
    with shared_cache.locked(out.with_name(f"{out.name}.lock"), print):
        if not out.exists():
            _build(source, arch, out)
    return out / source.name


def _build(source: Source, arch: str, out: Path) -> None:
    said = subprocess.run([tool("go"), "version"], capture_output=True, text=True, check=True).stdout
    major, minor = (int(number) for number in re.findall(r"go(\d+)\.(\d+)", said)[0])
    if (major, minor) < source.go:
        pytest.skip(f"{source.module} needs Go {'.'.join(map(str, source.go))}")
    work, fresh = out.with_name(f"{out.name}.work"), out.with_name(f"{out.name}.part")
    for scratch in (work, fresh):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
    _main_module(source, work)
    environment = {"GOFLAGS": "-mod=mod", "CGO_ENABLED": str(int(source.cgo)), "GOTOOLCHAIN": "local"}
    environment |= {"GOARCH": arch} if arch else {}
    words: list[str | Path] = [
        "build",
        "-trimpath",
        "-ldflags",
        f"-s -w {source.linked}",
        "-tags",
        source.tags,
        "-o",
        fresh / source.name,
    ]
    subprocess.run([tool("go"), *words, source.path], cwd=work, env=os.environ | environment, check=True, timeout=1800)
    shutil.rmtree(work)
    fresh.rename(out)


def staging(version: str) -> str:
    """Return the version of a staging module of Kubernetes: v0.37.0 of v1.37.0."""
    return re.sub(r"^v\d+", "v0", version)


def _main_module(source: Source, work: Path) -> None:
    theirs = module(source.module, source.version)
    # Staging modules lie in the repository of Kubernetes; published they have a version of their own.
    said = re.sub(
        r"(\S+) => \./staging/src/\S+", rf"\1 => \1 {staging(source.version)}", (theirs / "go.mod").read_text()
    )
    blocks = re.findall(r"^(?:require|replace|godebug) (?:\(.*?^\)|[^(\n]+)$", said, re.M | re.S)
    go = re.search(r"^go .*$", (theirs / "go.mod").read_text(), re.M)
    assert go is not None
    lines = ["module judge", go[0], f"require {source.module} {source.version}", *blocks]
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    shutil.copyfile(theirs / "go.sum", work / "go.sum")
    imports = f'import _ "{source.path}"\n'
    (work / "tools.go").write_text(f"//go:build tools\n\npackage judge\n\n{imports}")
