"""The base image of FROM: a local OCI layout or pulled blobs, and the configuration that is inherited.

<DIR>/index.json  blobs/sha256/<hex>     `oci:DIR[:TAG]`, or a name that was built here (dist/)
_build/layers-v1/<hex>.list.json         cached list of the files of a layer, by blob digest

https://github.com/opencontainers/image-spec (image-layout.md; layer.md for whiteouts, `.wh.`)
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from clusterimage.kubefile.content import Inherited
from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci.image import IMAGE_NAME, REF_NAME, BaseImage
from clusterimage.storage import compression, files
from clusterimage.storage.own_tree import FOLDER
from clusterimage.transport.store import Store
from clusterimage.values import digest as digests
from clusterimage.values.digest import Digest, Hasher
from clusterimage.values.errors import ClusterImageError, ConfigError
from clusterimage.values.media_types import INDEXES, MANIFESTS, OCI_MANIFEST
from clusterimage.values.reference import Reference

T = TypeVar("T")

EXTENSION = "sealer.image.extension"
CONTAINER_IMAGES = "sealer.image.container.images"
LAYOUT = "oci:"
_REPOSITORIES = "registry/docker/registry/v2/repositories/"
_LINK_SIZE = len("sha256:") + 64
_KUBERNETES = re.compile(r"v1\.\d+\.\d+")
_Listed = tuple[str, str, int]  # "f", "d" or "l"; the text of a registry's link file; the mode of a directory
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Base:
    """A base image: its name for messages, its platforms, and the directory of its blobs (named by hex digest)."""

    name: str = field(compare=False)
    platforms: tuple[LockedPlatform, ...]
    blobs: Path

    def platform(self, arch: str) -> LockedPlatform:
        """Return the platform `arch`; an image without it raises ConfigError."""
        for platform in self.platforms:
            if platform.arch == arch:
                return platform
        arches = ",".join(platform.arch for platform in self.platforms)
        raise ConfigError(f"FROM {self.name}: has no image for linux/{arch}", hint=f"build with platform={arches}")


@dataclass(slots=True)
class Contents:
    """The content of a base image for one platform.

    `tags` maps (repository, tag) of its saved registry to a digest; `revisions` are (repository, digest).
    """

    image: BaseImage
    inherited: Inherited
    images: tuple[str, ...]
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    revisions: set[tuple[str, str]] = field(default_factory=set)

    @property
    def kubernetes(self) -> str:
        """The Kubernetes version of a cluster image as its labels tell it, "" if they do not."""
        labels = self.inherited.labels
        of_sealos = labels.get("version", "") if labels.get("sealos.io.type") == "rootfs" else ""
        found = labels.get("cluster.alpha.sealer.io/cluster-runtime-version", "") or of_sealos
        return found if _KUBERNETES.fullmatch(found) else ""


def pulled(image: LockedImage, store: Store) -> Base:
    """Return a pulled base image, whose blobs are in `store`."""
    return Base(str(image.reference), image.platforms, store.root / "sha256")


def local(text: str, dist: Path) -> Base | None:
    """Resolve `text` (the argument of FROM) to a layout or an image in `dist`, else None.

    A name without a slash also matches the last path component of an image in `dist`; several matches raise
    ConfigError.
    """
    if text.startswith(LAYOUT):
        folder, _, tag = text.removeprefix(LAYOUT).partition(":")
        return _open(Path(folder), tag, text)
    reference = Reference.parse(text)
    full = f"{reference.name}:{reference.tag}"
    short = f"/{text if ':' in text else f'{text}:latest'}"
    exact: list[tuple[Path, str]] = []
    near: list[tuple[Path, str]] = []
    for index in sorted(dist.glob("*/index.json")):
        name, tag = _built_name(index)
        exact += [(index.parent, tag)] if name == full else []
        near += [(index.parent, tag)] if "/" not in text and name.endswith(short) else []
    found = exact or near
    if len(found) > 1:
        layouts = ", ".join(f"{LAYOUT}{folder.as_posix()}" for folder, _ in found)
        raise ConfigError(f"FROM {text}: was built {len(found)} times", hint=f"name one: {layouts}")
    return _open(*found[0], text) if found and reference.digest is None else None


def _built_name(index: Path) -> tuple[str, str]:
    """Return the full name of a built image, and its tag in the layout."""
    for entry in _parsed(index, index.read_bytes()).get("manifests", []):
        annotations = entry.get("annotations", {})
        return annotations.get(IMAGE_NAME, ""), annotations.get(REF_NAME, "")
    return "", ""


def _open(folder: Path, tag: str, name: str) -> Base:
    """Open the image `tag` of a layout; without a tag its only index, or its only manifest."""
    index = folder / "index.json"
    if not index.is_file():
        raise ConfigError(f"FROM {name}: {folder} is no OCI layout", hint=f"write {LAYOUT}DIR[:TAG], DIR/index.json")
    entries = _parsed(index, index.read_bytes()).get("manifests", [])
    tags = [entry.get("annotations", {}).get(REF_NAME, "") for entry in entries]
    indexes = [entry for entry in entries if entry.get("mediaType") in INDEXES]
    chosen = [entry for entry, one in zip(entries, tags, strict=True) if one == tag] if tag else indexes or entries
    if len(chosen) != 1:
        raise ConfigError(f"FROM {name}: {len(chosen)} images are meant", hint=f"its tags: {', '.join(tags)}")
    blobs = folder / "blobs" / "sha256"
    top = chosen[0]
    if top.get("mediaType") in INDEXES:
        listed = _document(blobs, top)["manifests"]
        platforms = [
            _platform(blobs, entry, (entry.get("platform") or {}).get("architecture", ""))
            for entry in listed
            if (entry.get("platform") or {"os": "linux"}).get("os") == "linux"
        ]
        return Base(name, tuple(platforms), blobs)
    return Base(name, (_platform(blobs, top, ""),), blobs)


def _platform(blobs: Path, entry: dict[str, Any], arch: str) -> LockedPlatform:
    document = _document(blobs, entry)
    described = tuple(_descriptor(blob) for blob in (document["config"], *document["layers"]))
    return LockedPlatform(arch or _document(blobs, document["config"])["architecture"], _descriptor(entry), described)


def _descriptor(entry: dict[str, Any]) -> Descriptor:
    return Descriptor(Digest.parse(entry["digest"]), int(entry["size"]), str(entry.get("mediaType", OCI_MANIFEST)))


def _document(blobs: Path, entry: dict[str, Any]) -> dict[str, Any]:
    digest = Digest.parse(entry["digest"])
    path = blobs / digest.hex
    data = path.read_bytes() if path.exists() else b""
    if digests.of_bytes(data) != digest:
        raise ClusterImageError(f"{path}: is missing or damaged", hint="build or pull the base image again")
    return _parsed(path, data)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ClusterImageError(f"{path}: not valid JSON: {error}", hint="build or pull that image again") from error
    return value if isinstance(value, dict) else {}


def read(base: Base, arch: str, cache: Path) -> Contents:
    """Return the content of `base` for `arch`; the file lists of its layers are cached in `cache`."""
    platform = base.platform(arch)
    manifest = _document(base.blobs, {"digest": str(platform.manifest.digest)})
    if manifest.get("mediaType", OCI_MANIFEST) not in MANIFESTS:
        raise ClusterImageError(f"FROM {base.name}: {manifest.get('mediaType')} is no image", hint="name another")
    config = _document(base.blobs, manifest["config"])
    annotations = manifest.get("annotations") or {}
    entries: dict[str, _Listed] = {}
    for layer in platform.blobs[1:]:
        apply_layer(entries, dict(_listed(base, layer.digest, cache)))
    run = config.get("config") or {}
    inherited = Inherited(
        labels=run.get("Labels") or {},
        env=tuple(run.get("Env") or ()),
        author=config.get("author", ""),
        extension=_parsed(base.blobs / platform.manifest.digest.hex, annotations.get(EXTENSION, "{}").encode()),
        directories=frozenset(_directories(entries)),
        modes={path: mode for path, (kind, _, mode) in entries.items() if kind == "d" and mode != FOLDER},
        files=frozenset(path for path, (kind, _, _) in entries.items() if kind != "d"),
    )
    images = tuple(one["image"] for one in json.loads(annotations.get(CONTAINER_IMAGES, "[]")))
    contents = Contents(BaseImage(config, manifest, base.blobs), inherited, images)
    registry_links({path: link for path, (_, link, _) in entries.items() if link}, contents.tags, contents.revisions)
    return contents


def _directories(entries: dict[str, _Listed]) -> set[str]:
    found = {path for path, (kind, _, _) in entries.items() if kind == "d"}
    for path in entries:
        parts = path.split("/")
        found.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return found


def is_link(place: str) -> bool:
    """Return whether a path in an image is a link file of its saved registry."""
    return place.startswith(_REPOSITORIES) and place.endswith("/link")


def registry_links(links: dict[str, str], tags: dict[tuple[str, str], str], revisions: set[tuple[str, str]]) -> None:
    """Add the tags and revisions of a saved registry; `links` maps the paths of its link files to their text."""
    for path, link in links.items():
        repository, found, rest = path.removeprefix(_REPOSITORIES).partition("/_manifests/")
        if not (found and path.startswith(_REPOSITORIES)):
            continue
        kind, name, *_ = rest.split("/")
        if kind == "tags" and rest.endswith("/current/link"):
            tags[repository, name] = link
        if kind == "revisions":
            revisions.add((repository, link))


def apply_layer(entries: dict[str, T], layer: Mapping[str, T]) -> None:
    """Apply a layer to `entries`; whiteouts remove entries of lower layers, never of the same layer."""
    for path in layer:
        name = PurePosixPath(path).name
        folder = path[: -len(name)]
        if name.startswith(_WHITEOUT):
            removed = folder if name == _OPAQUE else folder + name.removeprefix(_WHITEOUT)
            for below in [one for one in entries if one == removed or one.startswith(f"{removed.rstrip('/')}/")]:
                del entries[below]
    for path, entry in layer.items():
        if not PurePosixPath(path).name.startswith(_WHITEOUT):
            entries[path] = entry


def _listed(base: Base, digest: Digest, cache: Path) -> list[tuple[str, _Listed]]:
    """Return the members of a layer, by path."""
    record = cache / f"{digest.hex}.list.json"
    try:
        return [(path, (kind, link, mode)) for path, kind, link, mode in json.loads(record.read_bytes())]
    except (OSError, ValueError):  # also a record from before there were modes in it
        listing = _read_layer(base, digest)
        rows = [(path, *rest) for path, rest in listing]
        files.write(record, json.dumps(rows, separators=(",", ":")).encode())
        return listing


class _Hashing:
    """A file object that hashes the bytes that are read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.hasher = Hasher()

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.hasher.update(data)
        return data


def _read_layer(base: Base, digest: Digest) -> list[tuple[str, _Listed]]:
    path = base.blobs / digest.hex
    found: list[tuple[str, _Listed]] = []
    try:
        with path.open("rb") as stream:
            hashing = _Hashing(stream)
            plain = compression.opened(hashing)  # type: ignore[arg-type]
            with tarfile.open(fileobj=plain, mode="r|") as tar:
                found.extend(_member(tar, member) for member in tar)
            while plain.read(1 << 20):
                pass
    except compression.damaged() as error:
        hint = "only layers that are plain tar, gzip or zstd can be built on"
        raise ClusterImageError(f"FROM {base.name}: layer {digest} cannot be read: {error}", hint=hint) from error
    except FileNotFoundError as error:
        raise ClusterImageError(f"{path}: is missing", hint="build or pull the base image again") from error
    if hashing.hasher.digest != digest:
        raise ClusterImageError(f"{path}: is {hashing.hasher.digest}", hint="build or pull the base image again")
    return [one for one in found if one[0]]


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, _Listed]:
    path = PurePosixPath(member.name).as_posix().strip("/")
    path = "" if path == "." else path
    kind = "d" if member.isdir() else "f" if member.isreg() else "l"
    link = ""
    if kind == "f" and member.size == _LINK_SIZE and is_link(path):
        stream = tar.extractfile(member)
        link = stream.read().decode(errors="replace") if stream else ""
    return path, (kind, link, member.mode if kind == "d" else 0)
