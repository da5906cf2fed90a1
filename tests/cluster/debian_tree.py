"""Knows the Debian that a node boots, made once by mmdebstrap (https://manpages.debian.org/bookworm/mmdebstrap).

<cache>/node-<recipe>.tar
"""

import subprocess
from pathlib import Path

from tests.integration.real.debian_packages import KEYRING, machine_mirror

_RECIPE = 3
# systemd with its bus, and what kubeadm's preflight and our check.sh ask of a node. libnetfilter-conntrack3 is for the
# conntrack of the tests' upstream, which is Debian's; the released one needs no library. openssh-server, rsync and lsof
# are for the real sealer, which comes by ssh.
_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "kmod", "mount", "procps", "gawk", "ca-certificates"),
    *("iproute2", "iptables", "ebtables", "ethtool", "socat", "libnetfilter-conntrack3"),
    *("openssh-server", "rsync", "lsof"),
)


def debian_tree(cache: Path) -> Path:
    """Return a tar of the root of a Debian 12 with systemd, made on the first call."""
    path = cache / f"node-{_RECIPE}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.tar")
        source = f"deb [signed-by={KEYRING}] {machine_mirror()} bookworm main"
        subprocess.run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(_PACKAGES)}",
                "bookworm",
                part,
                source,
            ],
            stdin=subprocess.DEVNULL,
            check=True,
        )
        part.rename(path)
    return path
