"""Runs the real sealer, its storage in a folder of the test's own: the machine's /etc and /var/lib stay as they are."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import run, tool
from tests.integration.real import go_programs

# It writes to /var/lib/containers, /run/containers, /etc/containers, /var/lib/sealer and ~/.sealer. Its images lie in
# an overlay, which cannot lie on another one.
_ENTER = """
mount -t overlay overlay -o lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc.work /etc
mount -t overlay overlay -o lowerdir=/var/lib,upperdir=$0/lib,workdir=$0/lib.work /var/lib
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/containers /var/lib/sealer
mount --bind $0/containers /var/lib/containers
mount --bind $0/sealer /var/lib/sealer
export HOME=$0/home
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Sealer:
    """The program, and where all that it writes lies."""

    program: Path
    home: Path

    def __call__(self, *words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it; a failure is the caller's to look at."""
        for name in ("etc", "etc.work", "lib", "lib.work", "containers", "sealer", "home"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            tool("unshare"),
            "--mount",
            "--propagation",
            "private",
            "bash",
            "-euc",
            _ENTER,
            self.home,
        ]
        return subprocess.run(
            [*command, self.program, *words],
            cwd=cwd or self.home, env=os.environ | {"TMPDIR": "/tmp"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def good(self, *words: str | Path, cwd: Path | None = None) -> str:
        """Run it and return what it printed; a failure fails the test."""
        done = self(*words, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def load(self, layout: Path, tag: str, name: str) -> None:
        """Load one platform of a layout under a name, by the way that README tells."""
        archive = self.home / "image.tar"
        run(
            tool("skopeo"),
            "--insecure-policy",
            "copy",
            "--quiet",
            f"oci:{layout}:{tag}",
            f"oci-archive:{archive}:{name}",
        )
        self.good("load", "-i", archive)
        archive.unlink()

    def layout(self, name: str, dest: Path) -> Path:
        """Save an image as an OCI layout with the tag `x`."""
        archive = self.home / "saved.tar"
        self.good("save", "-o", archive, name)
        run(tool("skopeo"), "--insecure-policy", "copy", "--quiet", f"oci-archive:{archive}", f"oci:{dest}:x")
        archive.unlink()
        return dest


def sealer(home: Path) -> Sealer:
    """Return the real sealer, built on the first call."""
    home.mkdir(parents=True, exist_ok=True)
    return Sealer(go_programs.program(go_programs.SEALER), home)
