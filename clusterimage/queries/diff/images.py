"""Compare two built images by platform.

Only layers that one of the two images lacks are read: in our images every layer is a part that owns its paths, so a
shared layer has no differences. If layers may override each other (FROM, images of other tools), all are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clusterimage.image import base_image
from clusterimage.queries.diff.contents import Layer, Shelf, apart
from clusterimage.queries.diff.operands import Built, Platform
from clusterimage.storage.manifest import Entry
from clusterimage.values.digest import Digest


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs; None where it does not exist."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> str:
        """One of added, changed, removed (from a to b)."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def part(self) -> str:
        """The part of the image that has it, in b if it exists there."""
        entry = self.after or self.before
        assert entry is not None  # a change has a side
        return entry.part


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of the image: differing paths by kind, their bytes in b, and the bytes of layers that a lacks."""

    part: str
    counts: dict[str, int]
    bytes: int
    shipped: int


@dataclass(frozen=True, slots=True)
class Differing:
    """The differences on one platform; `tags` are the saved registries' repository:tag -> digest of a and of b."""

    arch: str
    equal: bool
    changes: tuple[Change, ...]
    tags: tuple[dict[str, str], dict[str, str]]
    labels: dict[str, tuple[str, str]]
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Shipped:
    """Number and bytes of the blobs (layers and configs) that a lacks, and of all that b has (`of_…`)."""

    blobs: int
    bytes: int
    of_blobs: int
    of_bytes: int


def compare(a: Built, b: Built, arches: Iterable[str], shelf: Shelf) -> tuple[Differing, ...]:
    """Compare the platforms of `arches` that either image has; `shelf` caches the layers."""
    chosen = [arch for arch in arches if arch in a.platforms or arch in b.platforms]
    return tuple(_differing(a, b, arch, shelf) for arch in chosen)


def ship(a: Built, b: Built, arches: Iterable[str]) -> Shipped:
    """Return the blobs of `b` to transfer to a registry that has `a`, for the platforms of `arches`."""
    old, new = ({blob: size for arch in arches for blob, size in _blobs(one.platforms.get(arch))} for one in (a, b))
    lacked = {blob: size for blob, size in new.items() if blob not in old}
    return Shipped(len(lacked), sum(lacked.values()), len(new), sum(new.values()))


def _blobs(platform: Platform | None) -> Iterator[tuple[Digest, int]]:
    if platform is not None:
        yield platform.config, platform.config_size
        yield from ((layer.blob.digest, layer.blob.size) for layer in platform.layers)


def _differing(a: Built, b: Built, arch: str, shelf: Shelf) -> Differing:
    old, new = a.platforms.get(arch), b.platforms.get(arch)
    old_layers, new_layers = (one.layers if one else () for one in (old, new))
    shared = {layer.blob.digest for layer in old_layers} & {layer.blob.digest for layer in new_layers}
    skipped = shared if apart(old_layers) and apart(new_layers) else set()
    before, old_tags = _merged_layers(a.blobs, old_layers, skipped, shelf)
    after, new_tags = _merged_layers(b.blobs, new_layers, skipped, shelf)
    changes = tuple(
        Change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if _content(before.get(path)) != _content(after.get(path))
    )
    lacked = [layer for layer in new_layers if layer.blob.digest not in shared]
    return Differing(
        arch=arch,
        equal=old is not None and new is not None and old.manifest == new.manifest,
        changes=changes,
        tags=(old_tags, new_tags),
        labels=_labels(old, new),
        causes=_causes(changes, lacked),
    )


def _merged_layers(
    blobs: Path, layers: tuple[Layer, ...], skipped: set[Digest], shelf: Shelf
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Merge the entries of `layers` without `skipped`, later ones overriding; return them and the saved tags."""
    entries: dict[str, Entry] = {}
    links: dict[str, str] = {}
    for layer in layers:
        if layer.blob.digest not in skipped:
            held = shelf.read(blobs, layer)
            base_image.apply_layer(entries, held.entries)
            links |= held.links
    tags: dict[tuple[str, str], str] = {}
    base_image.registry_links({path: text for path, text in links.items() if path in entries}, tags, set())
    return entries, {f"{repository}:{tag}": digest for (repository, tag), digest in tags.items()}


def _content(entry: Entry | None) -> Entry | None:
    """Return the entry without its part: a file that moved to another layer is not a difference."""
    return replace(entry, part="") if entry else None


def _labels(old: Platform | None, new: Platform | None) -> dict[str, tuple[str, str]]:
    before, after = (one.labels if one else {} for one in (old, new))
    names = sorted(before.keys() | after.keys())
    return {n: (before.get(n, ""), after.get(n, "")) for n in names if before.get(n) != after.get(n)}


def _causes(changes: tuple[Change, ...], lacked: list[Layer]) -> tuple[Cause, ...]:
    names = sorted({change.part for change in changes} | {layer.part for layer in lacked})
    return tuple(
        Cause(
            part,
            {kind: sum(c.kind == kind and c.part == part for c in changes) for kind in ("added", "changed", "removed")},
            sum(change.after.size for change in changes if change.part == part and change.after),
            sum(layer.blob.size for layer in lacked if layer.part == part),
        )
        for part in names
    )
