"""Estimate the disk usage of a build from the pins and the existing files; it tends to be too high.

An unpacked archive counts three times its size, layers count uncompressed. An existing cluster image with the pinned
content needs nothing more.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from clusterimage.plan.plan import Plan
from clusterimage.plan.work_items import Pack, Save
from clusterimage.storage import manifest
from clusterimage.storage.tree import Branch, Piece

_UNPACKED = 3  # rough ratio of the unpacked to the packed size of an archive of programs
_OVERHEAD = 40 << 10  # bytes per blob for the directories and link files of a saved registry


@dataclass(frozen=True, slots=True)
class DiskEstimate:
    """Bytes that a build adds: downloads, unpacked archives, user files, layers, registry overhead; and `free`."""

    fetched: int
    unpacked: int
    copied: int
    layers: int
    registries: int
    free: int

    @property
    def needed(self) -> int:
        """The sum in bytes, without `free`."""
        return self.fetched + self.unpacked + self.copied + self.layers + self.registries


@dataclass(frozen=True, slots=True)
class MissingInputs:
    """What an image lacks: files and trees to copy into its build context, registries to save.

    An image with the pinned content, and the user's files by name and size, lacks nothing.
    """

    pieces: tuple[Piece, ...]
    branches: tuple[Branch, ...]
    saves: tuple[Save, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the image is up to date."""
        return not (self.pieces or self.branches or self.saves)


def missing_inputs(plan: Plan, pack: Pack) -> MissingInputs:
    """Return what the image of `pack` lacks; edits of templates, or that keep the file size, are not detected."""
    listings = [path for path in pack.inputs if path.suffix == manifest.SUFFIX and path.is_file()]
    is_there = (pack.dest / "index.json").is_file()
    entries = [entry for path in listings for entry in manifest.read(path)] if is_there else []
    held, sizes = {entry.sha256 for entry in entries}, {entry.path: entry.size for entry in entries}
    merges = [merge for merge in plan.merges if merge.tree == pack.package.context]
    trees = {tree for _, registries in pack.package.registries for tree in registries}

    def lacks(piece: Piece) -> bool:
        return sizes.get(piece.place) != _bytes(piece.source) if piece.users else piece.sha256 not in held

    return MissingInputs(
        tuple(one for merge in merges for one in merge.pieces if (one.users or one.sha256) and lacks(one)),
        tuple(one for merge in merges for one in merge.branches if not (is_there and one.listing.is_file())),
        tuple(save for save in plan.saves if save.tree in trees and not _blobs(save).keys() <= held),
    )


def _blobs(save: Save) -> dict[str, int]:
    """Return the blobs of a saved registry as hex digest -> bytes, without indexes, which are not always saved."""
    platforms = [one.image.platform(save.arch) for one in save.saved]
    return {blob.digest.hex: blob.size for one in platforms for blob in (one.manifest, *one.blobs)}


def estimate(plan: Plan, needs: list[MissingInputs], fetched: int) -> DiskEstimate:
    """Estimate the bytes that a build adds for `needs` and the `fetched` downloads, and the free space."""
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
        registries=sum(_OVERHEAD * len(_blobs(one)) for one in fresh),
        free=shutil.disk_usage(_existing(plan.layout.build)).free,
    )


def _bytes(path: Path) -> int:
    """Return the size of a file as in a manifest: 0 for a link."""
    return 0 if path.is_symlink() else path.stat().st_size


def _listed(branch: Branch) -> int:
    """Return the bytes of an existing tree, else 0."""
    return sum(entry.size for entry in manifest.read(branch.listing)) if branch.listing.is_file() else 0


def _existing(path: Path) -> Path:
    """Return the nearest existing directory at or above `path`."""
    return next(one for one in (path, *path.absolute().parents) if one.is_dir())
