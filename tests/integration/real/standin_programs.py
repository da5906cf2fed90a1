"""Knows the programs that Debian does not have, as small static Go programs of standins/, and pause.

The tree that it writes; pause does what https://github.com/kubernetes/kubernetes/tree/v1.20.2/build/pause does:

<out>/<arch>/{nerdctl,cri-dockerd,sealctl}           print "<tool> version <version> (stand-in)" and can nothing else
<out>/<arch>/seautil                                 the real one, of the newest sealer
<out>/<arch>/crictl                                  calls a runtime as kubeadm and our scripts need it, or the real one
<out>/<arch>/image-cri-shim                          listens, and passes every call on to the runtime
<out>/<arch>/pause                                   waits for a signal, as a pod's first process must, or the real one
"""

import os
import shutil
from pathlib import Path

from tests.integration.real import go_parts, go_programs
from tests.integration.real.debian_packages import native_arch, open_root, run, unpack
from tests.integration.real.kubernetes_build import go_environment
from tests.integration.real.release import Release

SEAUTIL = "v0.9.1"
_SOURCES = Path(__file__).parent / "standins"
# HTTP/2 without TLS, for crictl: of the Debian release that the Go is from.
_LIBRARIES = {"golang-golang-x-net-dev": "", "golang-golang-x-text-dev": ""}


def build_standins(release: Release, work: Path, out: Path) -> dict[str, str]:
    """Build every stand-in and pause for the architectures of a release; return their versions."""
    versions, environment = ({}, _go_of_this_machine()) if release.from_modules else _go_of_debian(work)
    programs = _sources(release)
    sources = work / "standins"
    shutil.copytree(_SOURCES, sources, dirs_exist_ok=True)
    for arch in release.arches:
        (out / arch).mkdir(parents=True)
        for name, (version, source) in programs.items():
            flags = f"-s -w -buildid= -X main.tool={name} -X main.version={version}"
            argv: list[str | Path] = ["go", "build", "-trimpath", "-ldflags", flags, "-o", out / arch / name, source]
            run(argv, cwd=sources, env={**environment, "GOARCH": arch})
        shutil.copy(go_programs.program(go_programs.SEAUTIL, arch), out / arch)
        if release.from_modules:
            shutil.copy(go_parts.built(go_parts.crictl(release.crictl), arch) / "crictl", out / arch)
            _build_pause(release, out / arch / "pause")
    versions |= {"seautil": go_programs.SEAUTIL.version}
    return versions | {name: version for name, (version, _) in programs.items()}


def _sources(release: Release) -> dict[str, tuple[str, str]]:
    """Return version and source of every stand-in."""
    programs = {
        "nerdctl": (release.nerdctl, "tool.go"),
        "cri-dockerd": (release.cri_dockerd, "tool.go"),
        "sealctl": (release.sealos, "tool.go"),
        "image-cri-shim": (release.sealos, "image-cri-shim.go"),
    }
    if not release.from_modules:
        programs |= {"crictl": (release.crictl, "crictl.go"), "pause": (release.pause, "pause.go")}
    return {name: (version, source) for name, (version, source) in programs.items() if version}


def _go_of_debian(work: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the libraries that the stand-ins of the older upstream need, and the environment of its Go."""
    libraries = work / "golibraries"
    versions = unpack(open_root(work / "apt/bullseye", "bullseye"), _LIBRARIES, native_arch(), libraries)
    return versions, {**go_environment(work), "GOPATH": str(libraries / "usr/share/gocode")}


def _go_of_this_machine() -> dict[str, str]:
    return {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def _build_pause(release: Release, out: Path) -> None:
    """Build the real pause as build/pause/Makefile of Kubernetes does; a newer kubeadm asks it for its version."""
    source = go_programs.module("k8s.io/kubernetes", release.kubernetes) / "build/pause/linux/pause.c"
    run(["gcc", "-Os", "-Wall", "-Werror", "-static", f"-DVERSION=v{release.pause}", "-o", out, source])
