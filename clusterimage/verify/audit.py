"""Verify a built image: digests, saved tags, the consumer's contract, and the image list against kubeadm's."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.contract import Expected
from clusterimage.image import package
from clusterimage.values.errors import FindingsError

log = logging.getLogger(__name__)
_AGAIN = "mend it in context/ or versions.toml, or run doit build again"


@dataclass(frozen=True, slots=True)
class Kubeadm:
    """A kubeadm binary that this host can run, its version, and the expected image list."""

    path: Path
    version: str
    images: tuple[str, ...]


def audit(dest: Path, expected: Expected | None, kubeadm: Kubeadm | None, for_sealos: bool = False) -> None:
    """Verify the package at `dest`; raises FindingsError with all findings.

    Every file is hashed, then, in one pass over the layers, every blob of the saved registries. Every saved tag is
    resolved to the blobs of its platform. The rootfs is checked against its consumer's contract if `expected` is given;
    of a user's own Kubefile `for_sealos` says that sealos runs it. If the host can run `kubeadm`, its image list is
    compared with ours.
    """
    from clusterimage.verify import conformance  # lazy: every command imports this module, few call this function
    from clusterimage.verify import rootfs as rootfses

    findings = list(package.find_damage(dest))
    if not findings:
        found: dict[str, list[str]] = {}
        for rootfs in rootfses.read(dest):
            application = conformance.check_application(rootfs, for_sealos=for_sealos)
            for line in conformance.check(rootfs, expected) if expected else application:
                found.setdefault(line, []).append(rootfs.arch)
            registry = rootfs.registry
            log.info("%s: linux/%s: %d blobs, %d tags", dest, rootfs.arch, len(registry.blobs), len(registry.tags))
        findings = [f"{line} [{', '.join(arches)}]" for line, arches in found.items()]
    findings += _compare(kubeadm) if kubeadm else ()
    if findings:
        raise FindingsError(str(dest), tuple(findings), hint=_AGAIN)


def _compare(kubeadm: Kubeadm) -> Iterator[str]:
    command = [str(kubeadm.path), "config", "images", "list", "--kubernetes-version", kubeadm.version]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"HOME": "/"})
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"{kubeadm.path}: does not run: {error}"
        return
    lines = tuple(line for line in answer.stdout.splitlines() if "/" in line and " " not in line)
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()[-1:] or [f"exit status {answer.returncode}"]
        yield f"{kubeadm.path}: {said[0]}"
        return
    for name in sorted({*lines} ^ {*kubeadm.images}):
        who = "kubeadm lists it, we do not" if name in lines else "we list it, kubeadm does not"
        yield f"{name}: {who} (data/kubeadm-images.toml)"
    log.info("kubeadm %s lists the same %d images", kubeadm.version, len(lines))
