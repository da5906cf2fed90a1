"""Knows the programs that Debian does not have, as small static Go programs that say what they are, and pause.

The tree that it writes; pause does what https://github.com/kubernetes/kubernetes/tree/v1.20.2/build/pause does:

<out>/<arch>/{crictl,nerdctl,seautil,cri-dockerd}    print "<tool> version <version> (stand-in)"
<out>/<arch>/pause                                   waits for a signal, as a pod's first process must
"""

from pathlib import Path

from tests.integration.real.debian_packages import ARCHES, run
from tests.integration.real.kubernetes_build import go_environment

CRICTL = "v1.20.0"
NERDCTL = "0.19.0"
SEAUTIL = "v0.9.1"
CRI_DOCKERD = "0.2.6"
PAUSE = "3.2"
_TOOLS = {"crictl": CRICTL, "nerdctl": NERDCTL, "seautil": SEAUTIL, "cri-dockerd": CRI_DOCKERD}

_TOOL_SOURCE = """\
package main

import (
	"fmt"
	"os"
)

var tool, version string

func main() {
	for _, argument := range os.Args[1:] {
		if argument == "--version" || argument == "version" {
			fmt.Printf("%s version %s (stand-in)\\n", tool, version)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s: a stand-in made for tests, it knows --version only\\n", tool)
	os.Exit(2)
}
"""

# SIGCHLD ignored makes the kernel reap the orphans of a pod that shares its process namespace.
_PAUSE_SOURCE = """\
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGCHLD)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
"""


def build_standins(work: Path, out: Path) -> dict[str, str]:
    """Build every stand-in and pause for both architectures; return their versions."""
    environment = go_environment(work)
    sources = work / "standins"
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "tool.go").write_text(_TOOL_SOURCE)
    (sources / "pause.go").write_text(_PAUSE_SOURCE)
    for arch in ARCHES:
        (out / arch).mkdir(parents=True)
        for name, version in (*_TOOLS.items(), ("pause", PAUSE)):
            source = "pause.go" if name == "pause" else "tool.go"
            flags = f"-s -w -buildid= -X main.tool={name} -X main.version={version}"
            argv: list[str | Path] = ["go", "build", "-trimpath", "-ldflags", flags, "-o", out / arch / name, source]
            run(argv, cwd=sources, env={**environment, "GOARCH": arch})
    return {**_TOOLS, "pause": PAUSE}
