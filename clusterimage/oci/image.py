"""Images and their OCI image layout on disk (https://github.com/opencontainers/image-spec).

oci-layout
index.json               the image index as TAG, and every platform's manifest as TAG-ARCH
blobs/sha256/<hex>       layers, configs, manifests, index
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterimage.locks.lock import Descriptor
from clusterimage.oci.layer import Written
from clusterimage.storage import files
from clusterimage.values import digest as digests
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.media_types import DOCKER_LAYER_GZIP, OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from clusterimage.values.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A layer that was written: its digests, its file, and the name of its part (for the history)."""

    written: Written
    path: Path
    part: str
    media_type: str = OCI_LAYER_GZIP


@dataclass(frozen=True, slots=True)
class BaseImage:
    """The image of FROM for one platform: config, manifest, and the directory of its blobs (named by hex digest)."""

    config: dict[str, Any]
    manifest: dict[str, Any]
    blobs: Path


@dataclass(frozen=True, slots=True)
class Image:
    """One platform of an image: `layers` are appended to those of `base`, which are kept unchanged.

    Without a `command` of its own it has the Cmd of the base. `epoch` is its `created` time in seconds since 1970.
    """

    arch: str
    layers: tuple[BuiltLayer, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    epoch: int
    env: tuple[str, ...] = ()
    author: str = ""
    base: BaseImage | None = None
    command: tuple[str, ...] = ()


def canonical(document: dict[str, Any]) -> bytes:
    """Serialise `document` as canonical JSON: sorted keys, no whitespace."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write(images: tuple[Image, ...], reference: Reference, dest: Path) -> Digest:
    """Write an OCI image layout with one index over `images` to `dest` and return the digest of that index.

    index.json is written last. Layers are hard links where the file system allows.
    """
    blobs = dest / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    platforms = [(_write_image(image, blobs), image.arch) for image in images]
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [_json(d) | {"platform": {"os": "linux", "architecture": arch}} for d, arch in platforms],
    }
    top = _put(blobs, canonical(index), OCI_INDEX)
    listing = [_named(top, reference, reference.tag)]
    listing += [_named(descriptor, reference, f"{reference.tag}-{arch}") for descriptor, arch in platforms]
    files.write(dest / "oci-layout", canonical({"imageLayoutVersion": "1.0.0"}))
    files.write(dest / "index.json", canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listing}))
    return top.digest


def _write_image(image: Image, blobs: Path) -> Descriptor:
    created = datetime.fromtimestamp(image.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    base = image.base or BaseImage({}, {}, blobs)
    for layer in image.layers:
        target = blobs / layer.written.digest.hex
        if not target.exists():
            files.link_or_copy(layer.path, target)
    own = [str(layer.written.diff_id) for layer in image.layers]
    history = [{"created": created, "created_by": f"clusterimage {layer.part}"} for layer in image.layers]
    run = {**(base.config.get("config") or {}), "Labels": dict(image.labels)}
    config = {
        **({"variant": base.config["variant"]} if base.config.get("variant") else {}),
        **({"author": image.author} if image.author else {}),
        "architecture": image.arch,
        "os": "linux",
        "created": created,
        "config": run
        | ({"Env": list(image.env)} if image.env else {})
        | ({"Cmd": list(image.command)} if image.command else {}),
        "rootfs": {"type": "layers", "diff_ids": [*base.config.get("rootfs", {}).get("diff_ids", []), *own]},
        "history": [*(base.config.get("history") or []), *history],
    }
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _json(_put(blobs, canonical(config), OCI_CONFIG)),
        "layers": [
            *_base_layers(base, blobs),
            *(_json(Descriptor(layer.written.digest, layer.written.size, layer.media_type)) for layer in image.layers),
        ],
        "annotations": dict(image.annotations),
    }
    return _put(blobs, canonical(document), OCI_MANIFEST)


def _base_layers(base: BaseImage, blobs: Path) -> list[dict[str, Any]]:
    """Verify the base's layers, link them into `blobs`, and return their descriptors."""
    found = []
    for layer in base.manifest.get("layers", []):
        digest = Digest.parse(layer["digest"])
        source, target = base.blobs / digest.hex, blobs / digest.hex
        if not target.exists():
            if not source.exists() or digests.of_file(source) != digest:
                raise ClusterImageError(f"{source}: is not {digest}", hint="build or pull the base image again")
            files.link_or_copy(source, target)
        # An OCI manifest must not have Docker's media type for gzip layers; the bytes are the same.
        media_type = OCI_LAYER_GZIP if layer["mediaType"] == DOCKER_LAYER_GZIP else layer["mediaType"]
        found.append(_json(Descriptor(digest, layer["size"], media_type)))
    return found


def _put(blobs: Path, data: bytes, media_type: str) -> Descriptor:
    digest = digests.of_bytes(data)
    files.write(blobs / digest.hex, data)
    return Descriptor(digest, len(data), media_type)


def _json(descriptor: Descriptor) -> dict[str, Any]:
    return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}


def _named(descriptor: Descriptor, reference: Reference, tag: str) -> dict[str, Any]:
    """Return the entry of index.json; skopeo and umoci look it up by `tag`, containerd by the full name."""
    return _json(descriptor) | {"annotations": {REF_NAME: tag, IMAGE_NAME: f"{reference.name}:{tag}"}}
