"""The files of context/: which one combination is made of, where each belongs, and which nothing reads."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clusterimage.catalog.cni import NONE
from clusterimage.catalog.flavor import Flavor
from clusterimage.catalog.spec import Spec
from clusterimage.context.template import SUFFIX, Template
from clusterimage.plan.selection import Combination
from clusterimage.storage import files, own_tree
from clusterimage.storage.own_tree import Own
from clusterimage.storage.tree import Piece, piece_of
from clusterimage.values.errors import ConfigError

_ROOTFS, _CRI = 0, 1
CRI_DOCKERD = "cri-dockerd"
_LISTS = ("imageList", "kubeadm.yml", f"kubeadm.yml{SUFFIX}")  # the last is refused by whoever reads the first
_OF_BASEFS = "rootfs/"  # context/docker/rootfs/etc/… there, context/docker/etc/… here
_MOST_NOTES = 5


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


@dataclass(frozen=True, slots=True)
class Readers:
    """Which folders (`trees`) and files of context/ something reads, whatever is selected."""

    trees: tuple[str, ...]
    files: frozenset[str]

    @classmethod
    def of(cls, spec: Spec) -> Readers:
        """Return the readers that versions.toml knows."""
        cris = [runtime.name for runtime in spec.runtimes]
        trees = [tree.format(cri=cri) for flavor in spec.flavors for tree in flavor.trees for cri in cris]
        trees += [CRI_DOCKERD, *(cni.name for cni in spec.cnis), *(flavor.platform for flavor in spec.flavors)]
        named = [name.format(cri=cri) for flavor in spec.flavors for name in flavor.files for cri in cris]
        kubefiles = [flavor.kubefile for flavor in spec.flavors]
        return cls(tuple(dict.fromkeys(filter(None, trees))), frozenset((*named, *kubefiles, *_LISTS)))

    def check(self, root: Path) -> tuple[str, ...]:
        """Return a note for every file below `root` that nothing reads.

        One where basefs has it, and one beside a template for the same place, raise ConfigError.
        """
        unread = []
        for path in files.walk(root):
            place = path.relative_to(root).as_posix()
            tree = next((tree for tree in self.trees if place.startswith(f"{tree}/")), "")
            if tree:
                self._refuse(root, tree, path)
            elif place not in (*self.files, *self.trees) and not path.name.startswith("."):  # .gitignore, .shellcheckrc
                unread.append(place)
        notes = [f"{root / place}: nothing reads it{self._meant(place)}" for place in unread[:_MOST_NOTES]]
        more = len(unread) - len(notes)
        return (*notes, *([f"{root}: nothing reads {more} more files"] if more else ()))

    def _refuse(self, root: Path, tree: str, path: Path) -> None:
        place = path.relative_to(root / tree).as_posix()
        if place.startswith(_OF_BASEFS):
            place = place.removeprefix(_OF_BASEFS)
            new = self._place(root, tree, place)
            drop = f", and remove {new.name}{SUFFIX} there" if _template(new).exists() else ""
            raise ConfigError(f"{path}: basefs has it there, here it is {new}", hint=f"mv {path} {new}{drop}")
        if path.suffix != SUFFIX and _template(path).exists():
            problem = f"{path}: lies beside {path.name}{SUFFIX}, which makes the same file"
            raise ConfigError(problem, hint="remove one of them")

    def _place(self, root: Path, tree: str, place: str) -> Path:
        """Return where a file of basefs belongs: where one of that name is, or else into the same tree."""
        for one in (tree, *self.trees):
            path = root / one / place
            if path.exists() or _template(path).exists():
                return path
        return root / tree / place

    def _meant(self, place: str) -> str:
        import difflib

        folder, slash, _ = place.partition("/")
        known = [*self.trees] if slash else sorted(self.files)
        near = difflib.get_close_matches(folder, known, n=1, cutoff=0.7)
        return f"; did you mean {near[0]}{slash}?" if near else ""


def _template(path: Path) -> Path:
    return path.with_name(f"{path.name}{SUFFIX}")


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
