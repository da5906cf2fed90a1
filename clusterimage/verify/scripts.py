"""What can be told of a script without running it: that bash reads it, and that what it names in the image is there."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator

from clusterimage.verify.rootfs import Rootfs

# "$ROOTFS/etc/daemon.json", "$SCRIPTS/check.sh", and what is named from the top after a `cd` there.
_NAMED = re.compile(
    r"(?:\$\{?ROOTFS\}?\"?/|(?P<scripts>\$\{?SCRIPTS\}?\"?/)|(?<=[\s\"'])(?=applications?/))([\w./*$-]+)"
)
_TESTED = re.compile(r"-[efrsx] +\"?\$\{?(?:ROOTFS|SCRIPTS)\}?\"?/([\w./*$-]+)")
# Made on the node by the consumer before the script runs.
_MADE_AT_RUN_TIME = ("certs", "etc/registry_htpasswd")
# What one script for all images names besides, only where the image holds the other.
_TOGETHER = {"etc/cri-docker.": "cri/cri-dockerd.tar.gz"}


_OTHERS = "bin/"  # scripts of upstreams: what they name is not of this image


def check(rootfs: Rootfs, cri: str) -> Iterator[str]:
    """Yield what is wrong with the scripts of the image."""
    for path, file in sorted(rootfs.files.items()):
        if not path.endswith(".sh") or not file.text:
            continue
        if not file.mode & 0o111:
            yield f"{path}: is a script and not executable"
        yield from (f"{path}: {problem}" for problem in _syntax(file.text))
        if path.startswith(_OTHERS):
            continue
        for name in sorted(mentioned(file.text, cri)):
            if not _there(rootfs, name) and not _unused(rootfs, name):
                yield f"{path}: names {name}, which the image does not hold"


def mentioned(text: str, cri: str) -> set[str]:
    """Return the paths of the image that a script needs; one that it tests for first it can do without."""
    code = "\n".join(line for line in text.replace("$RUNTIME", cri).splitlines() if not line.lstrip().startswith("#"))
    tested = {match[1] for match in _TESTED.finditer(code)}
    found = set()
    for match in _NAMED.finditer(code):
        name = match[2].rstrip(".")
        if name not in tested:
            found.add(f"scripts/{name}" if match["scripts"] else name)
    return {name for name in found if not name.startswith(_MADE_AT_RUN_TIME)}


def _there(rootfs: Rootfs, name: str) -> bool:
    """Return whether the image holds `name`; what a variable or `*` completes is as good as the folder it lies in."""
    whole = re.split(r"[$*]", name)[0]
    return rootfs.has(whole) if whole == name else rootfs.has(whole.rpartition("/")[0] or whole)


def _unused(rootfs: Rootfs, name: str) -> bool:
    return any(name.startswith(prefix) and not rootfs.has(other) for prefix, other in _TOGETHER.items())


@functools.cache
def _syntax(text: str) -> tuple[str, ...]:
    bash = shutil.which("bash")
    if not text.startswith("#!"):
        return ("does not begin with #!",)
    if bash is None:
        return ()
    done = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, timeout=60, check=False)
    return () if done.returncode == 0 else (f"bash: {' '.join(done.stderr.split())}",)
