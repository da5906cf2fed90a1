"""Pull images from the local Docker daemon: read the docker-archive of ImageSave and generate a manifest.

The manifest (https://distribution.github.io/distribution/spec/manifest-v2-2/) depends on config and layers only, which
the daemon exports byte for byte: so the image can be pinned by digest like one of a registry.
"""

from __future__ import annotations

import io
import json
import logging
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from clusterimage.catalog.component import ARCHES
from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import daemon_load, remote
from clusterimage.oci.image import canonical
from clusterimage.transport.network import Network
from clusterimage.transport.store import Store, single_flight
from clusterimage.values.digest import CHUNK
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.media_types import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST
from clusterimage.values.reference import Reference

log = logging.getLogger(__name__)
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LISTING = "manifest.json"


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Copy the daemon's image into `store` and return its pin, with the only platform that the daemon has."""
    from docker.errors import ImageNotFound

    with single_flight(store.root / str(reference)), daemon_load.connected() as client:
        try:
            image = client.images.get(daemon_load.familiar(reference))
        except ImageNotFound as error:
            hint = "docker pull, load or build it first, or correct imageList"
            raise ClusterImageError(f"{reference}: the Docker daemon has no such image", hint=hint) from error
        archive = _read(image.save(), network, store)
    return _locked(reference, archive, store)


def pull(network: Network, image: LockedImage, arch: str, store: Store, dest: Path) -> None:
    """Ensure that `store` has the blobs of `image`, from the daemon if missing; write their manifest file to `dest`.

    Raises ClusterImageError if the digest of the daemon's image has changed.
    """
    platform = image.platform(arch)
    if not all(store.has(blob.digest) for blob in (image.top, *platform.blobs)):
        found = pin(network, image.reference, store)
        if found.top.digest != image.top.digest:
            problem = f"{image.reference}: expected {image.top.digest}, the Docker daemon has {found.top.digest}"
            raise ClusterImageError(problem, hint="bring the old image back, or `doit lock` if the change is meant")
    remote.write_list(image, arch, dest)


@dataclass(slots=True)
class _Archive:
    """The content of a docker-archive: descriptors by member name, link targets, and the text of manifest.json."""

    blobs: dict[str, Descriptor] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    listing: bytes = b""

    def blob(self, name: str) -> Descriptor:
        """Return the blob of the member `name`, links followed."""
        return self.blobs[self.links.get(name, name)]


def _read(pieces: Iterable[bytes], network: Network, store: Store) -> _Archive:
    """Read a streamed docker-archive; configs and layers go into `store`."""
    archive = _Archive()
    with tarfile.open(fileobj=io.BufferedReader(_PieceReader(pieces), CHUNK), mode="r|") as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            if member.issym() or member.islnk():
                start = posixpath.dirname(name) if member.issym() else ""
                archive.links[name] = posixpath.normpath(posixpath.join(start, member.linkname))
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is None:
                continue
            if name == _LISTING:
                archive.listing = stream.read()
            elif name.endswith((".tar", ".json")) or name.startswith("blobs/"):
                archive.blobs[name] = _keep(stream, network, store)
    return archive


def _keep(stream: IO[bytes], network: Network, store: Store) -> Descriptor:
    first = stream.read(CHUNK)

    def pieces() -> Iterator[bytes]:
        piece = first
        while piece:
            network.moved(len(piece))
            yield piece
            piece = stream.read(CHUNK)

    digest, size = store.keep(pieces())
    if first.startswith(_ZSTD):
        return Descriptor(digest, size, "zstd")
    return Descriptor(digest, size, DOCKER_LAYER_GZIP if first.startswith(_GZIP) else DOCKER_LAYER)


def _locked(reference: Reference, archive: _Archive, store: Store) -> LockedImage:
    try:
        entry = json.loads(archive.listing)[0]
        config, layers = archive.blob(entry["Config"]), tuple(map(archive.blob, entry["Layers"]))
        values: dict[str, Any] = json.loads(store.path(config.digest).read_text("utf-8"))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ClusterImageError(f"{reference}: what the Docker daemon saved of it is no docker-archive") from error
    if values.get("os") != "linux" or values.get("architecture") not in ARCHES:
        raise ClusterImageError(f"{reference}: is for {values.get('os')}/{values.get('architecture')} only")
    if any(layer.media_type == "zstd" for layer in layers):
        raise ClusterImageError(f"{reference}: has layers in zstd", hint="push it to a registry and name it there")
    blobs = (Descriptor(config.digest, config.size, DOCKER_CONFIG), *layers)
    described = [{"mediaType": one.media_type, "size": one.size, "digest": str(one.digest)} for one in blobs]
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": described[0], "layers": described[1:]}
    data = canonical(document)
    top = Descriptor(store.put(data), len(data), DOCKER_MANIFEST)
    log.info("%s: %d layers from the Docker daemon", reference, len(layers))
    return LockedImage(reference, top, (LockedPlatform(values["architecture"], top, blobs),))


class _PieceReader(io.RawIOBase):
    """A non-seekable file object over an iterable of bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of the current piece into `buffer`; return the number of bytes, 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
