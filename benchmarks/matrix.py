"""W5, W6 and the no-op: three versions, two runtimes, two platforms, two networks, built from nothing and again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import checks, servers
from benchmarks.contest import Contestant, WrongResult
from benchmarks.ours import Project, empty_doit, remove
from benchmarks.servers import Server
from benchmarks.upstream import VERSIONS, Upstream

CRIS = ("docker", "containerd")
_Check = Callable[[], Mapping[str, object]]
_SCRIPT = Path(__file__).with_name("serial-build.sh")
_EDITED = Path("context/rootfs/scripts/check.sh")
_ONE = (f"k8s={VERSIONS[1]}", "cri=docker", "cni=none")
_ALL = (f"k8s={','.join(VERSIONS)}", f"cri={','.join(CRIS)}")


@dataclass
class Matrix:
    """The work: an upstream that is served, and where to work."""

    upstream: Upstream
    files: Server
    registry: Server
    work: Path
    since: tuple[int, int] = (0, 0)
    edition: int = 0
    before: bytes = b""

    def __post_init__(self) -> None:
        self.project = self._project("project")
        for version in VERSIONS:
            self.project.doit("lock", f"k8s={version}")

    def _project(self, name: str) -> Project:
        return Project.make(self.work / name, f"{self.registry.address}/{{host}}", self.files.address)

    def mark(self) -> None:
        """Count from here on."""
        self.since = (self.files.mark(), self.registry.mark())

    def traffic(self) -> dict[str, object]:
        """Return what both sources sent since `mark`."""
        one, other = self.files.traffic(self.since[0]), self.registry.traffic(self.since[1])
        return {
            "requests": one.requests + other.requests,
            "MB fetched": (one.bytes + other.bytes) / 1e6,
            "fetched again": one.repeated + other.repeated,
        }

    # ------------------------------------------------------------------- W6

    def ours(self) -> Contestant:
        """Return this project building all images from nothing but its locks."""

        def prepare() -> None:
            self.project.forget()
            self.mark()

        return self._doit("clusterimage, one run", prepare, _ALL, self._check_all)

    def script(self) -> Contestant:
        """Return the script, run once for each version and runtime."""
        out = self.work / "script"
        sources = f"http://{self.files.address} {self.registry.address}"
        calls = [
            f"{_SCRIPT} {self._lists(number, cri)} {sources} {out}/{number}-{cri}"
            for number in range(len(VERSIONS))
            for cri in CRIS
        ]

        def prepare() -> None:
            remove(out)
            out.mkdir(parents=True)
            self.mark()

        command = ["sh", "-c", " && ".join(calls)]
        needs = ("docker-registry", "skopeo", "umoci", "wget", "curl")
        check = partial(self._check_script, out)
        return Contestant("shell script, six runs", command, prepare, check, runs=1, needs=needs)

    def _lists(self, number: int, cri: str) -> Path:
        """Write what the script of one version and runtime is to fetch."""
        folder = self.work / "lists" / f"{number}-{cri}"
        remove(folder)
        shutil.copytree(self.project.root / "context" / "rootfs", folder / "context")
        needed = self.upstream.needed[number]
        lines = [
            f"{request.arch} {request.cni or 'none'} {place} {member or '-'} {request.url}\n"
            for request in needed.files
            if request.cri in ("", cri)
            for member, place in request.install
        ]
        (folder / "files").write_text("".join(lines))
        (folder / "images").write_text("".join(f"{image.reference}\n" for image in needed.images))
        return folder

    # -------------------------------------------------------------- W5, no-op

    def edited(self) -> Contestant:
        """Return this project building one version for one runtime after a script of the image was edited."""

        def prepare() -> None:
            self.edition += 1
            path = self.project.root / _EDITED
            path.write_text(f"{path.read_text()}# edition {self.edition}\n")
            self.before = self._index().read_bytes()
            self.mark()

        return self._doit("clusterimage, doit build of one image", prepare, _ONE, self._check_edited)

    def nothing(self, words: tuple[str, ...], name: str) -> Contestant:
        """Return this project with nothing to do."""
        return self._doit(name, self.mark, words, self.traffic)

    def _doit(self, name: str, prepare: Callable[[], object], words: tuple[str, ...], check: _Check) -> Contestant:
        return Contestant(name, self.project.words("build", *words), prepare, check, self.project.root, ours=True)

    # ---------------------------------------------------------------- judging

    def _check_all(self) -> Mapping[str, object]:
        facts = self.traffic()
        images = sorted(path for path in self.project.dist.iterdir() if path.is_dir())
        if len(images) != len(VERSIONS) * len(CRIS) * 2:
            raise WrongResult(f"{len(images)} images")
        for root in images:
            _summed(root)
        on_disk, distinct = _disk(self.project.root / "_build", self.project.root / "dist")
        return {**facts, "MB on disk": on_disk / 1e6, "distinct": distinct / 1e6}

    def _check_edited(self) -> Mapping[str, object]:
        _summed(self._index().parent)
        if self._index().read_bytes() == self.before:
            raise WrongResult("the edited file changed nothing")
        return self.traffic()

    def _index(self) -> Path:
        return self.project.dist / f"{VERSIONS[1]}-docker" / "index.json"

    def _check_script(self, out: Path) -> Mapping[str, object]:
        facts = self.traffic()
        layouts = sorted(path.parent for path in out.glob("*/*/oci-layout"))
        if len(layouts) != len(VERSIONS) * len(CRIS) * 4:
            raise WrongResult(f"{len(layouts)} images")
        for layout in layouts:
            checks.blobs(layout)
        on_disk, distinct = _disk(out)
        return {**facts, "MB on disk": on_disk / 1e6, "distinct": distinct / 1e6}

    def clean_digest_is_equal(self) -> bool:
        """Build the edited image in a new project, from its sources alone, and compare the images' digests."""
        clean = self._project("clean")
        shutil.copy2(self.project.root / _EDITED, clean.root / _EDITED)
        shutil.copytree(self.project.root / "locks", clean.root / "locks")
        clean.doit("build", *_ONE)
        index = Path(f"{VERSIONS[1]}-docker") / "index.json"
        equal = (clean.dist / index).read_bytes() == (self.project.dist / index).read_bytes()
        remove(clean.root)
        return equal


@contextmanager
def opened(upstream: Upstream, work: Path) -> Iterator[Matrix]:
    """Serve the upstream and yield the work."""
    with (
        servers.files(upstream.files, work / "files") as files,
        servers.registry(upstream.registry, work / "registry") as registry,
    ):
        yield Matrix(upstream, files, registry, work)


def still(matrix: Matrix) -> list[Contestant]:
    """Return who does nothing: what is up to date stays."""
    return [
        empty_doit(matrix.work / "floor"),
        matrix.nothing(_ONE, "clusterimage, one image up to date"),
        matrix.nothing(_ALL, "clusterimage, the matrix up to date"),
    ]


def _summed(root: Path) -> None:
    """Let sha256sum hash every file of a built image."""
    done = subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=root, capture_output=True, check=False)
    if done.returncode:
        raise WrongResult(f"{root.name}: {done.stdout.decode()[-200:]}")


def _disk(*roots: Path) -> tuple[int, int]:
    """Return the bytes of all files, links to one file counted once, and of their distinct contents."""
    files: dict[tuple[int, int], tuple[Path, int]] = {}
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                files[status.st_dev, status.st_ino] = (path, status.st_size)
    contents = {checks.sha256(path): size for path, size in files.values()}
    return sum(size for _, size in files.values()), sum(contents.values())
