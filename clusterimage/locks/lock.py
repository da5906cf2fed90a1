"""locks/<version>.toml: every byte that a build may use, pinned. Sorted and stable, so that a change can be reviewed.

format = 1
kubernetes = "v1.22.15"
compressor = "isal isa-l-1 …"        what layers may be compressed by: another version, or CPU, may make other bytes

[constants]                          of a release that no table has: where kubeadm's tags are from
[[file]]                             by component, version, architecture
component = "crictl"                 witness: who vouched for the sha256 besides the download itself
[[image]]                            by reference; digest is that of the index (or of the only manifest)
[[image.platform]]                   one per architecture: its manifest, and config and layers as
                                     "<sha256> <size> <media type>"
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from clusterimage.catalog.kubeadm_tags import KubeadmTags
from clusterimage.catalog.requirement import FileRequest, ImageRequest, Requirement
from clusterimage.storage import files
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table
from clusterimage.values.version import Version

FORMAT = 1  # 0, without the key, is the same but for the key
FIRST_USE = "first download"
DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob: its digest, size in bytes and media type."""

    digest: Digest
    size: int
    media_type: str

    @classmethod
    def parse(cls, text: str) -> Descriptor:
        """Read `<hex> <size> <media type>`."""
        hex_digits, size, media_type = text.split(" ")
        return cls(Digest.parse(hex_digits), int(size), media_type)

    def __str__(self) -> str:
        return f"{self.digest.hex} {self.size} {self.media_type}"


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A pinned file; `others` are URLs that it is published at too, which are no part of the pin."""

    component: str
    version: str
    arch: str
    url: str
    digest: Digest
    size: int
    witness: str
    others: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """What a requirement finds it by."""
        return self.component, self.version, self.arch


@dataclass(frozen=True, slots=True)
class LockedPlatform:
    """One architecture of a pinned image: its manifest, and the blobs that it names, the config first."""

    arch: str
    manifest: Descriptor
    blobs: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class LockedImage:
    """A pinned image: its index (or, of an image for one platform only, its manifest) and the platforms it has.

    `witness` says who vouched for the digest besides the registry, "" for nobody; it is no part of the pin.
    """

    reference: Reference
    top: Descriptor
    platforms: tuple[LockedPlatform, ...]
    witness: str = field(default="", compare=False)

    def platform(self, arch: str) -> LockedPlatform:
        """Return the architecture `arch`; raises ConfigError naming the image when it has none."""
        for platform in self.platforms:
            if platform.arch == arch:
                return platform
        raise ConfigError(
            f"{self.reference}: has no image for linux/{arch}", hint=f"drop it, or build with platform={self._arches()}"
        )

    def _arches(self) -> str:
        return ",".join(platform.arch for platform in self.platforms)


@dataclass(frozen=True, slots=True)
class LockedConstants:
    """The source file that the tags of kubeadm's images were read from, of a release that the table does not have."""

    url: str
    digest: Digest
    tags: KubeadmTags


@dataclass(frozen=True, slots=True)
class Lock:
    """All pins of one Kubernetes version."""

    kubernetes: Version
    compressor: str
    files: tuple[LockedFile, ...]
    images: tuple[LockedImage, ...]
    constants: LockedConstants | None = None

    def file(self, request: FileRequest) -> LockedFile | None:
        """Return the pin of `request`, or None; a pin from another URL does not count."""
        return next((file for file in self.files if file.key == request.key and file.url == request.url), None)

    def image(self, reference: Reference) -> LockedImage | None:
        """Return the pin of `reference`, or None."""
        return next((image for image in self.images if image.reference == reference), None)

    def lacks(self, requirement: Requirement) -> tuple[tuple[FileRequest, ...], tuple[ImageRequest, ...]]:
        """Return what `requirement` asks for that is not pinned."""
        files = {file.key: file.url for file in self.files}
        images = {image.reference for image in self.images}
        return (
            tuple(request for request in requirement.files if files.get(request.key) != request.url),
            tuple(request for request in requirement.images if request.reference not in images),
        )

    def only(self, requirement: Requirement) -> Lock:
        """Return the lock without the pins that `requirement` does not ask for."""
        keys = {request.key for request in requirement.files}
        references = {request.reference for request in requirement.images}
        return replace(
            self,
            files=tuple(file for file in self.files if file.key in keys),
            images=tuple(image for image in self.images if image.reference in references),
        )

    def without(self, requirement: Requirement) -> Lock:
        """Return the lock without the pins that `requirement` asks for."""
        keys = {request.key for request in requirement.files}
        references = {request.reference for request in requirement.images}
        return replace(
            self,
            files=tuple(file for file in self.files if file.key not in keys),
            images=tuple(image for image in self.images if image.reference not in references),
        )


def empty(kubernetes: Version, compressor: str) -> Lock:
    """Return a lock that pins nothing yet."""
    return Lock(kubernetes, compressor, (), ())


def load(path: Path) -> Lock | None:
    """Read a lock, or None where there is none; raises ConfigError with the key path for a damaged one."""
    if not path.exists():
        return None
    top = Table.load(path)
    top.format(FORMAT)
    top.only("format", "kubernetes", "compressor", "constants", "file", "image")
    return Lock(
        kubernetes=top.parse("kubernetes", Version.parse),
        compressor=top.text("compressor"),
        files=tuple(_file(row) for row in top.tables("file")),
        images=tuple(read_image(row) for row in top.tables("image")),
        constants=_constants(top.table("constants")) if "constants" in top.values else None,
    )


def _constants(row: Table) -> LockedConstants:
    tags = KubeadmTags(coredns=row.text("coredns"), etcd=row.text("etcd"), pause=row.text("pause"))
    return LockedConstants(row.text("url"), row.parse("sha256", Digest.parse), tags)


def _file(row: Table) -> LockedFile:
    return LockedFile(
        component=row.text("component"),
        version=row.text("version"),
        arch=row.text("arch"),
        url=row.text("url"),
        digest=row.parse("sha256", Digest.parse),
        size=row.get("size", int),
        witness=row.text("witness"),
        others=row.texts("others", ()),
    )


def read_image(row: Table) -> LockedImage:
    """Read an [[image]] table."""
    platforms = tuple(
        LockedPlatform(
            arch=platform.text("arch"),
            manifest=_descriptor(platform, "manifest", platform.text("manifest")),
            blobs=tuple(_descriptor(platform, "blobs", text) for text in platform.texts("blobs")),
        )
        for platform in row.tables("platform")
    )
    top = _descriptor(row, "digest", row.text("digest"))
    return LockedImage(row.parse("reference", Reference.parse_source), top, platforms, row.text("witness", ""))


def _descriptor(row: Table, key: str, text: str) -> Descriptor:
    try:
        return Descriptor.parse(text)
    except (ValueError, ConfigError) as error:
        raise row.error(
            key,
            f"'{text}' is not '<sha256> <size> <media type>'",
            "restore it from git, or delete the file and lock again",
        ) from error


def save(path: Path, lock: Lock) -> None:
    """Write `lock`, sorted; the same pins give the same bytes."""
    lines = [
        "# Pins of one Kubernetes version, written by `doit lock`. Review a change as you would review code.",
        f"format = {FORMAT}",
        f"kubernetes = {quote(str(lock.kubernetes))}",
        f"compressor = {quote(lock.compressor)}",
    ]
    lines[1:1] = _remarks(lock)
    if lock.constants:
        lines += _constants_lines(lock.constants)
    for file in sorted(lock.files, key=lambda file: file.key):
        lines += _file_lines(file)
    for image in sorted(lock.images, key=lambda image: str(image.reference)):
        lines += image_lines(image)
    files.write(path, ("\n".join(lines) + "\n").encode())


def _remarks(lock: Lock) -> list[str]:
    """Return the comments for whoever reviews the lock: what nobody vouched for, and what somebody disputes."""
    unwitnessed = sum(file.witness == FIRST_USE for file in lock.files)
    disputed = [str(image.reference) for image in lock.images if image.witness.startswith(DISPUTED)]
    remarks = []
    if unwitnessed:
        remarks += [f"# Trusted on first use, without a published checksum: {unwitnessed} of {len(lock.files)} files."]
    if disputed:
        remarks += [f"# Another digest than a weak witness has (see witness): {', '.join(sorted(disputed))}."]
    return remarks


def _constants_lines(constants: LockedConstants) -> list[str]:
    tags = constants.tags
    values = {"url": constants.url, "sha256": constants.digest.hex}
    values |= {"coredns": tags.coredns, "etcd": tags.etcd, "pause": tags.pause}
    return ["", "[constants]", *(f"{key} = {quote(value)}" for key, value in values.items())]


def _file_lines(file: LockedFile) -> list[str]:
    return [
        "",
        "[[file]]",
        f"component = {quote(file.component)}",
        f"version = {quote(file.version)}",
        f"arch = {quote(file.arch)}",
        f"url = {quote(file.url)}",
        f"sha256 = {quote(file.digest.hex)}",
        f"size = {file.size}",
        f"witness = {quote(file.witness)}",
        *([f"others = [{', '.join(map(quote, file.others))}]"] if file.others else []),
    ]


def image_lines(image: LockedImage, section: str = "image") -> list[str]:
    """Return the lines of an image's table, of its platforms and a blank one before each."""
    lines = ["", f"[[{section}]]", f"reference = {quote(str(image.reference))}", f"digest = {quote(str(image.top))}"]
    if image.witness:
        lines += [f"witness = {quote(image.witness)}"]
    for platform in sorted(image.platforms, key=lambda platform: platform.arch):
        lines += ["", f"[[{section}.platform]]", f"arch = {quote(platform.arch)}"]
        lines += [f"manifest = {quote(str(platform.manifest))}", "blobs = ["]
        lines += [f"  {quote(str(blob))}," for blob in platform.blobs]
        lines += ["]"]
    return lines


def quote(text: str) -> str:
    """Return `text` as a TOML string."""
    return json.dumps(text, ensure_ascii=False)
