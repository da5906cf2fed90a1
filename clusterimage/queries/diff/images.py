"""What differs between two built images, platform by platform.

Only layers that one of the two has alone are read: in an image of ours every layer is a part that owns its paths, so
that a layer of both holds nothing that differs. Where layers may lie over each other (FROM, images of others) all are.
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
    """A path at which the two differ; None is nothing."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> str:
        """One of added, changed, removed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def part(self) -> str:
        """The part of the image that it belongs to, in b where it is there."""
        entry = self.after or self.before
        assert entry is not None  # a change has a side
        return entry.part


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of the image: how many paths differ in it, the bytes of those that b has, and of layers that a lacks."""

    part: str
    counts: dict[str, int]
    bytes: int
    shipped: int


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs on one platform; tags of the saved registry are repository:tag -> digest, of a and of b."""

    arch: str
    equal: bool
    changes: tuple[Change, ...]
    tags: tuple[dict[str, str], dict[str, str]]
    labels: dict[str, tuple[str, str]]
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Shipped:
    """Blobs (layers and configurations) and their bytes: those that b has and a has not, of all that b has."""

    blobs: int
    bytes: int
    of_blobs: int
    of_bytes: int


def compare(a: Built, b: Built, arches: Iterable[str], shelf: Shelf) -> tuple[Differing, ...]:
    """Return what differs on every platform of `arches` that either has; the layers are read through `shelf`."""
    chosen = [arch for arch in arches if arch in a.platforms or arch in b.platforms]
    return tuple(_differing(a, b, arch, shelf) for arch in chosen)


def ship(a: Built, b: Built, arches: Iterable[str]) -> Shipped:
    """Return what a registry that has `a` lacks of `b`, on the platforms of `arches`."""
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
    before, old_tags = _laid(a.blobs, old_layers, skipped, shelf)
    after, new_tags = _laid(b.blobs, new_layers, skipped, shelf)
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


def _laid(
    blobs: Path, layers: tuple[Layer, ...], skipped: set[Digest], shelf: Shelf
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the entries of `layers` but those `skipped`, the later over the earlier, and the tags they save."""
    entries: dict[str, Entry] = {}
    links: dict[str, str] = {}
    for layer in layers:
        if layer.blob.digest not in skipped:
            held = shelf.read(blobs, layer)
            base_image.lay_over(entries, held.entries)
            links |= held.links
    tags: dict[tuple[str, str], str] = {}
    base_image.note_registry({path: text for path, text in links.items() if path in entries}, tags, set())
    return entries, {f"{repository}:{tag}": digest for (repository, tag), digest in tags.items()}


def _content(entry: Entry | None) -> Entry | None:
    """Return the entry without the part that brought it: what moved to another layer is the same on a node."""
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
