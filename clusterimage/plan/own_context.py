"""The files of context/ that one combination is made of, and where each belongs in its build context."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clusterimage.catalog.cni import NONE
from clusterimage.catalog.flavor import Flavor
from clusterimage.context.template import SUFFIX, Template
from clusterimage.plan.selection import Combination
from clusterimage.storage import own_tree
from clusterimage.storage.own_tree import Own
from clusterimage.storage.tree import Piece, piece_of
from clusterimage.values.errors import ConfigError

_ROOTFS, _CRI = 0, 1
CRI_DOCKERD = "cri-dockerd"


@dataclass(frozen=True, slots=True)
class Placed:
    """A file or link of context/, its path in the build context, and its rank there."""

    own: Own
    place: str
    rank: int

    @property
    def is_template(self) -> bool:
        """Whether it is rendered by the build."""
        return self.own.path.suffix == SUFFIX

    def template(self, arch: str = "") -> Template:
        """Return the template that it is, of a platform or of all; a link that leads to no file raises ConfigError."""
        if self.own.link and not self.own.path.is_file():
            problem = f"{self.own.path}: is a link to {self.own.link}, where no file is, and a template is read here"
            raise ConfigError(problem, hint=f"put a file there, or take {SUFFIX} off the link's name")
        return Template(self.own.path, self.place.removesuffix(SUFFIX), arch, self.rank)

    def piece(self) -> Piece:
        """Return the piece that it is, of the mode that git keeps: executable or not."""
        found = piece_of(self.own, self.place, self.own.path.parent.as_posix(), "config", self.rank)
        return found if self.own.link else replace(found, mode=0o755 if self.own.mode & stat.S_IXUSR else 0o644)


def placed(root: Path, flavor: Flavor, one: Combination, *, cri_dockerd: bool) -> Iterator[Placed]:
    """Yield the files and links of context/, at `root`, that `one` is made of."""
    trees = [tree.format(cri=one.cri) for tree in flavor.trees]
    folders = [(tree, "rootfs", _CRI if index else _ROOTFS) for index, tree in enumerate(trees)]
    if cri_dockerd:
        folders.append((CRI_DOCKERD, "rootfs", _CRI))
    if one.cni != NONE:
        folders.append((one.cni, "", _ROOTFS))
    for folder, prefix, rank in folders:
        for own in own_tree.walk(root / folder):
            if not own.is_directory:
                yield Placed(own, f"{prefix}/{own.place}" if prefix else own.place, rank)
    for name in flavor.files:
        tree, _, place = name.format(cri=one.cri).partition("/")
        path = root / tree / place
        if not (path.is_file() or path.is_symlink()):
            raise ConfigError(f"{path}: no such file", hint=f"flavor.{flavor.name}.files names it: put it back")
        yield Placed(own_tree.read(path, place), f"rootfs/{place}", _ROOTFS)


def of_platforms(root: Path, arches: tuple[str, ...]) -> Iterator[Template]:
    """Yield the templates of every platform; all files below `root` are."""
    for own in own_tree.walk(root):
        for arch in arches if not own.is_directory else ():
            yield Placed(own, f"{arch}/{own.place}", _ROOTFS).template(arch)
