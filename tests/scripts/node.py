"""Knows a throw-away node: an overlay of this machine in namespaces of its own, with a stand-in for systemd.

<work>/upper/   all that was changed on the node, kept between runs
<work>/root/    where the node is mounted during a run
"""

import functools
import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

IMAGE = "/var/lib/sealer/data/my-cluster/rootfs"
STAND_INS = Path(__file__).parent / "stand-ins"

# Runtimes of this machine that a bare node does not have.
RUNTIMES = (
    *(f"usr/bin/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr", "docker", "docker-init")),
    *("usr/sbin/dockerd", "usr/sbin/docker-proxy", "usr/sbin/runc", "etc/docker", "etc/containerd"),
    *("usr/bin/containerd-shim", "usr/bin/containerd-shim-runc-v1", "var/lib/docker", "var/lib/containerd"),
    *("etc/cni", "opt/cni", "var/lib/cni"),
    *(f"etc/systemd/system/multi-user.target.wants/{name}.service" for name in ("docker", "containerd")),
    *(f"lib/systemd/system/{name}" for name in ("docker.service", "docker.socket", "containerd.service")),
    *("etc/systemd/system/sockets.target.wants/docker.socket", "usr/bin/runc"),
)

ENTER = r"""
set -euo pipefail
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/systemd/system run/stand-ins ".$IMAGE"
mount --bind "$STAND_INS" run/stand-ins
mount --bind "$ROOTFS" ".$IMAGE"
ip link set lo up
exec chroot . /usr/bin/env -i HOME=/root TMPDIR=/tmp LANG=C.UTF-8 \
    PATH=/run/stand-ins:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" bash -euo pipefail -c "$SCRIPT"
"""


class Node:
    """One node, with the image at the path where sealer puts it."""

    def __init__(self, work: Path, rootfs: Path, bare: bool = True) -> None:
        """Make a node; a bare one has no container runtime."""
        self.work, self.rootfs, self.upper = work, rootfs, work / "upper"
        for folder in ("upper", "work", "root"):
            (work / folder).mkdir()
        self.run(f"rm -rf {' '.join('/' + path for path in RUNTIMES)}" if bare else "true")

    def run(self, script: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """Run script on the node, all its daemons ending with it; return what it printed."""
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--propagation",
             "private", "bash", "-c", ENTER, "enter", *settings],
            env=os.environ | {"WORK": str(self.work), "ROOTFS": str(self.rootfs), "IMAGE": IMAGE,
                              "STAND_INS": str(STAND_INS), "SCRIPT": script},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, output
        return output if check else f"{output}\nexit {done.returncode}"

    def script(self, call: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """Run one script of the image as sealer does, such as `docker.sh`."""
        return self.run(f"bash {IMAGE}/scripts/{call}", env, check)

    def read(self, path: str) -> str:
        """Read a file that was written on the node."""
        return (self.upper / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        """Return whether a file was written on the node."""
        return os.path.lexists(self.upper / path.lstrip("/")) and not is_whiteout(self.upper / path.lstrip("/"))

    def changes(self) -> dict[str, str]:
        """Describe how the node differs from this machine, by path."""
        found = {}
        for folder, names, files in os.walk(self.upper):
            for name in (*names, *files):
                path = Path(folder, name)
                below = "/" + str(path.relative_to(self.upper))
                state = describe(path)
                if state != of_this_machine(Path(below)):
                    found[below] = state
        return found


def is_whiteout(path: Path) -> bool:
    """Return whether the overlay file system says here that a file is gone."""
    return path.is_char_device() and path.stat().st_rdev == 0


@functools.cache
def of_this_machine(path: Path) -> str:
    """Describe a file that lies under every node, once: a runtime has a hundred megabytes, and nobody writes to it."""
    return describe(path)


def describe(path: Path) -> str:
    """Describe type, mode and content of what is at path."""
    if not os.path.lexists(path) or is_whiteout(path):
        return "absent"
    if path.is_symlink():
        return f"link {path.readlink()}"
    mode = oct(path.stat().st_mode)
    return mode if path.is_dir() else f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
