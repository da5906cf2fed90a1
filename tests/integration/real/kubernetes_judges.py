"""Knows how programs of a Kubernetes release judge what we write for them: its kubeadm, and a program of ours.

That program (kubernetes_judge/) is compiled from the release's own code: the kinds of the kubelet and kube-proxy, their
defaults, their validation, the feature gates, and the flags of the components.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clusterimage.values.version import Version
from tests.conftest import tool
from tests.integration.real import go_programs
from tests.integration.real.go_programs import Source

OWN = Path(__file__).parent / "kubernetes_judge"
# How kubeadm says that a field is none of its own: many versions only warn, and go on.
COMPLAINTS = ("unknown field", "strict.go", "error unmarshaling", "strict decoding")
# Its default: pkg/kubelet/apis/config/v1beta1/defaults.go.
_REFUSES_CGROUP_V1 = Version.parse("v1.35.0")
# A network in which kubeadm finds an address and a default route, and an /etc in which it may write.
_ENTER = """
mount -t tmpfs tmpfs "$0"
mkdir "$0/etc" "$0/etc.work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc.work" /etc
ip link set lo up
ip link add d0 type dummy 2>/dev/null || ip link add d0 type veth peer name d1
ip address add 10.0.0.2/24 dev d0
ip link set d0 up
ip route add default via 10.0.0.1
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said; `wrong` is empty where it found nothing."""

    said: str
    wrong: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """What `kubeadm init` would write."""

    verdict: Verdict

    def commands(self) -> dict[str, list[str]]:
        """Return the arguments of every static pod by its program, and the kubelet's."""
        found = {}
        said = self.verdict.said.replace("\t", "")  # in earlier minors every line begins with one
        for block in re.findall(r"- command:\n((?:\s+- .*\n)+)", said):
            program, *arguments = yaml.safe_load(block)
            found[program] = arguments
        (flags,) = re.findall(r"KUBELET_KUBEADM_ARGS=(.*)", said)
        return found | {"kubelet": shlex.split(shlex.split(flags)[0])}


@dataclass(frozen=True, slots=True)
class Kubeadm:
    """kubeadm of one release, and a directory for its files."""

    program: Path
    work: Path

    def config(self, *words: str, documents: Mapping[str, Mapping[str, Any]], option: str = "--config") -> Verdict:
        """Run `kubeadm config WORDS` on documents."""
        return _verdict([self.program, "config", *words, option, self._written(documents)])

    def dry_run(self, documents: Mapping[str, Mapping[str, Any]]) -> DryRun:
        """Run `kubeadm init --dry-run` on documents, in a network of its own."""
        mount = self.work / "mount"
        mount.mkdir(exist_ok=True)
        init = {kind: document for kind, document in documents.items() if kind != "JoinConfiguration"}
        enter: list[str | Path] = [
            tool("unshare"),
            "--mount",
            "--net",
            "--propagation",
            "private",
            "bash",
            "-euc",
            _ENTER,
            mount,
        ]
        words: list[str | Path] = ["init", "--dry-run", "--config", self._written(init), "--skip-phases=preflight"]
        return DryRun(_verdict([*enter, self.program, *words]))

    def _written(self, documents: Mapping[str, Mapping[str, Any]]) -> Path:
        path = self.work / "kubeadm.yml"
        path.write_text(yaml.safe_dump_all(documents.values(), sort_keys=False))
        return path


def kubeadm(k8s: str, work: Path) -> Kubeadm:
    """Return kubeadm of a release, built on the first call."""
    return Kubeadm(go_programs.program(go_programs.kubeadm(k8s)), work)


def of_document(k8s: str, document: Mapping[str, Any]) -> Verdict:
    """Let a release judge a KubeletConfiguration or a KubeProxyConfiguration, but not the machine it runs on."""
    kubelet = document["kind"] == "KubeletConfiguration"
    machine = {"failCgroupV1": False} if kubelet and Version.parse(k8s) >= _REFUSES_CGROUP_V1 else {}
    return _verdict([_own(k8s), document["kind"]], yaml.safe_dump(machine | dict(document)))


def of_arguments(k8s: str, program: str, arguments: Iterable[str]) -> Verdict:
    """Let a release judge the arguments of a component."""
    return _verdict([_own(k8s), program, *arguments])


def _own(k8s: str) -> Path:
    return go_programs.program(Source("kubernetes_judge", "k8s.io/kubernetes", k8s, (), own=OWN))


def _verdict(argv: list[str | Path], text: str = "") -> Verdict:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=300, check=False)
    complained = any(complaint in done.stderr for complaint in COMPLAINTS)
    return Verdict(done.stdout, done.stdout + done.stderr if done.returncode or complained else "")
