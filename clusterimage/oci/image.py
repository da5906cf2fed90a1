"""Images and their layout on disk (https://github.com/opencontainers/image-spec).

oci-layout
index.json               the index over the platforms, named by tag, and every platform by tag-arch
blobs/sha256/<hex>       layers, configs, manifests, index
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterimage import digest as digests
from clusterimage import files
from clusterimage.digest import Digest
from clusterimage.lock import Descriptor
from clusterimage.oci.layer import Written
from clusterimage.oci.media import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from clusterimage.oci.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A layer that was made: its digests, the file that holds it, and what it holds (for the history)."""

    written: Written
    path: Path
    part: str


@dataclass(frozen=True, slots=True)
class Image:
    """One platform of an image. `epoch` is when it says that it was created, in seconds since 1970."""

    arch: str
    layers: tuple[BuiltLayer, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    epoch: int
    env: tuple[tuple[str, str], ...] = ()


def canonical(document: dict[str, Any]) -> bytes:
    """Return `document` as JSON with one spelling: sorted keys, no blanks."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write(images: tuple[Image, ...], reference: Reference, dest: Path) -> Digest:
    """Write a layout that holds `images` as one index to `dest` and return the digest of that index.

    Layers, configs and manifests come first, index.json last; layers are hard links where the file system allows.
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
    for layer in image.layers:
        target = blobs / layer.written.digest.hex
        if not target.exists():
            files.link_or_copy(layer.path, target)
    config = {
        "architecture": image.arch,
        "os": "linux",
        "created": created,
        "config": {"Labels": dict(image.labels)}
        | ({"Env": [f"{name}={value}" for name, value in image.env]} if image.env else {}),
        "rootfs": {"type": "layers", "diff_ids": [str(layer.written.diff_id) for layer in image.layers]},
        "history": [{"created": created, "created_by": f"clusterimage {layer.part}"} for layer in image.layers],
    }
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _json(_put(blobs, canonical(config), OCI_CONFIG)),
        "layers": [
            {"mediaType": OCI_LAYER_GZIP, "digest": str(layer.written.digest), "size": layer.written.size}
            for layer in image.layers
        ],
        "annotations": dict(image.annotations),
    }
    return _put(blobs, canonical(document), OCI_MANIFEST)


def _put(blobs: Path, data: bytes, media_type: str) -> Descriptor:
    digest = digests.of_bytes(data)
    files.write(blobs / digest.hex, data)
    return Descriptor(digest, len(data), media_type)


def _json(descriptor: Descriptor) -> dict[str, Any]:
    return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}


def _named(descriptor: Descriptor, reference: Reference, tag: str) -> dict[str, Any]:
    """Return the entry of index.json that skopeo and umoci find by `tag`, containerd by the full name."""
    return _json(descriptor) | {"annotations": {REF_NAME: tag, IMAGE_NAME: f"{reference.name}:{tag}"}}
