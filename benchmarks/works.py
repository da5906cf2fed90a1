"""Runs every work and says what came out: sections of the report, with the goals of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import contents, contest, goals, images, matrix, packaging, profiles, reproduce, rootfs, save, upstream
from benchmarks.contents import Donors
from benchmarks.contest import Contestant, Result, WrongResult
from benchmarks.ours import remove
from benchmarks.servers import program
from benchmarks.shaped import Shape
from benchmarks.table import Section

_MATRIX_SCALE = 0.35
_SHARES = (0.25, 0.5, 0.75)
_SHARES_OF_PEERS = (0.5,)
_MANY = 20_000
_ENOUGH = 2  # runs of what takes long and differs little


@dataclass
class Bench:
    """A run: how often, where, whom to tell; `ours` collects our own results, `profiles` where their time goes."""

    runs: int
    work: Path
    tell: Callable[[str], None]
    scale: float = 1.0
    donors: Donors = field(default_factory=contents.donors)
    ours: list[Result] = field(default_factory=list)
    profiles: dict[str, list[str]] = field(default_factory=dict)

    def contest(self, contestants: list[Contestant], runs: int = 0) -> list[Result]:
        """Let all of them run in turn."""
        results = contest.run(contestants, runs or self.runs, self.tell)
        self.ours += [result for result in results if result.contestant.ours and result.samples]
        return results

    def profile(self, what: str, contestant: Contestant, runs: int = 1) -> None:
        """Find out where the time of a contestant of our own goes."""
        contestant.prepare()
        self.profiles[what] = profiles.profile(contestant.command, contestant.folder, runs)


def saving(bench: Bench) -> Iterator[Section]:
    """W1, W2, W3."""
    if program("docker-registry") is None:
        yield Section("W1 to W3", "Skipped: docker-registry is not installed, which is the source.")
        return
    place = bench.work / "saving"
    bench.tell("W1: making 16 images")
    catalogue = images.write(place / "source", scale=bench.scale)
    what = f"16 images × 2 platforms, {catalogue.size / 1e6:.0f} MB in {len(catalogue.blobs)} blobs and manifests"
    with save.opened(place / "source", catalogue, place / "near") as near:
        bench.tell("W1 on loopback")
        first = bench.contest(save.contestants(near))
        words = (
            f"{what}, from stock docker-registry into a registry directory; peers copy into another docker-registry."
        )
        words += " No proxy in the path. Peers ask for tags; so do we where we also lock."
        yield Section("W1 save, loopback", words, first, goals.beaten(first, {"skopeo copy, 8 at once": 3.5}))
        bench.tell("W2")
        again = bench.contest(save.again_contestants(near, min(bench.runs, _ENOUGH)), 2 * bench.runs)
        yield Section("W2 the same again", "Nothing changed.", again, goals.again(again))
        bench.profile("W1 save, loopback", near.ours())
        bench.tell("W3")
        yield Section("W3 SIGKILL and again", _killed_words(), more=_killed(near))
    shape = Shape()
    with save.opened(place / "source", catalogue, place / "far", shape) as far:
        bench.tell(f"W1 over a line of {shape}")
        results = bench.contest(save.far_contestants(far), min(bench.runs, _ENOUGH))
        words = f"The same over a line of {shape}: a TCP proxy of this machine in the path of everybody."
        yield Section("W1 save, slow line", words, results, goals.far(results))
    remove(place)


def packing(bench: Bench) -> Iterator[Section]:
    """W4, W5 of an image that is one tree, W7 and W9."""
    place = bench.work / "packing"
    for part in (_rootfs, _edited, _twice, _many):
        yield from part(bench, place)
        remove(place)


def _rootfs(bench: Bench, place: Path) -> Iterator[Section]:
    for title, write in (("a realistic rootfs", rootfs.write_mixed), ("plain binaries", rootfs.write_plain)):
        bench.tell(f"W4: {title}")
        write(place / "tree", bench.donors, bench.scale)
        work = packaging.Packaging("tree", place / "tree", place / "work")
        results = bench.contest(packaging.contestants(work))
        reached = [*goals.beaten(results, {"buildah": 8, "umoci": 2}), *goals.size(results)]
        words = f"{work.size / 1e6:.0f} MB as one layer of one OCI image. tar makes no image and no digest."
        words += " buildah: bud in a chroot on vfs, then push to a layout with gzip; its storage is empty at first."
        yield Section(f"W4 package {title}", words, results, reached)
        bench.profile(f"W4 package {title}", work.ours())
        remove(place)


def _edited(bench: Bench, place: Path) -> Iterator[Section]:
    bench.tell("W5 of the tree")
    rootfs.write_mixed(place / "tree", bench.donors, bench.scale)
    work = packaging.Packaging("tree", place / "tree", place / "work")
    results = bench.contest(packaging.edited_contestants(work))
    words = (
        "The realistic rootfs of W4 is one layer, which everybody makes again; for those of a cluster image see below."
    )
    yield Section("W5 one small file of that tree edited", words, results)


def _twice(bench: Bench, place: Path) -> Iterator[Section]:
    bench.tell("W7")
    rootfs.write_plain(place / "tree", bench.donors, 0.05 * bench.scale)
    words = "A tree twice: other directory, times, umask, time zone, locale, hash seed. buildah with `--timestamp 0`."
    yield Section("W7 the same image twice", words, more=reproduce.lines(place / "tree", place))


def _many(bench: Bench, place: Path) -> Iterator[Section]:
    files = int(_MANY * bench.scale)
    bench.tell(f"W9: {files} files")
    rootfs.write_many(place / "tree", files)
    work = packaging.Packaging("tree", place / "tree", place / "work")
    results = bench.contest(packaging.many_contestants(work))
    words = f"{work.size / 1e6:.0f} MB of texts, 50 in a directory, as one layer of one OCI image."
    yield Section(f"W9 package {files} small files", words, results)


def building(bench: Bench) -> Iterator[Section]:
    """W6, W5 and the no-op, of whole cluster images."""
    missing = [name for name in ("docker-registry", "nginx") if program(name) is None]
    if missing:
        yield Section("W5, W6 and no-op", f"Skipped: {' and '.join(missing)} not installed, the source.")
        return
    place = bench.work / "building"
    bench.tell("W6: making the upstream")
    root = Path(__file__).parent.parent
    source = upstream.write(place / "upstream", root, bench.donors, _MATRIX_SCALE * bench.scale)
    with matrix.opened(source, place / "work") as work:
        bench.tell("W6")
        results = bench.contest([work.ours(), work.script()], min(bench.runs, _ENOUGH))
        words = f"{', '.join(upstream.VERSIONS)} for docker and containerd, amd64 and arm64, with and without Calico:"
        words += f" 24 images of {source.size / 1e6:.0f} MB of files and images. The script is `serial-build.sh`."
        words += " On disk are what was fetched and the layers that were made of it."
        yield Section("W6 matrix", words, results, goals.matrix(results))
        bench.tell("no-op")
        still = bench.contest(matrix.still(work), 4 * bench.runs)
        yield Section("No-op `doit build`", "Everything is up to date.", still, goals.still(still))
        bench.profile("No-op of one image", matrix.still(work)[1], 10)
        bench.tell("W5")
        edited = bench.contest([work.edited()])
        words = (
            f"A script in `context/` edited, then `doit build` of {upstream.VERSIONS[1]} for docker, both platforms."
        )
        yield Section(
            "W5 one small file of a cluster image edited",
            words,
            edited,
            goals.edited(edited, work.clean_digest_is_equal()),
        )
    remove(place)


# ------------------------------------------------------------------- SIGKILL


def _killed_words() -> str:
    return (
        "Killed when 25, 50, 75 % of the bytes were there (the peer at 50 %), then run again to a checked end: what the"
        " source sent in excess. Its log counts what it gave to the kernel, so some megabytes of every connection never"
        " arrived."
    )


def _killed(work: save.Save) -> list[str]:
    lines = []
    ours = work.project.build / "cache-v1"
    for contestant, place, shares in ((work.ours(), ours, _SHARES), (work.skopeo(8), work.target, _SHARES_OF_PEERS)):
        if any(program(name) is None for name in contestant.needs):
            lines.append(f"- {contestant.name}: skipped, not installed")
            continue
        try:
            excess = [save.killed(work, contestant, place, share) for share in shares]
        except WrongResult as error:
            lines.append(f"- {contestant.name}: out: {error}")
        else:
            lines.append(f"- {contestant.name}: {', '.join(f'{one:.0f}' for one in excess)} MB")
    return lines


def memory(bench: Bench) -> Section:
    """How much memory any of our runs took."""
    most = max(bench.ours, key=lambda result: result.rss)
    return Section("Memory", "The most that any run of ours took, in all works.", goals=goals.memory(most))
