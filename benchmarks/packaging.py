"""W4, W5 and W7: a tree made into one OCI image; one small file edited; the same digest whoever packs it, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import checks, peers
from benchmarks.contest import Contestant, WrongResult
from benchmarks.ours import Project, remove

EDITED = "etc/part-000.conf"


@dataclass
class Packaging:
    """The work: a tree, its name, and where to work."""

    name: str
    tree: Path
    work: Path
    wanted: dict[str, str] = field(default_factory=dict)
    known: dict[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wanted = checks.tree(self.tree)
        self.out = self.work / "out"
        self.project = Project.make(self.work / "project", "127.0.0.1:1")
        self.words = [*self.project.application(self.name, tree=self.tree), "platform=amd64"]

    @property
    def size(self) -> int:
        """Return the bytes of the tree."""
        return sum(path.stat().st_size for path in self.tree.rglob("*") if path.is_file())

    # ------------------------------------------------------------------ ours

    def ours(self, *more: str, runs: int = 0) -> Contestant:
        """Return this project's packaging step: its context is merged and locked before, as peers get a tree."""

        def prepare() -> None:
            self.project.doit("lock", *self.words, *more)
            for place in (self.project.build / "layers-v1", self.project.dist):
                remove(place)

        return self._ours(f"clusterimage{_said(more)}, package", prepare, more, runs)

    def ours_whole(self, runs: int = 0) -> Contestant:
        """Return this project from the user's tree to the image: copied, hashed, searched, locked, packed."""
        return self._ours("clusterimage, all steps", self.project.forget, (), runs)

    def ours_edited(self, runs: int = 0) -> Contestant:
        """Return this project after one small file was edited."""
        return self._ours("clusterimage, all steps", self.edit, (), runs)

    def _ours(self, name: str, prepare: Callable[[], object], more: tuple[str, ...], runs: int = 0) -> Contestant:
        dest = self.project.dist / f"bench+{self.name}+v1"
        command = self.project.words("package", *self.words, *more)
        check = partial(self._layout, name, dest)
        return Contestant(name, command, prepare, check, self.project.root, runs, ours=True)

    # ----------------------------------------------------------------- peers

    def umoci(self, runs: int = 0, edit: Callable[[], object] = lambda: None) -> Contestant:
        """Return umoci."""
        return self._layout_peer("umoci", peers.umoci(self.tree, self.out), runs, edit)

    def buildah(self, runs: int = 1, edit: Callable[[], object] = lambda: None) -> Contestant:
        """Return buildah, whose storage is empty at first."""
        storage = self.work / "buildah"
        storage.mkdir(parents=True, exist_ok=True)
        (storage / "Kubefile").write_text("FROM scratch\nCOPY . .\n")
        command = peers.buildah(self.tree, self.out, storage)
        return self._layout_peer("buildah", command, runs, edit)

    def _layout_peer(self, name: str, command: list[str], runs: int, edit: Callable[[], object]) -> Contestant:
        def prepare() -> None:
            remove(self.out)
            edit()

        return Contestant(
            name, command, prepare, partial(self._layout, name, self.out), runs=runs, needs=(name.split()[0],)
        )

    def tar(self, name: str, filter_: str = "", runs: int = 0, *, limit: bool = False) -> Contestant:
        """Return tar through a filter: no image yet, no digest."""
        command, needs = peers.archive(self.tree, self.out, filter_), filter_.split()[:1]
        check = partial(self._archive, name)
        return Contestant(name, command, partial(remove, self.out), check, runs=runs, limit=limit, needs=needs)

    def tar_hashed(self, name: str, filter_: str, runs: int = 0) -> Contestant:
        """Return tar through a filter, with the digests that an image needs."""
        command, needs = peers.archive_hashed(self.tree, self.out, filter_), (filter_.split()[0], "openssl")

        def check() -> Mapping[str, object]:
            said = Path(f"{self.out}.packed.sha256").read_text()
            if not said.startswith(checks.sha256(self.out)):
                raise WrongResult("openssl saw other bytes")
            return self._archive(name)

        return Contestant(name, command, partial(remove, self.out), check, runs=runs, needs=needs)

    # ---------------------------------------------------------------- judging

    def edit(self) -> None:
        """Change a small file, each time to something else, and what is expected with it."""
        path = self.tree / EDITED
        number = int(path.read_text().rpartition("edition ")[2] or 0) + 1 if "edition" in path.read_text() else 1
        path.write_text(f"# option 0 of the cluster, edition {number}")
        self.wanted[EDITED] = checks.sha256(path)

    def _layout(self, name: str, root: Path) -> Mapping[str, object]:
        """Hash all blobs and unpack them, unless this very image was unpacked before."""
        digest = (root / "index.json").read_text()
        wanted = self.wanted.get(EDITED, "")
        key = f"{name} {digest} {wanted}"
        if key in self.known:
            checks.blobs(root)
        else:
            self.known[key] = checks.layout(root, self.wanted)
        return self.known[key]

    def _archive(self, name: str) -> Mapping[str, object]:
        key = f"{name} {checks.sha256(self.out)}"
        if key not in self.known:
            self.known[key] = checks.archive(self.out, self.wanted)
        return self.known[key]


def contestants(work: Packaging) -> list[Contestant]:
    """Return who packages a tree; the slowest run once."""
    more = [work.ours("compression=gzip", runs=1), work.ours("compression=zstd")]
    return [
        work.ours(),
        *more,
        work.ours_whole(2),
        work.umoci(),
        work.buildah(1),
        work.tar("tar | gzip -6", "gzip -6", 1),
        work.tar("tar | zstd -3 -T2", "zstd -q -3 -T2 -c"),
        work.tar_hashed("the same, and two digests by openssl", "zstd -q -3 -T2 -c", 1),
        work.tar("limit: tar alone", runs=2, limit=True),
    ]


def edited_contestants(work: Packaging) -> list[Contestant]:
    """Return who packages the tree again after one file was edited; ours has packaged it before."""
    work.project.doit("package", *work.words)
    return [work.ours_edited(), work.umoci(1, work.edit), work.buildah(1, work.edit)]


def many_contestants(work: Packaging) -> list[Contestant]:
    """Return who packages a tree of many small files."""
    return [work.ours(), work.ours_whole(1), work.umoci(), work.buildah(1)]


def _said(more: tuple[str, ...]) -> str:
    return f" {' '.join(more)}" if more else ""
