"""Resolve `a=` and `b=`: a lock by path or Kubernetes version, or a built image.

An image is the directory of an OCI layout, `oci:DIR[:TAG]`, the name of a directory in dist/, or an image name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterimage.image import base_image
from clusterimage.image.base_image import LAYOUT, Base
from clusterimage.locks import application_lock, lock
from clusterimage.locks.lock import LockedFile, LockedImage
from clusterimage.plan.layout import Layout
from clusterimage.queries.diff.contents import Layer, parts
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError, ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table
from clusterimage.values.version import Version

_WORDS = "a lock (locks/v1.22.15.toml), its version (v1.22.15), or a built image (dist/v1.22.15-docker, or its name)"


@dataclass(frozen=True, slots=True)
class Pinned:
    """The content of a lock, of a Kubernetes version or of an application image."""

    path: Path
    compressor: str
    files: tuple[LockedFile, ...]
    images: tuple[LockedImage, ...]


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform of a built image."""

    arch: str
    manifest: Digest
    config: Digest
    config_size: int
    layers: tuple[Layer, ...]
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """A built image: its platforms by architecture, and the directory of its blobs (named by hex digest)."""

    name: str
    platforms: dict[str, Platform]
    blobs: Path


def find(variable: str, text: str, layout: Layout) -> Pinned | Built:
    """Resolve `text`, the value of `variable`; raises ConfigError if there is no such lock or image."""
    if not text:
        raise ConfigError(f"{variable}= is missing: doit diff a=… b=…", hint=f"each is {_WORDS}")
    path = Path(text)
    if path.suffix == ".toml":
        return _pinned(f"{variable}={text}", path, "doit lock k8s=… makes the lock of a version")
    version = _version(text)
    if version is not None:
        mirror = f" mirror={layout.mirror.name}" if layout.mirror.own_bytes else ""
        return _pinned(f"{variable}={text}", layout.lock(version), f"make it: doit lock k8s={version}{mirror}")
    for folder in (path, layout.package(text)):
        if (folder / "index.json").is_file():
            text = f"{LAYOUT}{folder.as_posix()}"
            break
    return _built(variable, text, layout.dist)


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ConfigError:
        return None


def _pinned(asked: str, path: Path, make: str) -> Pinned:
    if not path.is_file():
        raise ConfigError(f"{asked}: there is no lock {path}", hint=make)
    if "kubernetes" in Table.load(path).values:
        kubernetes = lock.load(path)
        assert kubernetes is not None  # it is there
        return Pinned(path, kubernetes.compressor, kubernetes.files, kubernetes.images)
    application = application_lock.load_pins(path)
    assert application is not None
    base = (application.base,) if application.base else ()
    return Pinned(path, application.compressor, (), (*base, *application.images))


def _built(variable: str, text: str, dist: Path) -> Built:
    try:
        base = base_image.local(text, dist)
    except ConfigError as error:
        # base_image.local words its errors for FROM; here a variable named the image.
        problem = error.problem.replace(f"FROM {text}", f"{variable}={text}")
        raise ConfigError(problem, hint=error.hint or f"it is to be {_WORDS}") from error
    if base is None:
        made = ", ".join(sorted(path.parent.name for path in dist.glob("*/index.json")))
        hint = f"built are: {made}" if made else f"nothing is built; it is to be {_WORDS}"
        raise ConfigError(f"{variable}={text}: no lock, and no image in {dist}", hint=hint)
    name = text if text.startswith(LAYOUT) else str(Reference.parse(text))
    return Built(name, {one.arch: _platform(base, one.arch) for one in base.platforms}, base.blobs)


def _platform(base: Base, arch: str) -> Platform:
    found = base.platform(arch)
    config, *layers = found.blobs
    path = base.blobs / config.digest.hex
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        run = document.get("config") or {}
        described = parts(document.get("history") or [], tuple(layers))
    except (OSError, ValueError, AttributeError) as error:
        raise ClusterImageError(f"{path}: is missing or damaged", hint="build that image again") from error
    return Platform(arch, found.manifest.digest, config.digest, config.size, described, run.get("Labels") or {})
