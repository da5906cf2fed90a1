"""An image as a docker-archive, which `docker load`, `ctr images import` and `nerdctl load` read.

    manifest.json             [{"Config": ..., "RepoTags": [...], "Layers": [...]}]
    <config hex>.json
    <layer hex>.tar.gz        the compressed blobs of the registry, unchanged

https://github.com/moby/docker-image-spec (v1.2, "Combined Image JSON + Filesystem Changeset Format")
"""

from __future__ import annotations

import json
from pathlib import Path

from clusterimage.locks.lock import LockedImage
from clusterimage.oci.layer import Layer, Member, write
from clusterimage.transport.store import Store


def save(image: LockedImage, arch: str, store: Store, compressor: str, dest: Path) -> None:
    """Write the image for `arch` to `dest` as a gzip-compressed docker-archive."""
    platform = image.platform(arch)
    config, *layers = platform.blobs
    names = [f"{layer.digest.hex}.tar.gz" for layer in layers]
    # An image pinned by digest only gets a tag here: without a name it could not be run.
    version = image.reference.tag or image.top.digest.hex[:12]
    tag = f"{image.reference.name}:{version}".removeprefix("docker.io/").removeprefix("library/")
    listing = [{"Config": f"{config.digest.hex}.json", "RepoTags": [tag], "Layers": names}]
    members = [Member(f"{config.digest.hex}.json", 0o644, config.size, source=store.path(config.digest))]
    for layer, name in dict(zip(layers, names, strict=True)).items():
        members.append(Member(name, 0o644, layer.size, source=store.path(layer.digest)))
    text = json.dumps(listing, separators=(",", ":"), sort_keys=True).encode()
    members.append(Member("manifest.json", 0o644, len(text), data=text))
    write(Layer(tuple(sorted(members, key=lambda member: member.path))), compressor, dest)
