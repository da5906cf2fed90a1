"""The lock of a small project with made-up pins, and the plan that it gives."""

from __future__ import annotations

from pathlib import Path

from clusterimage.catalog import requirement, spec
from clusterimage.catalog.requirement import Requirement
from clusterimage.catalog.spec import Mirror
from clusterimage.locks import lock
from clusterimage.locks.lock import Descriptor, Lock, LockedFile, LockedImage, LockedPlatform
from clusterimage.plan import plan, selection
from clusterimage.plan.layout import Layout
from clusterimage.plan.plan import Plan
from clusterimage.values import media_types
from clusterimage.values.digest import of_bytes
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version

NONE = Mirror("none")
LVSCARE = Reference.parse("docker.io/sealerio/lvscare:v1.1.3")
DIGEST = of_bytes(b"https://files.example/crictl-v1.22.0-linux-amd64.tar.gz").hex


def blob(text: str, media_type: str) -> Descriptor:
    return Descriptor(of_bytes(text.encode()), 1, media_type)


def locked_image(reference: Reference, *arches: str, salt: str = "") -> LockedImage:
    name = f"{reference}{salt}"
    platforms = tuple(
        LockedPlatform(arch, blob(f"{name} {arch}", media_types.OCI_MANIFEST), (blob(arch, media_types.OCI_CONFIG),))
        for arch in arches
    )
    return LockedImage(reference, blob(name, media_types.OCI_INDEX), platforms)


def lock_of(needed: Requirement, *arches: str, salt: str = "") -> Lock:
    files = tuple(
        LockedFile(file.component, file.version, file.arch, file.url, of_bytes(f"{file.url}{salt}".encode()), 1, "x")
        for file in needed.files
    )
    images = {image.reference for image in needed.images}
    return Lock(
        needed.kubernetes, "isal 1, gzip 2", files, tuple(locked_image(one, *arches, salt=salt) for one in images)
    )


def require(root: Path, version: str = "v1.22.15") -> Requirement:
    return requirement.require(spec.load(root / "versions.toml"), Version.parse(version), (LVSCARE,), root)


def write_lock(root: Path, version: str = "v1.22.15", mirror: Mirror = NONE, salt: str = "") -> Path:
    path = Layout(root, mirror).lock(Version.parse(version))
    lock.save(path, lock_of(require(root, version), "amd64", "arm64", salt=salt))
    return path


def expand(root: Path, **variables: str) -> Plan:
    rules = spec.load(root / "versions.toml")
    chosen = selection.select(rules, variables)
    return plan.expand(rules, chosen, Layout(root, chosen.mirror))
