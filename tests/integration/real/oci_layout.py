"""Knows how to write container images into an OCI layout so that equal contents are equal digests.

https://github.com/opencontainers/image-spec/blob/v1.0.2/image-layout.md

    <layout>/oci-layout  index.json  blobs/sha256/<hex>
"""

import gzip
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.real.fixed_tar import Member, with_parents, write_tar_gz

_OCI = "application/vnd.oci.image"
CREATED = "2021-01-13T13:20:24Z"

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is in the layout already."""

    diff_id: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """An image: full name, the `config` object of its configuration, and its layers by architecture, lowest first."""

    name: str
    config: Mapping[str, Any]
    layers: Mapping[str, tuple[Layer, ...]]


@dataclass(slots=True)
class Layout:
    """An OCI layout being written; `finish` makes it readable."""

    path: Path
    _indexes: list[Descriptor] = field(default_factory=list)

    def add_layer(self, members: tuple[Member, ...]) -> Layer:
        """Compress the members into a blob, with every directory above them; threads may do so at the same time."""
        blobs = self._blobs()
        fresh = blobs / f"part-{secrets.token_hex(8)}"
        write_tar_gz(fresh, with_parents(members))
        with fresh.open("rb") as compressed, gzip.open(fresh) as tar:
            hex_digest = hashlib.file_digest(compressed, "sha256").hexdigest()
            diff_id = hashlib.file_digest(tar, "sha256").hexdigest()
        size = fresh.stat().st_size
        fresh.rename(blobs / hex_digest)
        return Layer(f"sha256:{diff_id}", f"sha256:{hex_digest}", size)

    def add_image(self, image: Image) -> None:
        """Write the image of every architecture and the index over them."""
        manifests = []
        for arch, layers in image.layers.items():
            platform = {"architecture": arch, "os": "linux"}
            if arch == "arm64":
                platform["variant"] = "v8"
            manifests.append({**self._add_manifest(image, arch, layers), "platform": platform})
        index = self._add_json(f"{_OCI}.index.v1+json", {"manifests": manifests})
        self._indexes.append({**index, "annotations": {"org.opencontainers.image.ref.name": image.name}})

    def finish(self) -> None:
        """Write the two files that make the directory a layout."""
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self._indexes}))
        (self.path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def _add_manifest(self, image: Image, arch: str, layers: tuple[Layer, ...]) -> Descriptor:
        """Write the configuration and the manifest of one architecture."""
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        platform = {"architecture": arch, "os": "linux", "created": CREATED}
        config = {**platform, "config": dict(image.config), "rootfs": rootfs}
        descriptors = [
            {"mediaType": f"{_OCI}.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size} for layer in layers
        ]
        described = self._add_blob(f"{_OCI}.config.v1+json", json.dumps(config, sort_keys=True).encode())
        return self._add_json(f"{_OCI}.manifest.v1+json", {"config": described, "layers": descriptors})

    def _add_json(self, media_type: str, document: Mapping[str, Any]) -> Descriptor:
        """Write a manifest or an index."""
        whole = {"schemaVersion": 2, "mediaType": media_type, **document}
        return self._add_blob(media_type, json.dumps(whole, sort_keys=True).encode())

    def _add_blob(self, media_type: str, data: bytes) -> Descriptor:
        """Write a blob and return what describes it."""
        hex_digest = hashlib.sha256(data).hexdigest()
        (self._blobs() / hex_digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{hex_digest}", "size": len(data)}

    def _blobs(self) -> Path:
        """Return the directory of the blobs, made on the first call."""
        blobs = self.path / "blobs/sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        return blobs
