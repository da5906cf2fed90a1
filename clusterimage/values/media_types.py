"""Media types of OCI images and of Docker's schema 2, which means the same; and what lies in registries beside images.

https://github.com/opencontainers/image-spec/blob/main/manifest.md (artifactType, "Guidelines for Artifact Usage"),
https://helm.sh/docs/topics/registries, https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md,
https://github.com/in-toto/attestation, https://github.com/moby/buildkit docs/attestations/attestation-storage.md
"""

from __future__ import annotations

import re
from typing import Any

from clusterimage.values.errors import shown

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)

# What a media type has in it, and what that is; the first row that fits.
_ROWS = (
    (r"\.cncf\.helm\.", "a Helm chart"),
    (r"simplesigning|cosign|sigstore", "a signature of cosign"),
    (r"cncf\.notary", "a signature of Notation"),
    (r"in-toto|dsse\.envelope", "an attestation"),
    (r"spdx|cyclonedx|syft", "a bill of materials (SBOM)"),
    (r"docker\.plugin", "a plugin of Docker"),
    (r"wasm", "a WebAssembly module"),
)
# A manifest of its own kind: the media type of the whole document.
_DOCUMENTS = (
    (
        r"distribution\.manifest\.v1\+",
        "an image in Docker's old format (schema 1)",
        "pull and push it again with a newer Docker: only OCI and Docker schema 2 images can be saved",
    ),
    (r"oci\.artifact\.manifest", "an artifact", "drop it from imageList"),
)


def artifact(manifest: dict[str, Any]) -> str:
    """Return what a manifest describes, where that is known not to be an image; "" for anything else."""
    for kind in _kinds(manifest):
        for words, name in _ROWS:
            if re.search(words, kind):
                return name
    return ""


def unknown_artifact(manifest: dict[str, Any]) -> str:
    """Return what a manifest describes whose config says no platform: an artifact by its type, or ""."""
    kind = next(iter(_kinds(manifest)), "")
    return f"an artifact of the type {shown(kind, most=100)}" if kind not in ("", OCI_CONFIG, DOCKER_CONFIG) else ""


def other_document(media_type: str) -> tuple[str, str]:
    """Return what a document of that media type is, and what to do; two empty strings where it may be an image."""
    return next(((name, hint) for words, name, hint in _DOCUMENTS if re.search(words, media_type)), ("", ""))


def _kinds(manifest: dict[str, Any]) -> list[str]:
    """Return the type of an artifact, of its config and of its layers, those that there are."""
    layers = manifest.get("layers")
    parts = [manifest.get("config"), *(layers if isinstance(layers, list) else ())]
    types = [manifest.get("artifactType"), *(part.get("mediaType") for part in parts if isinstance(part, dict))]
    return [kind for kind in types if isinstance(kind, str) and kind]
