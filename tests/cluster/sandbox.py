"""Knows a part of this machine that is cut off from the rest: where nodes boot, with a network that leads nowhere.

/mnt/                         a file system in memory that only the sandbox sees
bridge `lan`                  where nodes meet, 10.199.7.0/24; nothing else is connected to it
`nowhere`, its port           where the nodes' default route leads: packets to elsewhere are heard there, and end
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import keeper, listener

HOME = "/mnt"
NETWORK = "10.199.7"
ROUTER = "02:00:00:00:00:01"  # the address of a router that is made up
_PREPARE = f"""
mount -t tmpfs -o mode=755 clusterimage /run
mount -t tmpfs -o mode=755 clusterimage {HOME}
ip link add lan type bridge mcast_snooping 0
ip link add nowhere type veth peer name outside address {ROUTER}
sysctl -qw net.ipv6.conf.lan.disable_ipv6=1 net.ipv6.conf.nowhere.disable_ipv6=1 net.ipv6.conf.outside.disable_ipv6=1
ip link set nowhere master lan
bridge link set dev nowhere flood off mcast_flood off bcast_flood off
bridge fdb add {ROUTER} dev nowhere master static
ip link set lan up
ip link set nowhere up
ip link set outside up
"""
# nsenter alone leaves a process in its old cgroup, which the namespace does not know.
_JOIN = 'for group in /sys/fs/cgroup/{,*/}cgroup.procs; do echo 0 2>/dev/null >"$group"; done; exec "$@"'


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Namespaces, held by the process `pid`."""

    pid: int

    @property
    def home(self) -> Path:
        """Return the sandbox's own file system, as this side sees it."""
        return Path(f"/proc/{self.pid}/root{HOME}")

    def command(self, *words: str) -> list[str]:
        """Return the command that runs `words` in the sandbox."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--cgroup"]
        return [*enter, "bash", "-c", _JOIN, "join", *words]

    def give(self, interface: str, process: int) -> None:
        """Move a network interface of the sandbox to the network of a process, by its number on this side."""
        words = ["nsenter", "--target", str(self.pid), "--net", "ip", "link", "set", interface, "netns", str(process)]
        subprocess.run(words, check=True)

    def escaped(self) -> list[str]:
        """Return what nodes sent to addresses outside of the sandbox, as listener.py tells it."""
        return (self.home / "escaped").read_text().splitlines()[1:]

    def run(self, script: str) -> str:
        """Run a script in the sandbox and return what it printed."""
        words = self.command("bash", "-euc", script)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{script}\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def open_sandbox() -> Iterator[Sandbox]:
    """Make a sandbox; at the end, however it comes, nothing of it is left."""
    # In a session of its own: what kills this process by its group or terminal leaves the keeper to clean up.
    words = [sys.executable, keeper.__file__, f"clusterimage-{os.getpid()}"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin and process.stdout
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError("the keeper ended")
        sandbox = Sandbox(int(answer))
        with ExitStack() as stack:
            stack.callback(process.wait)
            stack.callback(process.stdin.close)
            sandbox.run(_PREPARE)
            ears = stack.enter_context(_listen(sandbox))
            stack.callback(ears.kill)
            yield sandbox


def _listen(sandbox: Sandbox) -> subprocess.Popen[bytes]:
    """Start the listener and wait until it hears."""
    said = sandbox.home / "escaped"
    with said.open("wb") as stream:
        process = subprocess.Popen(sandbox.command(sys.executable, listener.__file__, "outside"), stdout=stream)
    while not said.stat().st_size:
        time.sleep(0.05)
    return process
