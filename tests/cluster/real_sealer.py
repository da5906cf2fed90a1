"""Knows how the real sealer (0.11.0, built from its Go module) runs an image on nodes that are reached by ssh.

https://github.com/sealerio/sealer/blob/v0.11.0/cmd/sealer. Where it writes on the node that it is started on is OWN.
"""

from __future__ import annotations

import shutil
import subprocess

from tests.cluster import consumer
from tests.cluster.images import ClusterImage
from tests.cluster.node import Node
from tests.cluster.transcript import Transcript
from tests.conftest import run, tool
from tests.integration.real import go_programs

# What it keeps for itself, also after `delete`; and the key that it was given.
OWN = (
    *("/root/.sealer", "/root/.ssh", "/var/lib/sealer", "/var/lib/containers", "/etc/containers", "/root/image.tar"),
    *("/usr/local/bin/sealer", "/usr/sbin/seautil", "/etc/hosts"),
)
# The kernel here may lack ip_vs, by which seautil leads a worker to the API servers: the route is made by netfilter
# then, and all else by the image's own seautil, which has to be there by now.
_SEAUTIL = """\
#!/bin/sh
[ -x /usr/bin/seautil ] || { echo "seautil: command not found" >&2; exit 127; }
[ "$1" = ipvs ] || exec /usr/bin/seautil "$@"
while [ $# -gt 1 ]; do
    case $1 in --vs) vs=$2 ;; --rs) rs=$2 ;; esac
    shift
done
[ -n "$vs" ] && [ -n "$rs" ] || exit 0
iptables -t nat -C OUTPUT -d "${vs%:*}" -p tcp --dport "${vs##*:}" -j DNAT --to-destination "$rs" 2>/dev/null ||
    iptables -t nat -A OUTPUT -d "${vs%:*}" -p tcp --dport "${vs##*:}" -j DNAT --to-destination "$rs"
"""
_KEY = "--pk /root/.ssh/id_rsa"


def prepare(master: Node, workers: tuple[Node, ...], image: ClusterImage, tell: Transcript) -> str:
    """Let `master` reach all nodes by ssh, and load the image there; return its name."""
    with tell.step("nodes trust the master's key; sealer load"):
        master.run("mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_rsa")
        public = (master.root / "root/.ssh/id_rsa.pub").read_text()
        for node in (master, *workers):
            consumer.write(node, "/root/.ssh/authorized_keys", public)
            node.run("mkdir -p /run/sshd; systemctl restart ssh")
        for node in workers:
            consumer.write(node, "/usr/sbin/seautil", _SEAUTIL)
            node.run("chmod 755 /usr/sbin/seautil")
        shutil.copy(go_programs.program(go_programs.SEALER), master.root / "usr/local/bin/sealer")
        name = f"docker.io/sealerio/kubernetes:{image.tag.removesuffix(f'-{image.arch}')}"
        archive = image.root.parent / "archive.tar"  # skopeo follows no path through /proc
        words = ("--insecure-policy", "copy", "--quiet", f"oci:{image.layout}:{image.tag}")
        run(tool("skopeo"), *words, f"oci-archive:{archive}:{name}")
        shutil.move(archive, master.root / "root/image.tar")
        master.run("sealer -q load -i /root/image.tar; rm /root/image.tar", seconds=300)
    return name


def install(master: Node, name: str, tell: Transcript) -> None:
    with tell.step(f"sealer run {name} -m {master.address}", master, consumer.KUBELET_LOG):
        master.run(f"sealer -q run {name} -m {master.address} {_KEY}", seconds=900)


def join(master: Node, node: Node, tell: Transcript) -> None:
    with tell.step(f"sealer join -n {node.address}", node, consumer.KUBELET_LOG):
        master.run(f"sealer -q join -n {node.address} {_KEY}", seconds=600)


def remove(master: Node, node: Node, tell: Transcript) -> None:
    with tell.step(f"sealer -q delete -n {node.address} --force --prune", node, "journalctl -n 60 --no-pager"):
        master.run(f"sealer -q delete -n {node.address} --force --prune", seconds=300)


def uninstall(master: Node, tell: Transcript) -> None:
    with tell.step("sealer delete --all --force --prune", master, "journalctl -n 60 --no-pager"):
        master.run("sealer -q delete --all --force --prune", seconds=300)


def forget_routes(node: Node) -> None:
    """Take away what stands in for ip_vs here, the rules of this test's own seautil."""
    node.run("iptables -t nat -S OUTPUT | grep -- '-j DNAT' | sed 's/^-A/iptables -t nat -D/' | sh")


def version() -> str:
    """Return the version of the program as it was built, for the transcript."""
    words = [go_programs.program(go_programs.SEALER), "version"]
    subprocess.run(words, check=True, capture_output=True)
    return go_programs.SEALER.version
