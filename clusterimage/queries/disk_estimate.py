"""What a build needs of the disk: an estimate from what is pinned and what is there, rather too high.

An archive counts threefold once it is unpacked, what goes into layers as if nothing compressed it. A cluster image that
is there and holds what is pinned needs nothing more.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from clusterimage.plan.plan import Plan
from clusterimage.plan.work_items import Pack, Save
from clusterimage.storage import manifest
from clusterimage.storage.tree import Branch, Piece

_UNPACKED = 3  # how much larger an archive of programs is once it is unpacked, roughly
_AROUND = 40 << 10  # bytes of the directories and link files that a saved registry has for a blob


@dataclass(frozen=True, slots=True)
class DiskEstimate:
    """Bytes that a build adds: fetched, unpacked, copied from the user, packed into layers, around saved blobs."""

    fetched: int
    unpacked: int
    copied: int
    layers: int
    registries: int
    free: int

    @property
    def needed(self) -> int:
        """All of them."""
        return self.fetched + self.unpacked + self.copied + self.layers + self.registries


@dataclass(frozen=True, slots=True)
class Need:
    """What an image lacks: files to lay into its context, trees to lay over it, registries to save; None is nothing.

    An image that holds what is pinned now, and the user's files by their names and sizes, lacks nothing.
    """

    pieces: tuple[Piece, ...]
    branches: tuple[Branch, ...]
    saves: tuple[Save, ...]

    @property
    def nothing(self) -> bool:
        """Whether the image is there as it has to be."""
        return not (self.pieces or self.branches or self.saves)


def need(plan: Plan, pack: Pack) -> Need:
    """Return what the image of `pack` lacks; an edit that leaves a file its size, or of a template, is not seen."""
    listings = [path for path in pack.inputs if path.suffix == manifest.SUFFIX and path.is_file()]
    is_there = (pack.dest / "index.json").is_file()
    entries = [entry for path in listings for entry in manifest.read(path)] if is_there else []
    held, sizes = {entry.sha256 for entry in entries}, {entry.path: entry.size for entry in entries}
    merges = [merge for merge in plan.merges if merge.tree == pack.package.context]
    trees = {tree for _, registries in pack.package.registries for tree in registries}

    def lacks(piece: Piece) -> bool:
        return sizes.get(piece.place) != _bytes(piece.source) if piece.users else piece.sha256 not in held

    return Need(
        tuple(one for merge in merges for one in merge.pieces if (one.users or one.sha256) and lacks(one)),
        tuple(one for merge in merges for one in merge.branches if not (is_there and one.listing.is_file())),
        tuple(save for save in plan.saves if save.tree in trees and not _blobs(save).keys() <= held),
    )


def _blobs(save: Save) -> dict[str, int]:
    """Return the blobs of a saved registry with their sizes, by hex digest; an index is not always among them."""
    platforms = [one.image.platform(save.arch) for one in save.saved]
    return {blob.digest.hex: blob.size for one in platforms for blob in (one.manifest, *one.blobs)}


def estimate(plan: Plan, needs: list[Need], fetched: int) -> DiskEstimate:
    """Return what a build adds to the disk for `needs`, beside the `fetched` bytes, and what is free there."""
    archives = {one.path: one.pin.size for one in plan.downloads}
    trees = {one.tree: _UNPACKED * archives.get(one.archive, 0) for one in plan.extractions}
    trees |= {whole.tree: _UNPACKED * (whole.archive.stat().st_size) for whole in plan.unpackings}
    pieces = [one for need in needs for one in need.pieces]
    sizes = {one.source: _bytes(one.source) if one.users else archives.get(one.source, 0) for one in pieces}
    over = {one.root: _listed(one) or trees.get(one.root, 0) for need in needs for one in need.branches}
    sets = {(save.saved, save.arch): _blobs(save) for need in needs for save in need.saves}
    fresh = {one.tree: one for need in needs for one in need.saves if not one.tree.exists()}.values()
    return DiskEstimate(
        fetched=fetched,
        unpacked=sum(size for tree, size in trees.items() if not tree.exists()),
        copied=sum(sizes[one.source] for one in pieces if one.users),
        layers=sum(sizes.values()) + sum(over.values()) + sum(sum(blobs.values()) for blobs in sets.values()),
        registries=sum(_AROUND * len(_blobs(one)) for one in fresh),
        free=shutil.disk_usage(_standing(plan.layout.build)).free,
    )


def _bytes(path: Path) -> int:
    """Return the size of a file as a manifest has it: a link has none."""
    return 0 if path.is_symlink() else path.stat().st_size


def _listed(branch: Branch) -> int:
    """Return the bytes of a tree that is there."""
    return sum(entry.size for entry in manifest.read(branch.listing)) if branch.listing.is_file() else 0


def _standing(path: Path) -> Path:
    """Return the nearest directory above `path` that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.is_dir())
