"""Knows the programs that Debian does not have, as small static Go programs of standins/, and pause.

The tree that it writes; pause does what https://github.com/kubernetes/kubernetes/tree/v1.20.2/build/pause does:

<out>/<arch>/{nerdctl,cri-dockerd,sealctl}           print "<tool> version <version> (stand-in)" and can nothing else
<out>/<arch>/seautil                                 the real one, of the newest sealer
<out>/<arch>/crictl                                  calls a runtime as kubeadm and our scripts need it
<out>/<arch>/image-cri-shim                          listens, and passes every call on to the runtime
<out>/<arch>/pause                                   waits for a signal, as a pod's first process must
"""

import shutil
from pathlib import Path

from tests.integration.real import go_programs
from tests.integration.real.debian_packages import ARCHES, native_arch, open_root, run, unpack
from tests.integration.real.kubernetes_build import go_environment

CRICTL = "v1.20.0"
NERDCTL = "1.7.7"
SEAUTIL = "v0.9.1"
SEALOS = "4.3.7"
CRI_DOCKERD = "0.2.6"
PAUSE = "3.2"
_SOURCES = Path(__file__).parent / "standins"
# name -> version and source
_PROGRAMS = {
    "crictl": (CRICTL, "crictl.go"),
    "nerdctl": (NERDCTL, "tool.go"),
    "cri-dockerd": (CRI_DOCKERD, "tool.go"),
    "sealctl": (SEALOS, "tool.go"),
    "image-cri-shim": (SEALOS, "image-cri-shim.go"),
    "pause": (PAUSE, "pause.go"),
}
# HTTP/2 without TLS, for crictl: of the Debian release that the Go is from.
_LIBRARIES = {"golang-golang-x-net-dev": "", "golang-golang-x-text-dev": ""}


def build_standins(work: Path, out: Path) -> dict[str, str]:
    """Build every stand-in and pause for both architectures; return their versions."""
    libraries = work / "golibraries"
    versions = unpack(open_root(work / "apt/bullseye", "bullseye"), _LIBRARIES, native_arch(), libraries)
    environment = {**go_environment(work), "GOPATH": str(libraries / "usr/share/gocode")}
    sources = work / "standins"
    shutil.copytree(_SOURCES, sources, dirs_exist_ok=True)
    for arch in ARCHES:
        (out / arch).mkdir(parents=True)
        for name, (version, source) in _PROGRAMS.items():
            flags = f"-s -w -buildid= -X main.tool={name} -X main.version={version}"
            argv: list[str | Path] = ["go", "build", "-trimpath", "-ldflags", flags, "-o", out / arch / name, source]
            run(argv, cwd=sources, env={**environment, "GOARCH": arch})
        shutil.copy(go_programs.program(go_programs.SEAUTIL, arch), out / arch)
    versions |= {"seautil": go_programs.SEAUTIL.version}
    return versions | {name: version for name, (version, _) in _PROGRAMS.items()}
