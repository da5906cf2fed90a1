"""A judge of OCI layouts that shares no code with what it judges (https://github.com/opencontainers/image-spec)."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Judged:
    """One platform of a layout that holds together."""

    manifest: dict[str, Any]
    config: dict[str, Any]
    layers: tuple[Path, ...]


def judge(root: Path) -> dict[str, Judged]:
    """Follow every descriptor of the layout at `root`; return its platforms by architecture."""
    seen: set[str] = set()
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    listing = json.loads((root / "index.json").read_text())
    assert (listing["schemaVersion"], listing["mediaType"]) == (2, INDEX)
    top, *others = listing["manifests"]
    index = _document(root, top, INDEX, seen)
    for other, child in zip(others, index["manifests"], strict=True):
        assert (other["digest"], other["size"], other["mediaType"]) == (child["digest"], child["size"], MANIFEST)
    judged = {child["platform"]["architecture"]: _image(root, child, seen) for child in index["manifests"]}
    assert {path.name for path in (root / "blobs" / "sha256").iterdir()} == seen
    return judged


def _image(root: Path, child: dict[str, Any], seen: set[str]) -> Judged:
    manifest = _document(root, child, MANIFEST, seen)
    config = _document(root, manifest["config"], CONFIG, seen)
    assert child["platform"] == {"os": config["os"], "architecture": config["architecture"]}
    layers = tuple(_blob(root, layer, LAYER, seen) for layer in manifest["layers"])
    plain = [hashlib.sha256(gzip.decompress(layer.read_bytes())).hexdigest() for layer in layers]
    assert config["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{hex_}" for hex_ in plain]}
    assert len(config["history"]) == len(layers)
    return Judged(manifest, config, layers)


def _document(root: Path, descriptor: dict[str, Any], media_type: str, seen: set[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_blob(root, descriptor, media_type, seen).read_bytes())
    if media_type != CONFIG:
        assert (document["schemaVersion"], document["mediaType"]) == (2, media_type)
    return document


def _blob(root: Path, descriptor: dict[str, Any], media_type: str, seen: set[str]) -> Path:
    assert descriptor["mediaType"] == media_type
    algorithm, _, hex_ = descriptor["digest"].partition(":")
    path = root / "blobs" / algorithm / hex_
    data = path.read_bytes()
    assert (algorithm, hashlib.sha256(data).hexdigest(), len(data)) == ("sha256", hex_, descriptor["size"])
    seen.add(hex_)
    return path
