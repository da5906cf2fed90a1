"""Import images from archives in the build context of a Kubefile.

docker-archive   manifest.json [{"Config", "RepoTags", "Layers"}]   (docker save, skopeo copy docker-archive:)
OCI archive      oci-layout index.json blobs/sha256/<hex>           (docker save since 25, skopeo copy oci-archive:)

Either may be compressed with gzip, bzip2, xz or zstd. Images in a docker-archive have no manifest: one is generated,
and the layers stay uncompressed tars with the config's diff_ids as digests. https://github.com/moby/docker-image-spec,
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import json
import lzma
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci.image import IMAGE_NAME, REF_NAME, canonical
from clusterimage.storage import compression, manifest
from clusterimage.storage.manifest import Entry
from clusterimage.transport.store import Store
from clusterimage.values.digest import CHUNK, Digest
from clusterimage.values.errors import ClusterImageError, ConfigError
from clusterimage.values.media_types import INDEXES, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST
from clusterimage.values.reference import Reference

_NO_NAME_HINT = "write it with its full name: skopeo copy … docker-archive:FILE:NAME:TAG"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
Archive = tuple[Path, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of one archive; `top` is the descriptor of its index, or of its only manifest."""

    reference: Reference
    archive: Path
    top: Descriptor
    platforms: tuple[LockedPlatform, ...]


def read(archives: Iterable[Archive], arches: Iterable[str], store: Store) -> tuple[LockedImage, ...]:
    """Import the images of all `archives` into `store` and return them, sorted by name.

    Each comes with the names that its image is to have; without any it has its own. Archives with the same name for
    several architectures become one index. Raises ClusterImageError naming both for different content of one name and
    architecture, and ConfigError for an image that lacks one of `arches`.
    """
    found: dict[Reference, list[_Image]] = {}
    for archive, names in archives:
        for image in _read(archive, names, store):
            found.setdefault(image.reference, []).append(image)
    return tuple(_merged(found[reference], tuple(arches), store) for reference in sorted(found))


def bring(
    archives: tuple[Archive, ...], expected: tuple[LockedImage, ...], arches: tuple[str, ...], store: Store, dest: Path
) -> None:
    """Import the images into `store` again and write their manifest file to `dest`, as pull-images does."""
    if read(archives, arches, store) != expected:
        raise ClusterImageError(
            f"{archives[0][0].parent}: changed while it was read", hint="run the same command again"
        )
    blobs = {
        blob.digest: blob
        for image in expected
        for platform in image.platforms
        for blob in (image.top, platform.manifest, *platform.blobs)
    }
    manifest.write(dest, (Entry(f"sha256/{one.hex}", 0o444, blob.size, one.hex) for one, blob in blobs.items()))


def _merged(images: list[_Image], arches: tuple[str, ...], store: Store) -> LockedImage:
    first = images[0]
    platforms: dict[str, tuple[LockedPlatform, _Image]] = {}
    for image in images:
        for platform in image.platforms:
            other, owner = platforms.setdefault(platform.arch, (platform, image))
            if other.manifest != platform.manifest:
                problem = f"{owner.archive} and {image.archive} both hold {image.reference}, with different content"
                raise ClusterImageError(problem, hint="drop one of them, or give it another tag")
    locked = LockedImage(first.reference, first.top, tuple(platforms[arch][0] for arch in sorted(platforms)))
    for arch in arches:
        if arch not in platforms:
            known = ",".join(platforms)
            hint = f"add an archive of it for {arch}, or build with platform={known}"
            raise ConfigError(f"{first.archive}: {first.reference} is for linux/{known} only", hint=hint)
    if len({image.top for image in images}) == 1:
        return locked
    return LockedImage(first.reference, _index(locked.platforms, store), locked.platforms)


def _index(platforms: tuple[LockedPlatform, ...], store: Store) -> Descriptor:
    listed = [{**_json(one.manifest), "platform": {"os": "linux", "architecture": one.arch}} for one in platforms]
    return _put(canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}), OCI_INDEX, store)


def _json(one: Descriptor) -> dict[str, Any]:
    return {"mediaType": one.media_type, "digest": str(one.digest), "size": one.size}


def _put(data: bytes, media_type: str, store: Store) -> Descriptor:
    return Descriptor(store.put(data), len(data), media_type)


def _read(archive: Path, names: tuple[str, ...], store: Store) -> list[_Image]:
    try:
        with _plain(archive, store.root) as plain, _Archive(archive, plain, store) as opened:
            return opened.images(names)
    except _damaged() as error:
        problem = f"{archive}: is no archive of images: {' '.join(str(error).split()) or type(error).__name__}"
        raise ClusterImageError(problem, hint="make it with `docker save` or `skopeo copy`") from error


def _damaged() -> tuple[type[Exception], ...]:
    return (*compression.damaged(), lzma.LZMAError, ValueError, KeyError, TypeError)


@contextmanager
def _plain(archive: Path, work: Path) -> Iterator[Path]:
    """Yield a file that tarfile opens at any place: the archive itself, or, of zstd, a copy in `work` for that time."""
    with archive.open("rb") as stream:
        packed = stream.read(len(_ZSTD)) == _ZSTD
    if not packed:
        yield archive
        return
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=work, prefix=".", suffix=".tmp") as copy:
        with archive.open("rb") as stream:
            shutil.copyfileobj(compression.opened(stream), copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)


class _Archive:
    """An open archive; members are stored when they are accessed."""

    def __init__(self, path: Path, plain: Path, store: Store) -> None:
        self.path = path
        self.store = store
        self.tar = tarfile.open(plain)  # noqa: SIM115 -- __exit__ closes it
        self.members = {PurePosixPath(member.name).as_posix(): member for member in self.tar.getmembers()}

    def __enter__(self) -> _Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.tar.close()

    def images(self, names: tuple[str, ...]) -> list[_Image]:
        """Return the images: its only one with `names`, else those that have a name; none raises ClusterImageError."""
        if "index.json" in self.members and "oci-layout" in self.members:
            found = self._oci(names)
        elif "manifest.json" in self.members:
            found = self._docker(names)
        else:
            raise KeyError("neither manifest.json nor index.json is in it")
        if not found:
            raise ClusterImageError(f"{self.path}: its images have no name", hint=_NO_NAME_HINT)
        return found

    def _text(self, name: str) -> bytes:
        stream = self.tar.extractfile(self.members[name])
        if stream is None:
            raise KeyError(f"{name} is no file")
        return stream.read()

    def _blob(self, name: str, expected: Digest | None = None) -> tuple[Digest, int, bytes]:
        """Store a member; return its digest, its size and its first two bytes (the magic of gzip)."""
        stream = self.tar.extractfile(self.members[name])  # follows the links of older docker archives
        if stream is None:
            raise KeyError(f"{name} is no file")
        head = stream.read(2)
        stream.seek(0)
        digest, size = self.store.keep(iter(partial(stream.read, CHUNK), b""))
        if expected is not None and digest != expected:
            raise ClusterImageError(f"{self.path}: {name} is {digest}", hint="the archive is damaged: make it again")
        return digest, size, head

    def _only(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(entries) != 1:
            hint = "make one archive for each image"
            raise ClusterImageError(f"{self.path}: has {len(entries)} images, and one name is given", hint=hint)
        return entries

    def _docker(self, names: tuple[str, ...]) -> list[_Image]:
        found = []
        entries = json.loads(self._text("manifest.json"))
        for entry in self._only(entries) if names else entries:
            platform = self._docker_image(entry)
            for name in names or entry.get("RepoTags") or ():
                found.append(_Image(Reference.parse(name), self.path, platform.manifest, (platform,)))
        return found

    def _docker_image(self, entry: dict[str, Any]) -> LockedPlatform:
        config = json.loads(self._text(entry["Config"]))
        digest, size, _ = self._blob(entry["Config"])
        blobs = [Descriptor(digest, size, OCI_CONFIG)]
        diff_ids = config["rootfs"]["diff_ids"]
        for name, diff_id in zip(entry["Layers"], diff_ids, strict=True):
            packed = self._head(name) == _GZIP
            digest, size, _ = self._blob(name, None if packed else Digest.parse(diff_id))
            blobs.append(Descriptor(digest, size, OCI_LAYER_GZIP if packed else OCI_LAYER))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _json(blobs[0]),
            "layers": [_json(blob) for blob in blobs[1:]],
        }
        made = _put(canonical(document), OCI_MANIFEST, self.store)
        return LockedPlatform(str(config["architecture"]), made, tuple(blobs))

    def _head(self, name: str) -> bytes:
        stream = self.tar.extractfile(self.members[name])
        return stream.read(2) if stream else b""

    def _oci(self, names: tuple[str, ...]) -> list[_Image]:
        entries = json.loads(self._text("index.json"))["manifests"]
        if names:
            return [self._oci_image(Reference.parse(name), self._only(entries)[0]) for name in names]
        full = [(_full_name(entry.get("annotations") or {}), entry) for entry in entries]
        return [self._oci_image(name, entry) for name, entry in full if name is not None]

    def _oci_image(self, name: Reference, entry: dict[str, Any]) -> _Image:
        top, body = self._document(entry)
        if top.media_type not in INDEXES:
            return _Image(name, self.path, top, (self._platform(top, body, ""),))
        platforms = []
        for child in body["manifests"]:
            platform = child.get("platform") or {"os": "linux", "architecture": ""}  # its config says which
            present = f"blobs/sha256/{Digest.parse(child['digest']).hex}" in self.members
            if present and platform.get("os") == "linux" and platform.get("variant", "v8") == "v8":
                platforms.append(self._platform(*self._document(child), str(platform["architecture"])))
        return _Image(name, self.path, top, tuple(platforms))

    def _platform(self, top: Descriptor, body: dict[str, Any], arch: str) -> LockedPlatform:
        blobs = []
        for one in (body["config"], *body["layers"]):
            digest = Digest.parse(one["digest"])
            _, size, _ = self._blob(f"blobs/sha256/{digest.hex}", digest)
            blobs.append(Descriptor(digest, size, str(one["mediaType"])))
        arch = arch or str(json.loads(self.store.path(blobs[0].digest).read_bytes())["architecture"])
        return LockedPlatform(arch, top, tuple(blobs))

    def _document(self, entry: dict[str, Any]) -> tuple[Descriptor, dict[str, Any]]:
        digest = Digest.parse(entry["digest"])
        name = f"blobs/sha256/{digest.hex}"
        _, size, _ = self._blob(name, digest)
        body: dict[str, Any] = json.loads(self._text(name))
        return Descriptor(digest, size, str(body.get("mediaType") or entry["mediaType"])), body


def _full_name(annotations: dict[str, str]) -> Reference | None:
    """Return the full image name in the annotations of an index.json entry; a bare tag gives None."""
    name = annotations.get(IMAGE_NAME) or annotations.get(REF_NAME, "")
    return Reference.parse(name) if "/" in name or ":" in name else None
