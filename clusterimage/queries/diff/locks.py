"""Compare two locks: files and images by content, and the bytes that only the second one references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clusterimage.locks.lock import Descriptor, LockedImage
from clusterimage.queries.diff.images import Shipped
from clusterimage.queries.diff.operands import Pinned
from clusterimage.queries.diff.pairs import matched
from clusterimage.values.digest import Digest


@dataclass(frozen=True, slots=True)
class Thing:
    """A component or an image in a lock: `key` is its hex digest, `blobs` maps digests to bytes."""

    key: str
    blobs: dict[Digest, int]


@dataclass(frozen=True, slots=True)
class Cause:
    """A component or image that differs: version and key (hex digest) of both sides, "" where it is missing.

    `blobs` and `bytes` count what only b has; a blob shared by two causes counts for the first.
    """

    kind: str
    name: str
    versions: tuple[str, str]
    keys: tuple[str, str]
    blobs: int
    bytes: int


def compare(a: Pinned, b: Pinned, arches: Iterable[str]) -> tuple[Cause, ...]:
    """Return the differences for the architectures `arches`, files first."""
    seen = set(_blobs(a, arches))
    causes = []
    for kind, left, right in (
        ("file", _files(a, arches), _files(b, arches)),
        ("image", _images(a, arches), _images(b, arches)),
    ):
        for name, old, new in matched(left, right):
            if old and new and old[1].key == new[1].key:
                continue
            lacked = {blob: size for blob, size in (new[1].blobs if new else {}).items() if blob not in seen}
            seen |= lacked.keys()
            sides = [(one[0], one[1].key) if one else ("", "") for one in (old, new)]
            versions, keys = (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1])
            causes.append(Cause(kind, name, versions, keys, len(lacked), sum(lacked.values())))
    return tuple(causes)


def ship(a: Pinned, b: Pinned, arches: Iterable[str]) -> Shipped:
    """Return the blobs that `b` references and `a` does not, for the architectures `arches`."""
    old, new = _blobs(a, arches), _blobs(b, arches)
    lacked = {blob: size for blob, size in new.items() if blob not in old}
    return Shipped(len(lacked), sum(lacked.values()), len(new), sum(new.values()))


def _blobs(one: Pinned, arches: Iterable[str]) -> dict[Digest, int]:
    things = (*_files(one, arches).values(), *_images(one, arches).values())
    return {blob: size for thing in things for blob, size in thing.blobs.items()}


def _files(one: Pinned, arches: Iterable[str]) -> dict[tuple[str, str], Thing]:
    chosen = (*arches, "any")
    return {
        (file.component if file.arch == "any" else f"{file.component} {file.arch}", file.version): Thing(
            file.digest.hex, {file.digest: file.size}
        )
        for file in one.files
        if file.arch in chosen
    }


def _images(one: Pinned, arches: Iterable[str]) -> dict[tuple[str, str], Thing]:
    return {
        (image.reference.name, image.reference.tag or str(image.reference.digest)): Thing(
            image.top.digest.hex, {blob.digest: blob.size for blob in _described(image, arches)}
        )
        for image in one.images
    }


def _described(image: LockedImage, arches: Iterable[str]) -> Iterator[Descriptor]:
    yield image.top
    for platform in image.platforms:
        if platform.arch in arches:
            yield platform.manifest
            yield from platform.blobs
