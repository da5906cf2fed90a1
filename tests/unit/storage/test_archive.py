"""Archives of upstreams: what is wanted comes out, nothing else ever touches the disk."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import tarfile
from pathlib import Path

import pytest

from clusterimage.storage import archive, manifest
from clusterimage.values.errors import ClusterImageError
from tests.unit.conftest import error_of, plant, tar_of, texts

INSTALL = (("dir/tool", "bin/tool"),)
TOOL = ("dir/tool", b"tool")
NOISE = bytes(range(256)) * 400  # a content that gzip cannot make nothing of


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def extract(root: Path, data: bytes, install: tuple[tuple[str, str], ...] = INSTALL, mode: int = 0o755) -> None:
    (root / "a.tar").write_bytes(data)
    archive.extract(root / "a.tar", install, mode, "tools", root / "tree")


def refused(root: Path, data: bytes, install: tuple[tuple[str, str], ...] = INSTALL) -> ClusterImageError:
    """Return the error; no tree, no manifest and no left-over of the attempt is there afterwards."""
    error = error_of(extract, root, data, install)
    assert [path.name for path in root.iterdir()] == ["a.tar"]
    return error


@pytest.mark.parametrize("name", ["dir/tool", "./dir/tool"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_the_wanted_member_comes_out_whatever_the_compression(tmp_path: Path, name: str, pack: type) -> None:
    extract(tmp_path, pack(tar_of((name, b"tool"), ("dir/other", b"x"))))

    assert texts(tmp_path / "tree") == {"bin/tool": "tool"}
    assert (tmp_path / "tree" / "bin" / "tool").stat().st_mode & 0o777 == 0o755


def test_the_manifest_says_what_came_out(tmp_path: Path) -> None:
    install = (("a", "etc/a"), ("b", "etc/b"))

    extract(tmp_path, tar_of(("b", b"2"), ("a", b"1")), install, mode=0o644)

    entries = manifest.read(tmp_path / "tree.manifest")
    assert entries == manifest.scan(tmp_path / "tree", part="tools")
    assert [(entry.path, entry.mode, entry.part) for entry in entries] == [
        ("etc/a", 0o644, "tools"),
        ("etc/b", 0o644, "tools"),
    ]


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    extract(tmp_path, tar_of(("dir/tool", b"")))

    assert texts(tmp_path / "tree") == {"bin/tool": ""}


def test_of_two_members_of_a_name_the_last_counts_as_in_tar(tmp_path: Path) -> None:
    extract(tmp_path, tar_of(("dir/tool", b"old"), ("dir/tool", b"new")))

    assert texts(tmp_path / "tree") == {"bin/tool": "new"}


def test_an_older_tree_goes(tmp_path: Path) -> None:
    plant(tmp_path, {"tree/bin/old": "x"})

    extract(tmp_path, tar_of(TOOL))

    assert texts(tmp_path / "tree") == {"bin/tool": "tool"}


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("/tmp/clusterimage-outside"),
        member("dir/../../outside"),
        member("bin", tarfile.SYMTYPE, "../.."),
        member("bin/tool", tarfile.SYMTYPE, "/etc/passwd"),
        member("dir", tarfile.SYMTYPE, "/"),
        member("hard", tarfile.LNKTYPE, "../../a.tar"),
        member("fifo", tarfile.FIFOTYPE),
        member("null", tarfile.CHRTYPE),
        member("disk", tarfile.BLKTYPE),
        member("deep/", tarfile.DIRTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_a_hostile_member_is_not_written(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    root = tmp_path / "inner" / "root"
    root.mkdir(parents=True)

    extract(root, tar_of((hostile, b""), TOOL))

    assert list(texts(tmp_path)) == ["inner/root/a.tar", "inner/root/tree/bin/tool", "inner/root/tree.manifest"]
    assert not Path("/tmp/clusterimage-outside").exists()


@pytest.mark.parametrize(
    "other",
    [
        member("dir/tool", tarfile.SYMTYPE, "/etc/passwd"),
        member("dir/tool", tarfile.LNKTYPE, "dir/other"),
        member("dir/tool", tarfile.DIRTYPE),
        member("dir/tool", tarfile.FIFOTYPE),
        member("../dir/tool"),
        member("/dir/tool"),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_only_a_regular_file_of_exactly_that_name_is_taken(tmp_path: Path, other: tarfile.TarInfo) -> None:
    error = refused(tmp_path, tar_of(("dir/other", b"x"), (other, b"")))

    assert error.problem == f"{tmp_path}/a.tar: has no member dir/tool"


def test_a_missing_member_is_named_with_the_nearest(tmp_path: Path) -> None:
    error = refused(tmp_path, tar_of(("./dir/tools", b"x")), (("dir/tool", "bin/tool"), ("dir/zzz", "bin/zzz")))

    assert (error.problem, error.hint) == (f"{tmp_path}/a.tar: has no member dir/tool", "did you mean dir/tools?")


def test_an_archive_that_fails_takes_the_manifest_with_it(tmp_path: Path) -> None:
    extract(tmp_path, tar_of(TOOL))

    error_of(extract, tmp_path, tar_of())

    assert not (tmp_path / "tree.manifest").exists()


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def zeroed(data: bytes) -> bytes:
    return data[:50_000] + bytes(1000) + data[51_000:]


PLAIN = tar_of(("dir/tool", NOISE))
GZIPPED = gzip.compress(PLAIN, mtime=0)
LARGE = tar_of(("dir/tool", hashlib.shake_256(b"").hexdigest(200_000).encode()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive at all" * 100,
        PLAIN[:300],
        PLAIN[: len(NOISE) // 2],
        flipped(PLAIN, 150),
        GZIPPED[:40],
        GZIPPED[: len(GZIPPED) // 2],
        flipped(GZIPPED, 0),
        flipped(GZIPPED, 12),
        flipped(GZIPPED, 40),
        flipped(GZIPPED, len(GZIPPED) // 2),
        flipped(GZIPPED, len(GZIPPED) - 6),
        zeroed(gzip.compress(LARGE)),
        zeroed(bz2.compress(LARGE)),
        zeroed(lzma.compress(LARGE)),
        flipped(bz2.compress(PLAIN), 80),
        flipped(lzma.compress(PLAIN), 60),
        flipped(lzma.compress(PLAIN), 300),
    ],
    ids=range(18),
)
def test_a_damaged_archive_is_a_user_error_on_one_line(tmp_path: Path, data: bytes) -> None:
    error = refused(tmp_path, data)

    assert error.problem.startswith(f"{tmp_path}/a.tar: not a readable archive: ")
    assert error.hint == "see `url` of that component"


def test_a_missing_archive_is_no_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.extract(tmp_path / "none", INSTALL, 0o755, "tools", tmp_path / "tree")


@pytest.mark.parametrize("place", ["/bin/tool", "../tool", "bin/../../tool", "", "bin/\0"])
def test_a_place_that_leaves_the_tree_is_refused(tmp_path: Path, place: str) -> None:
    error = refused(tmp_path, tar_of(TOOL), (("dir/tool", place),))

    assert error.problem == f"'{place}': leaves the tree that it is written to"
    assert error.hint == "write it relative, without .."


@pytest.mark.parametrize(
    ("place", "expected"), [("a", "a"), ("a/b", "a/b"), ("./a/b", "a/b"), ("a..b/..c", "a..b/..c")]
)
def test_a_place_inside_is_below_the_root(tmp_path: Path, place: str, expected: str) -> None:
    assert archive.rooted(tmp_path, place) == tmp_path / expected


def unpack(root: Path, data: bytes) -> dict[str, str]:
    (root / "a.tar").write_bytes(data)
    archive.unpack(root / "a.tar", "overlay", root / "tree")
    return texts(root / "tree")


def test_all_of_an_archive_can_be_unpacked(tmp_path: Path) -> None:
    run = member("./bin/run")
    run.mode = 0o700
    link = member("bin/link", tarfile.SYMTYPE, "/outside/run")
    hard = member("hard", tarfile.LNKTYPE, "etc/file")

    found = unpack(
        tmp_path,
        gzip.compress(
            tar_of((member(".", tarfile.DIRTYPE), b""), (run, b"x"), (link, b""), ("etc/file", b"text"), (hard, b""))
        ),
    )

    assert found == {"bin/run": "x", "bin/link": "-> /outside/run", "etc/file": "text", "hard": "text"}
    assert manifest.read(tmp_path / "tree.manifest") == manifest.scan(tmp_path / "tree", part="overlay")
    assert [(tmp_path / "tree" / name).stat().st_mode & 0o777 for name in ("bin/run", "etc/file")] == [0o700, 0o644]


def test_a_directory_of_an_archive_keeps_its_mode_and_nothing_is_for_everybody_to_write(tmp_path: Path) -> None:
    modes = {"secret": 0o700, "open": 0o777, "tmp": 0o1777, "plain": 0o755}
    folders = [member(name, tarfile.DIRTYPE) for name in modes]
    files = [member("secret/key"), member("secret/run")]
    for one, mode in zip((*folders, *files), (*modes.values(), 0o600, 0o6777), strict=True):
        one.mode = mode

    unpack(tmp_path, tar_of(*((one, b"") for one in (*folders, *files))))

    found = {entry.path: entry.mode for entry in manifest.read(tmp_path / "tree.manifest")}
    assert found == {
        "secret": 0o700, "secret/key": 0o600, "secret/run": 0o755, "open": 0o755, "tmp": 0o1777, "plain": 0o755,
    }  # fmt: skip


def test_an_empty_directory_is_unpacked_and_the_last_of_a_name_counts(tmp_path: Path) -> None:
    link = member("a", tarfile.SYMTYPE, "/etc/passwd")

    assert unpack(tmp_path, tar_of((member("empty/", tarfile.DIRTYPE), b""), (link, b""), ("a", b"file"))) == {
        "empty/": "",
        "a": "file",
    }


@pytest.mark.parametrize(
    ("hostile", "problem"),
    [
        ([(member("../x"), b"")], "'../x': leaves the tree that it is written to"),
        ([(member("/x"), b"")], "'/x': leaves the tree that it is written to"),
        ([(member("a", tarfile.SYMTYPE, "/tmp"), b""), ("a/x", b"")], "{}/a.tar: 'a/x' lies below a link"),
        ([(member("a", tarfile.SYMTYPE, ".."), b""), ("a/b/x", b"")], "{}/a.tar: 'a/b/x' lies below a link"),
        ([(member("null", tarfile.CHRTYPE), b"")], "{}/a.tar: 'null' is a device or the like"),
        ([(member("fifo", tarfile.FIFOTYPE), b"")], "{}/a.tar: 'fifo' is a device or the like"),
        ([(member("hard", tarfile.LNKTYPE, "/etc/passwd"), b"")], "{}/a.tar: 'hard' links to what is not in it"),
        ([("a", b""), ("a/x", b"")], "{}/a.tar: 'a/x' lies below a file"),
        ([("a", b""), (member("a", tarfile.DIRTYPE), b"")], "{}/a.tar: 'a' is a file and a directory"),
    ],
)
def test_a_hostile_archive_is_not_unpacked(
    tmp_path: Path, hostile: list[tuple[tarfile.TarInfo | str, bytes]], problem: str
) -> None:
    error = error_of(unpack, tmp_path, tar_of(*hostile))

    assert error.problem == problem.format(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize(
    "data",
    [b"", PLAIN[:300], flipped(GZIPPED, len(GZIPPED) - 6), zeroed(gzip.compress(LARGE)), zeroed(bz2.compress(LARGE))],
    ids=range(5),
)
def test_a_damaged_archive_is_not_unpacked(tmp_path: Path, data: bytes) -> None:
    error = error_of(unpack, tmp_path, data)

    assert error.problem.startswith(f"{tmp_path}/a.tar: not a readable archive: ")
    assert error.hint == "make it again"
