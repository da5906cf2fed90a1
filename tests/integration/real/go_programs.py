"""Programs that others wrote, built once from their Go modules into the test cache: <base>/go/<module>-<version>/.

    helm              https://github.com/helm/helm        renders charts
    sealer, seautil   https://github.com/sealerio/sealer  reads and runs our images (0.11.0 is the newest)

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
from tests.integration.real import real_upstream


@dataclass(frozen=True, slots=True)
class Source:
    """Module, version and packages of programs; `cgo` needs gcc, `go` is the oldest Go that builds them."""

    module: str
    version: str
    packages: tuple[str, ...]
    go: tuple[int, int]
    tags: str = ""
    cgo: bool = False


HELM = Source("helm.sh/helm/v3", "v3.22.0", ("cmd/helm",), (1, 26))
SEALER = Source(
    "github.com/sealerio/sealer",
    "v0.11.0",
    ("cmd/sealer", "cmd/seautil"),
    (1, 17),
    "containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper",
    cgo=True,
)


def module(name: str, version: str) -> Path:
    """Return the directory of a Go module, fetched by the go command; raises CalledProcessError."""
    words = [tool("go"), "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(words, cwd="/", capture_output=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def program(source: Source, name: str) -> Path:
    """Return a program of `source`, built on the first call; a Go that is too old skips the test."""
    out = real_upstream.cache_directory().parent / "go" / f"{source.module.replace('/', '-')}-{source.version}"
    out.parent.mkdir(parents=True, exist_ok=True)
    with real_upstream.locked(out.with_name(f"{out.name}.lock"), print):
        if not out.exists():
            _build(source, out)
    return out / name


def _build(source: Source, out: Path) -> None:
    version = re.search(
        r"go(\d+)\.(\d+)", subprocess.run([tool("go"), "version"], capture_output=True, text=True).stdout
    )
    if version is None or (int(version[1]), int(version[2])) < source.go:
        pytest.skip(f"{source.module} needs Go {'.'.join(map(str, source.go))}")
    work, fresh = out.with_name(f"{out.name}.work"), out.with_name(f"{out.name}.part")
    for scratch in (work, fresh):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
    _main_module(source, work)
    environment = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": str(int(source.cgo)), "GOTOOLCHAIN": "local"}
    packages = [f"{source.module}/{package}" for package in source.packages]
    for package in packages:
        name = package.rsplit("/", 1)[-1]
        words = ["build", "-trimpath", "-ldflags", "-s -w", "-tags", source.tags, "-o", fresh / name, package]
        subprocess.run([tool("go"), *words], cwd=work, env=environment, check=True, timeout=1800)
    shutil.rmtree(work)
    fresh.rename(out)


def _main_module(source: Source, work: Path) -> None:
    theirs = module(source.module, source.version)
    blocks = re.findall(r"^(?:require|replace) (?:\(.*?^\)|[^(\n]+)$", (theirs / "go.mod").read_text(), re.M | re.S)
    go = re.search(r"^go .*$", (theirs / "go.mod").read_text(), re.M)
    assert go is not None
    lines = ["module judge", go[0], f"require {source.module} {source.version}", *blocks]
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    shutil.copyfile(theirs / "go.sum", work / "go.sum")
    imports = "".join(f'\t_ "{source.module}/{package}"\n' for package in source.packages)
    (work / "tools.go").write_text(f"//go:build tools\n\npackage judge\n\nimport (\n{imports})\n")
