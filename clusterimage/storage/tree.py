"""Merging pieces and trees into the build context of a cluster image.

amd64/ arm64/ rootfs/ Kubefile imageList [tigera-operator.yaml custom-resources.yaml calico.sh]

<tree>.copies beside it: for every file of the user's the stamps of it and of our copy, and its sha256. While both are
what they were, the copy goes on into the next tree, neither read nor written.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clusterimage.storage import files, manifest
from clusterimage.storage.archive import rooted
from clusterimage.storage.manifest import Entry
from clusterimage.storage.own_tree import FOLDER, Own, read
from clusterimage.values import digest, stamp
from clusterimage.values.errors import ClusterImageError, CollisionError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file for the tree; of two owners of a place the one of higher rank wins. `sha256` is "" where not known.

    A `users` file is copied, what we made is linked: nobody who edits something in _build/ may edit the user's source.
    """

    source: Path
    place: str
    owner: str = field(compare=False)  # for messages only
    part: str
    mode: int = 0o644
    rank: int = 0
    sha256: str = ""
    users: bool = False

    @property
    def has_content(self) -> bool:
        """Whether it is a file: of links and directories all there is to know is in the piece."""
        return not isinstance(self, Link | Folder)


@dataclass(frozen=True, slots=True)
class Link(Piece):
    """A link of the user's; what it says is a part of it, for who looks at `source` sees where it leads."""

    target: str = ""


@dataclass(frozen=True, slots=True)
class Folder(Piece):
    """A directory of the user's that is empty, or has another mode than 0755."""


def piece_of(one: Own, place: str, owner: str, part: str, rank: int = 0) -> Piece:
    """Return the piece that brings what the user has at `one` to `place`."""
    if one.link:
        return Link(one.path, place, owner, part, one.mode, rank, users=True, target=one.link)
    kind = Folder if one.is_directory else Piece
    return kind(one.path, place, owner, part, one.mode, rank, users=True)


@dataclass(frozen=True, slots=True)
class Branch:
    """A tree with its manifest, laid over the tree below `prefix`."""

    root: Path
    prefix: str
    owner: str = field(compare=False)  # for messages only
    rank: int = 0

    @property
    def listing(self) -> Path:
        """The branch's manifest."""
        return self.root.with_name(self.root.name + manifest.SUFFIX)

    def pieces(self) -> Iterator[Piece]:
        """Yield the files of the branch, and the directories of another mode than 0755."""
        for entry in manifest.read(self.listing):
            place = f"{self.prefix}/{entry.path}" if self.prefix else entry.path
            if entry.is_directory and entry.mode == FOLDER:
                continue
            kind = Folder if entry.is_directory else Piece
            yield kind(self.root / entry.path, place, self.owner, entry.part, entry.mode, self.rank, entry.sha256)

    def directories(self) -> Iterator[str]:
        """Yield the empty directories of the branch, as far as they are of mode 0755."""
        for entry in manifest.read(self.listing):
            if entry.is_directory and entry.mode == FOLDER:
                yield f"{self.prefix}/{entry.path}" if self.prefix else entry.path


def merge(pieces: tuple[Piece, ...], branches: tuple[Branch, ...], empty: tuple[str, ...], dest: Path) -> None:
    """Link all pieces and branches into the tree `dest` and write its manifest last; `empty` directories are made.

    Files of the user's are copied, those that did not change since the last time only once. Of set-id bits that are
    not kept it is said.

    Two owners of one rank with different content for a place raise CollisionError; with the same content they agree.
    """
    listing = dest.with_name(dest.name + manifest.SUFFIX)
    files.remove(listing)
    chosen = _choose([*pieces, *(piece for branch in branches for piece in branch.pieces())])
    empty = tuple(dict.fromkeys([*empty, *(place for branch in branches for place in branch.directories())]))
    _refuse_below_files(chosen, empty)
    folders = {piece.place for piece in chosen if isinstance(piece, Folder)}
    entries = [Entry(path=place, mode=FOLDER, part="config") for place in empty if place not in folders]
    _say_set_id(chosen)
    copies = _Copies(dest)
    with files.atomic_tree(dest) as tree:
        for place in empty:
            rooted(tree, place).mkdir(parents=True, exist_ok=True)
        for piece in chosen:
            target = rooted(tree, piece.place)
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(piece, Folder):  # its mode is a matter of the manifest: here it has to be written to
                target.mkdir(exist_ok=True)
            elif isinstance(piece, Link):
                target.symlink_to(piece.target)
            elif piece.users:
                piece = replace(piece, sha256=copies.bring(piece, target))
            else:
                files.link_or_copy(piece.source, target)
            entries.append(_entry(piece))
    copies.keep()
    manifest.write(listing, entries)


def record(dest: Path) -> Path:
    """Return where the copies in the tree `dest` are noted."""
    return dest.with_name(f"{dest.name}.copies")


class _Copies:
    """The copies of users' files in a tree: what is known of those of the last time, and of the new ones."""

    def __init__(self, dest: Path) -> None:
        self._dest = dest
        self._new: dict[str, list[Any]] = {}
        try:
            self._known = dict(json.loads(record(dest).read_bytes()))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def bring(self, piece: Piece, target: Path) -> str:
        """Bring the file of `piece` to `target` and return its sha256."""
        source, last = [str(piece.source), *stamp.of(piece.source.stat())], self._dest / piece.place
        known = self._known.get(piece.place)
        if known and known[0] == source and last.is_file() and known[1] == stamp.at(last):
            files.link_or_copy(last, target)
            sha256 = str(known[2])
        else:
            sha256 = files.copy_hashed(piece.source, target).hex
        self._new[piece.place] = [source, stamp.at(target), sha256]
        return sha256

    def keep(self) -> None:
        """Note the copies for the next time."""
        files.write(record(self._dest), json.dumps(self._new).encode())


def _choose(pieces: list[Piece]) -> list[Piece]:
    chosen: dict[str, Piece] = {}
    for piece in sorted(pieces, key=lambda piece: piece.rank):
        other = chosen.get(piece.place)
        if other is not None and other.rank == piece.rank and _sha256(other) != _sha256(piece):
            raise CollisionError(piece.place, other.owner, piece.owner)
        chosen[piece.place] = piece
    return [chosen[place] for place in sorted(chosen)]


def _refuse_below_files(chosen: list[Piece], empty: tuple[str, ...]) -> None:
    """Refuse a place below a file or link: through a link something would be written outside of the tree."""
    owners = {piece.place: piece.owner for piece in chosen if not isinstance(piece, Folder)}
    empty = (*empty, *(piece.place for piece in chosen if isinstance(piece, Folder)))
    for place, owner in [*owners.items(), *((f"{place}/", "clusterimage") for place in empty)]:
        parts = place.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in owners:
                problem = f"{above}: {owners[above]} brings it, and {owner} brings {place} below it"
                raise ClusterImageError(problem, hint="drop one of them")


def _say_set_id(chosen: list[Piece]) -> None:
    """Say of which files of the user's a set-id bit is dropped, once for those that lie in the image several times."""
    for source in dict.fromkeys(piece.source for piece in chosen if piece.users and piece.has_content):
        if read(source, "").set_id:
            text = "its set-user-id or set-group-id bit is dropped; chmod it on the node where it is needed"
            log.warning("%s: %s", source, text, extra={"notice": True})


def _sha256(piece: Piece) -> str:
    if isinstance(piece, Folder):
        return f"directory {piece.mode:o}"
    if isinstance(piece, Link):
        return f"-> {piece.target}"
    if piece.source.is_symlink():
        return f"-> {piece.source.readlink()}"
    return piece.sha256 or digest.of_file(piece.source).hex


def _entry(piece: Piece) -> Entry:
    if isinstance(piece, Folder):
        return Entry(piece.place, piece.mode, part=piece.part)
    if isinstance(piece, Link):
        return Entry(piece.place, 0o777, link=piece.target, part=piece.part)
    if piece.source.is_symlink():
        return Entry(piece.place, 0o777, link=str(piece.source.readlink()), part=piece.part)
    return Entry(piece.place, piece.mode, piece.source.stat().st_size, _sha256(piece), part=piece.part)
