"""Knows a node: a Debian tree that systemd-nspawn boots in a sandbox, with a way to other nodes and none out.

    <sandbox>/<name>/   the root of the node
    interface `lan`     to the other nodes; the default route leads nowhere

https://www.freedesktop.org/software/systemd/man/252/systemd-nspawn.html
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.sandbox import HOME, NETWORK, ROUTER, Sandbox

_CONNECT = """
ip link add {name} type veth peer name {name}-lan
ip link set {name}-lan master lan up
"""
_PREPARE = """
ip link set {name} name lan
ip addr add {address}/24 dev lan
ip link set lan up
ip neigh add {network}.254 lladdr {router} dev lan nud permanent
ip route add default via {network}.254 dev lan
for controller in /sys/fs/cgroup/*; do mount -o remount,bind,rw "$controller" 2>/dev/null || true; done
mount --make-rshared /
ln -sf console /dev/kmsg
head -n 1 /proc/swaps >/run/no-swap
mount --bind /run/no-swap /proc/swaps
"""
# The kubelet wants keys and bpf, which nspawn takes away; a node must not turn off this machine's swap.
_BOOT = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--private-network",
         "--capability=all", "--system-call-filter=add_key keyctl bpf", "--system-call-filter=~swapoff",
         "--resolv-conf=off", "--link-journal=no", "--console=read-only")  # fmt: skip


class StepFailed(Exception):
    """A command on a node ended badly."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that runs; `leader` is its first process."""

    sandbox: Sandbox
    name: str
    address: str
    leader: int

    @property
    def root(self) -> Path:
        """Return the node's root, as this side sees it."""
        return self.sandbox.home / self.name

    def run(self, script: str, env: Mapping[str, str] | None = None, seconds: int = 300) -> str:
        """Run a script on the node and return what it printed; raise StepFailed with the end of it."""
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        words = ["nsenter", "--target", str(self.leader), "--all", "env", "--chdir=/", "-i", "HOME=/root",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *settings]  # fmt: skip
        done = subprocess.run(
            [*words, "timeout", str(seconds), "bash", "-euo", "pipefail", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StepFailed(f"exit status {done.returncode}: {script}\n{_tail(done.stdout)}")
        return done.stdout

    def wait(self, script: str, wanted: str, seconds: int = 120) -> None:
        """Run a script again and again until it prints what is wanted."""
        said = ""
        for _ in range(seconds * 2):
            try:
                said = self.run(script).strip()
            except StepFailed as failed:
                said = str(failed)
            if said == wanted:
                return
            time.sleep(0.5)
        raise StepFailed(f"not {wanted} after {seconds} s: {script}\n{said}")

    def tree(self, but: tuple[str, ...] = ()) -> dict[str, str]:
        """Describe type, mode, owner and content of all that lies on the node's disk, by path."""
        return dict(_describe(self.root, but))


@contextmanager
def boot(sandbox: Sandbox, tree: Path, number: int) -> Iterator[Node]:
    """Boot node `n<number>` from a tar of its root."""
    name, address = f"n{number}", f"{NETWORK}.{number + 1}"
    (sandbox.home / name).mkdir()
    sandbox.run(f"tar -C {HOME}/{name} -xf {tree}; echo {name} >{HOME}/{name}/etc/hostname")
    (sandbox.home / name / "usr/lib/modules").mkdir(exist_ok=True)  # a kernel of its own would bring it
    # Nobody answers names: that is known at once, where a server that does not answer costs seconds each time.
    # The loopback would lead a CoreDNS on the node, which asks who is named here, to itself.
    (sandbox.home / name / "etc/resolv.conf").write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
    sandbox.run(_CONNECT.format(name=name))
    log = sandbox.home / f"{name}.log"
    place = f"--directory={HOME}/{name}"
    words = ["env", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", *_BOOT, place, f"--hostname={name}"]
    with log.open("wb") as stream:
        process = subprocess.Popen(sandbox.command(*words), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            node = Node(sandbox, name, address, _leader(process, log))
            node.wait("systemctl is-system-running || true", "running")
            sandbox.give(name, node.leader)
            node.run(_PREPARE.format(name=name, address=address, network=NETWORK, router=ROUTER))
            yield node
        finally:
            for pid in list(_below(process.pid))[:1]:  # systemd-nspawn; the node ends with it
                os.kill(pid, signal.SIGKILL)
            process.wait()


def _leader(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the first process of the node, once systemd runs in it."""
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"systemd-nspawn ended: {log.read_text(errors='replace')[-2000:]}")
        for pid in _below(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if "Name:\tsystemd\n" in status and len(status.partition("NSpid:\t")[2].partition("\n")[0].split()) == 3:
                return pid
        time.sleep(0.1)
    raise RuntimeError(f"the node does not boot: {log.read_text(errors='replace')[-2000:]}")


def _below(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)


def _describe(root: Path, but: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if f"/{Path(folder, name).relative_to(root)}" not in but]
        for name in (*names, *files):
            path = Path(folder, name)
            status = path.lstat()
            content = ""
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            yield f"/{path.relative_to(root)}", f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {content}"


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(text.splitlines()[-lines:])
