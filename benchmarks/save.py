"""W1, W2 and W3: sixteen images for two platforms, saved as a registry directory; again; and after a SIGKILL."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import checks, servers
from benchmarks.contest import Contestant, measured
from benchmarks.images import STORAGE, Catalogue
from benchmarks.ours import Project, empty_doit, remove
from benchmarks.peers import Copy
from benchmarks.servers import Server, Traffic
from benchmarks.shaped import Shape

_APPLICATION = "saved"


@dataclass
class Save:
    """The work: a source that runs, what is in it, and where to work. `near` is the source without a line."""

    catalogue: Catalogue
    near: Server
    source: Server
    work: Path
    storage: Path
    since: int = 0

    def __post_init__(self) -> None:
        self.project = Project.make(self.work / "project", self.near.address)
        names = [f"registry.example/{name}" for name in self.catalogue.tops]
        self.words = self.project.application(_APPLICATION, names)
        self.project.doit("lock", *self.words)
        self.project.point_to(self.source.address)
        self.target = self.work / "target"
        self.stack = ExitStack()

    # ------------------------------------------------------------------ ours

    def ours(self, name: str = "clusterimage") -> Contestant:
        """Return this project saving from nothing; its lock is there, as it is in a repository."""

        def prepare() -> None:
            remove(self.project.build / "cache-v1")
            for step in ("images-v1", "registry-v1"):
                remove(self.project.build / step)
            self.since = self.source.mark()

        return self._doit(name, prepare)

    def ours_unlocked(self) -> Contestant:
        """Return this project locking first: every tag asked for, as peers do."""

        def prepare() -> None:
            self.project.forget()
            remove(self.project.root / "locks")
            self._mark()

        return self._doit("clusterimage, lock and save", prepare)

    def ours_again(self) -> Contestant:
        """Return this project saving what is saved."""
        return self._doit("clusterimage", self._mark)

    def _doit(self, name: str, prepare: Callable[[], object]) -> Contestant:
        command = self.project.words("save-registry", *self.words)
        return Contestant(name, command, prepare, self._check_ours, self.project.root, ours=True)

    def _check_ours(self) -> Mapping[str, object]:
        facts = self._facts()
        roots = sorted(path.parent for path in (self.project.build / "registry-v1").glob("*/docker"))
        return {**checks.registry_directories(roots, self.catalogue), **facts}

    # ----------------------------------------------------------------- peers

    def skopeo(self, parallel: int, runs: int = 0, *, again: bool = False) -> Contestant:
        """Return skopeo copy, so many images at once."""
        name = "skopeo copy, one by one" if parallel == 1 else f"skopeo copy, {parallel} at once"
        return self._peer(name, lambda copy: copy.skopeo(parallel), runs, again)

    def skopeo_sync(self, runs: int = 0, *, again: bool = False) -> Contestant:
        """Return skopeo sync."""
        return self._peer("skopeo sync", lambda copy: copy.skopeo_sync(self.work), runs, again)

    def curl(self, parallel: int) -> Contestant:
        """Return the limit: every blob fetched once, kept nowhere."""
        copy = Copy((), self.source.address, "")
        command = copy.curl(_blobs(self.storage), self.work, parallel)
        return Contestant(
            f"limit: curl -Z, {parallel} at once, to nothing",
            command,
            self._mark,
            self._facts,
            limit=True,
            needs=("curl",),
        )

    def copied(self) -> Contestant:
        """Return the limit of a disk: the saved directory copied."""
        target = self.work / "copied"
        command = ["cp", "-a", str(self.storage), str(target)]
        check = partial(checks.registry_directories, [target], self.catalogue)
        return Contestant("limit: cp -a of the result", command, partial(remove, target), check, runs=1, limit=True)

    def hashed(self) -> Contestant:
        """Return what hashing everything once takes coreutils, two processes."""
        command = ["sh", "-c", f"find {self.storage} -name data -print0 | xargs -0 -n 8 -P 2 sha256sum >/dev/null"]
        return Contestant("limit: sha256sum of the result, 2 at once", command, _nothing, dict, runs=1, limit=True)

    def _peer(self, name: str, command: Callable[[Copy], list[str]], runs: int, again: bool) -> Contestant:
        port = servers.free_port()
        copy = Copy(tuple(self.catalogue.tops), self.source.address, f"127.0.0.1:{port}")

        def prepare() -> None:
            self.stack.close()
            if not again:
                remove(self.target)
            self.stack.enter_context(servers.registry(self.target, self.work / "peer", logged=False, port=port))
            self.since = self.source.mark()

        def check() -> Mapping[str, object]:
            self.stack.close()
            facts = checks.registry_directories([self.target], self.catalogue)
            return {**facts, **self._facts()}

        return Contestant(name, command(copy), prepare, check, runs=runs, needs=("skopeo",))

    def _facts(self) -> Mapping[str, object]:
        return _told(self.source.traffic(self.since))

    def _mark(self) -> None:
        self.since = self.source.mark()


@contextmanager
def opened(storage: Path, catalogue: Catalogue, work: Path, shape: Shape | None = None) -> Iterator[Save]:
    """Serve the source, behind a slow line when there is a shape, and yield the work."""
    with ExitStack() as stack:
        near = stack.enter_context(servers.registry(storage, work / "source"))
        source = stack.enter_context(servers.line(near, shape)) if shape else near
        save = Save(catalogue, near, source, work, storage)
        with save.stack:
            yield save


def contestants(save: Save) -> list[Contestant]:
    """Return who saves over loopback; those that take one image after another run once."""
    return [
        save.ours(),
        save.ours_unlocked(),
        save.skopeo(8),
        save.skopeo(1, 1),
        save.skopeo_sync(1),
        save.curl(8),
        save.copied(),
        save.hashed(),
    ]


def far_contestants(save: Save) -> list[Contestant]:
    """Return who saves over the slow line; who takes one image after another runs once."""
    return [save.ours(), save.skopeo(8), save.skopeo(1, 1), save.curl(8)]


def again_contestants(save: Save, runs: int) -> list[Contestant]:
    """Return who saves once more what is saved, peers `runs` times; run `contestants` before."""
    return [
        save.ours_again(),
        empty_doit(save.work / "floor"),
        save.skopeo(8, runs, again=True),
        save.skopeo(1, runs, again=True),
        save.skopeo_sync(runs, again=True),
    ]


def killed(save: Save, contestant: Contestant, place: Path, share: float) -> float:
    """Kill a contestant when `place` has that share of all bytes, let it run again; return the MB sent in excess."""
    contestant.prepare()
    null = subprocess.DEVNULL
    words = list(contestant.command)
    process = subprocess.Popen(words, cwd=contestant.folder, stdout=null, stderr=null, start_new_session=True)
    try:
        while process.poll() is None and _weight(place) < share * save.catalogue.size:
            time.sleep(0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    measured(contestant.command, contestant.folder)
    facts = contestant.check()
    return float(str(facts["MB fetched"])) - save.catalogue.size / 1e6


def _weight(root: Path) -> int:
    """Return the bytes below `root`, of files that may vanish meanwhile."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(folder, name).stat().st_size
    return total


def _told(traffic: Traffic) -> dict[str, object]:
    return {"requests": traffic.requests, "MB fetched": traffic.bytes / 1e6, "fetched again": traffic.repeated}


def _blobs(root: Path) -> list[tuple[str, str]]:
    """Return every layer and config of a registry directory once, with a repository that has it, the largest first."""
    found: dict[str, str] = {}
    repositories = root / STORAGE / "repositories"
    for link in sorted(repositories.glob("*/*/_layers/sha256/*/link")):
        found.setdefault(link.parent.name, "/".join(link.relative_to(repositories).parts[:2]))
    data = root / STORAGE / "blobs/sha256"
    sizes = {hex_: (data / hex_[:2] / hex_ / "data").stat().st_size for hex_ in found}
    return [(found[hex_], hex_) for hex_ in sorted(found, key=lambda hex_: -sizes[hex_])]


def _nothing() -> None:
    """Prepare nothing."""
