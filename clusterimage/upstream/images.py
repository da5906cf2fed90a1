"""The images that the embedded upstream publishes: an index over three platforms, configs, and two layers each.

    HOST/REPO:TAG   OCI index, or Docker manifest list (by a stable hash of the repository's name)
      linux/amd64   manifest: config, layer "base" (shared by all images of the architecture), layer of its own
      linux/arm64   the same
      linux/s390x   the same, small: a platform that clients have to ignore

https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md (OCI)
https://distribution.github.io/distribution/spec/manifest-v2-2/ (Docker)
"""

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from clusterimage.upstream.contents import MARK, Blob, canonical_json, gzip_stored, stand_in, tar

LABELS = {"io.clusterimage.stand-in": "true"}
PLATFORMS: tuple[dict[str, str], ...] = (
    {"os": "linux", "architecture": "amd64"},
    {"os": "linux", "architecture": "arm64", "variant": "v8"},
    {"os": "linux", "architecture": "s390x"},
)
_SCALED = frozenset({"amd64", "arm64"})


@dataclass(frozen=True, slots=True)
class MediaTypes:
    """The media types of one family, OCI or Docker."""

    index: str
    manifest: str
    config: str
    layer: str


OCI = MediaTypes(
    index="application/vnd.oci.image.index.v1+json",
    manifest="application/vnd.oci.image.manifest.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = MediaTypes(
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A gzip-compressed tar, and the digest of the uncompressed tar."""

    blob: Blob
    diff_id: str


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as a registry serves it."""

    media_type: str
    blob: Blob


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one tag: index, manifests in the order of PLATFORMS, and blobs by digest."""

    index: Document
    manifests: tuple[Document, ...]
    blobs: Mapping[str, Blob]


def media_types(repository: str) -> MediaTypes:
    """Choose the family for `repository` by a stable hash of its name."""
    return (OCI, DOCKER)[hashlib.sha256(repository.encode()).digest()[0] & 1]


def base_layer(arch: str, size: int) -> Layer:
    """Generate the layer that all images of `arch` share."""
    release = f'ID=clusterimage-stand-in\nPRETTY_NAME="{MARK} base 1 ({arch})"\n'.encode()
    tree = {"etc/os-release": release, "bin/base": stand_in("bin/base", "base 1", arch, _scale(arch, size))}
    return _layer(tree)


def image(repository: str, label: str, bases: Mapping[str, Layer], size: int) -> Image:
    """Generate the image `label` (HOST/REPO:TAG) on the base layers `bases`, by architecture."""
    types = media_types(repository)
    manifests: list[Document] = []
    blobs: dict[str, Blob] = {}
    for platform in PLATFORMS:
        arch = platform["architecture"]
        program = f"usr/local/bin/{posixpath.basename(repository)}"
        own = _layer({program: stand_in(program, label, arch, _scale(arch, size))})
        layers = (bases[arch], own)
        config = Blob.of(_config(platform, program, label, layers))
        manifests.append(Document(types.manifest, Blob.of(_manifest(types, config, layers))))
        blobs |= {blob.digest: blob for blob in (config, *(layer.blob for layer in layers))}
    return Image(Document(types.index, Blob.of(_index(types, label, manifests))), tuple(manifests), blobs)


def _scale(arch: str, size: int) -> int:
    return size if arch in _SCALED else 1


def _layer(tree: Mapping[str, bytes]) -> Layer:
    unpacked = tar(tree)
    return Layer(Blob.of(gzip_stored(unpacked)), Blob.of(unpacked).digest)


def _config(platform: Mapping[str, str], program: str, label: str, layers: tuple[Layer, ...]) -> bytes:
    created = "1970-01-01T00:00:00Z"
    history = [{"created": created, "created_by": f"{MARK} {what}"} for what in ("base", label)]
    run = {"Entrypoint": [f"/{program}"], "Labels": LABELS}
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
    return canonical_json({**platform, "created": created, "config": run, "history": history, "rootfs": rootfs})


def _manifest(types: MediaTypes, config: Blob, layers: tuple[Layer, ...]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": types.manifest,
        "config": _descriptor(types.config, config),
        "layers": [_descriptor(types.layer, layer.blob) for layer in layers],
    }
    return canonical_json(document)


def _index(types: MediaTypes, label: str, manifests: list[Document]) -> bytes:
    children = [
        {**_descriptor(manifest.media_type, manifest.blob), "platform": platform}
        for manifest, platform in zip(manifests, PLATFORMS, strict=True)
    ]
    document = {"schemaVersion": 2, "mediaType": types.index, "manifests": children}
    if types is OCI:  # Docker's manifest lists have no annotations
        document["annotations"] = {**LABELS, "org.opencontainers.image.title": f"{MARK} {label}"}
    return canonical_json(document)


def _descriptor(media_type: str, blob: Blob) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": len(blob.data)}
