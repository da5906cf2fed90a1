"""Knows how to lend a part of this machine that is cut off, and how to leave nothing of it behind.

Run as a program of its own, `python keeper.py NAME`: it makes namespaces for mounts, network, processes and cgroups
(https://man7.org/linux/man-pages/man7/namespaces.7.html), prints the process that holds them, and waits for its
standard input to end. That happens when whoever started it closes it, and also when that one is killed. Then every
process of the namespaces is killed, and with the last of them go their mounts and interfaces; cgroups and kernel
switches, which have no namespace, are put back.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Kernel switches that the kubelet sets (k8s.io/kubernetes pkg/util/sysctl) and that no namespace holds.
SWITCHES = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_PR_SET_PDEATHSIG = 1
# The cgroup file systems are mounted once more, so that the new namespace's own group is their root.
_INSIDE = r"""
set -eu
mount --make-rprivate /
mapfile -t lines </proc/self/mounts
for line in "${lines[@]}"; do
    read -r _ at type options _ <<<"$line"
    case $type in
        cgroup) umount "$at"; mount -t cgroup -o "${options##*relatime,}" cgroup "$at" ;;
        cgroup2) umount "$at"; mount -t cgroup2 cgroup2 "$at" ;;
    esac
done
ip link set lo up
echo ready
exec sleep infinity
"""


def main(name: str) -> None:
    """Hold the namespaces, below cgroups called NAME, until standard input ends."""
    saved = {switch: _switch(switch).read_text() for switch in SWITCHES if _switch(switch).exists()}
    groups = list(_make_groups(name))
    try:
        holder = _hold()
        print(_child(holder.pid), flush=True)
        sys.stdin.read()
        holder.kill()
        holder.wait()
    finally:
        for switch, value in saved.items():
            if _switch(switch).read_text() != value:
                _switch(switch).write_text(value)
        for group in groups:
            _remove_group(group)


def _switch(name: str) -> Path:
    return Path("/proc/sys") / name


def _make_groups(name: str) -> Iterator[Path]:
    """Make a cgroup in every hierarchy, move this process into it and yield its directory."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, at, kind, *_ = line.split()
        if kind not in ("cgroup", "cgroup2"):
            continue
        group = Path(at) / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if kind == "cgroup" and (group / setting).exists():
                (group / setting).write_text((Path(at) / setting).read_text())
                (group / "cgroup.clone_children").write_text("1")
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield group


def _hold() -> "subprocess.Popen[str]":
    """Start the process that holds the namespaces; it dies with this one."""
    libc = ctypes.CDLL(None)
    command = ["unshare", "--mount", "--net", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
    holder = subprocess.Popen(
        [*command, "bash", "-c", _INSIDE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    assert holder.stdout
    if holder.stdout.readline() != "ready\n":
        raise SystemExit("cannot make the namespaces: this needs root, unshare and ip")
    return holder


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _remove_group(group: Path) -> None:
    """Remove a cgroup and all below it; this process goes back to the group above."""
    (group.parent / "cgroup.procs").write_text(str(os.getpid()))
    for _ in range(100):
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                time.sleep(0.1)  # the last of its processes is on its way out
        if not group.exists():
            return
    print(f"{group} is still in use", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
