"""Knows the images of the work and writes them as a registry directory that stock docker-registry serves.

16 images for amd64 and arm64; per architecture one layer that all share, four that four images each share, and one or
two of the image's own: 58 layers, 138 blobs with configs, manifests and indexes, 890 MB.

    docker/registry/v2/blobs/sha256/aa/<hex>/data
    docker/registry/v2/repositories/bench/<image>/{_layers,_manifests/{revisions,tags}}

https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md,
https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import contents

ARCHES = ("amd64", "arm64")
TAG = "v1.0.0"
STORAGE = Path("docker/registry/v2")
_OCI = "application/vnd.oci.image"
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob: its digest in hex, its size and its media type."""

    hex: str
    size: int
    media_type: str

    def json(self) -> dict[str, object]:
        """Return it as manifests spell it."""
        return {"mediaType": self.media_type, "digest": f"sha256:{self.hex}", "size": self.size}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it is served, and the digest of the tar in it."""

    descriptor: Descriptor
    diff_id: str


@dataclass(slots=True)
class Catalogue:
    """What the source has: by REPOSITORY:TAG the digest of its index, and the size of every blob and manifest."""

    tops: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of every blob and manifest, each once."""
        return sum(self.blobs.values())

    def save(self, path: Path) -> None:
        """Write it down."""
        path.write_text(json.dumps({"tops": self.tops, "blobs": self.blobs}, indent=1))

    @classmethod
    def load(cls, path: Path) -> Catalogue:
        """Read what `save` wrote."""
        values = json.loads(path.read_text())
        return cls(values["tops"], values["blobs"])


class Storage:
    """A registry directory that is being filled."""

    def __init__(self, root: Path) -> None:
        self.root = root / STORAGE
        self.catalogue = Catalogue()

    def blob(self, data: Iterator[bytes], media_type: str) -> Descriptor:
        """Store a blob under its digest."""
        partial = self.root / "partial"
        hasher, size = hashlib.sha256(), 0
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            for piece in data:
                hasher.update(piece)
                size += len(piece)
                stream.write(piece)
        hex_ = hasher.hexdigest()
        place = self.root / "blobs/sha256" / hex_[:2] / hex_ / "data"
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(place)
        self.catalogue.blobs[hex_] = size
        return Descriptor(hex_, size, media_type)

    def document(self, value: object, media_type: str) -> Descriptor:
        """Store a JSON document."""
        return self.blob(iter([json.dumps(value, sort_keys=True).encode()]), media_type)

    def link(self, repository: str, place: str, descriptor: Descriptor) -> None:
        """Write the link file `place` of a repository."""
        path = self.root / "repositories" / repository / place / "link"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"sha256:{descriptor.hex}")


def write(root: Path, count: int = 16, scale: float = 1.0) -> Catalogue:
    """Write `count` images below `root`; `scale` shrinks their layers for tests."""
    storage = Storage(root)
    shared = {
        (arch, group): layer(storage, f"shared {group} {arch}", size * scale)
        for arch in ARCHES
        for group, size in (("base", 28), ("0", 21), ("1", 17), ("2", 13), ("3", 9))
    }
    for number in range(count):
        name = f"bench/image-{number:02}"
        sizes = [(5 + number * 7 % 19 + 4 * own) * scale for own in range(1 + number % 2)]
        layers = {
            arch: [
                shared[arch, "base"],
                shared[arch, str(number % 4)],
                *(layer(storage, f"{name} {own} {arch}", size) for own, size in enumerate(sizes)),
            ]
            for arch in ARCHES
        }
        image(storage, name, TAG, layers)
    return storage.catalogue


def image(storage: Storage, repository: str, tag: str, layers: Mapping[str, Sequence[Layer]]) -> None:
    """Store an image with those layers by architecture, and its tag last."""
    manifests = {arch: _manifest(storage, repository, arch, layers[arch]) for arch in layers}
    children = [
        manifest.json() | {"platform": {"architecture": arch, "os": "linux"}} for arch, manifest in manifests.items()
    ]
    media_type = f"{_OCI}.index.v1+json"
    top = storage.document({"schemaVersion": 2, "mediaType": media_type, "manifests": children}, media_type)
    storage.link(repository, f"_manifests/revisions/sha256/{top.hex}", top)
    storage.link(repository, f"_manifests/tags/{tag}/index/sha256/{top.hex}", top)
    storage.link(repository, f"_manifests/tags/{tag}/current", top)
    storage.catalogue.tops[f"{repository}:{tag}"] = top.hex


def _manifest(storage: Storage, repository: str, arch: str, layers: Sequence[Layer]) -> Descriptor:
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
    values = {"architecture": arch, "os": "linux", "config": {"Entrypoint": [f"/{repository}"]}, "rootfs": rootfs}
    config = storage.document(values, f"{_OCI}.config.v1+json")
    media_type = f"{_OCI}.manifest.v1+json"
    listed = [layer.descriptor.json() for layer in layers]
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config.json(), "layers": listed}
    manifest = storage.document(document, media_type)
    for blob in (config, *(layer.descriptor for layer in layers)):
        storage.link(repository, f"_layers/sha256/{blob.hex}", blob)
    storage.link(repository, f"_manifests/revisions/sha256/{manifest.hex}", manifest)
    return manifest


def layer(storage: Storage, name: str, megabytes: float) -> Layer:
    """Store a layer with one file of noise: what real layers are to whoever copies them."""
    size = int(megabytes * _MEGABYTE)
    hasher = hashlib.sha256()

    def tar() -> Iterator[bytes]:
        info = tarfile.TarInfo(f"opt/{name.replace(' ', '-').replace('/', '-')}")
        info.size, info.mode = size, 0o755
        ends = bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
        for piece in (info.tobuf(tarfile.USTAR_FORMAT), *contents.noise(name, size), ends):
            hasher.update(piece)
            yield piece

    descriptor = storage.blob(contents.gzipped(tar()), f"{_OCI}.layer.v1.tar+gzip")
    return Layer(descriptor, f"sha256:{hasher.hexdigest()}")
