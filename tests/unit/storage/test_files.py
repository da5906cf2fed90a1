"""Files and trees appear whole or not at all, and links are never followed."""

from __future__ import annotations

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusterimage.storage import files
from clusterimage.values import digest
from tests.unit.conftest import plant, texts


class Broken(Exception):
    """A step that fails."""


def test_a_file_takes_the_place_of_the_old_one_with_its_mode(tmp_path: Path) -> None:
    dest = plant(tmp_path, {"deep/file": "old"}) / "deep" / "file"

    files.write(dest, b"new", mode=0o755)

    assert texts(tmp_path) == {"deep/file": "new"}
    assert dest.stat().st_mode & 0o777 == 0o755


def test_a_file_makes_its_directories(tmp_path: Path) -> None:
    files.write(tmp_path / "a" / "b" / "file", b"x")

    assert texts(tmp_path) == {"a/b/file": "x"}


def test_a_step_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    dest = plant(tmp_path, {"file": "old"}) / "file"

    with pytest.raises(Broken), files.atomic(dest) as stream:
        stream.write(b"half")
        raise Broken

    assert texts(tmp_path) == {"file": "old"}


def test_nobody_sees_a_file_before_it_is_whole(tmp_path: Path) -> None:
    with files.atomic(tmp_path / "file") as stream:
        stream.write(b"half")
        stream.flush()
        seen = (tmp_path / "file").exists()

    assert not seen
    assert texts(tmp_path) == {"file": "half"}


def test_a_tree_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    plant(tmp_path, {"tree/old": "1", "tree/both": "1"})

    with files.atomic_tree(tmp_path / "tree") as tree:
        plant(tree, {"both": "2"})

    assert texts(tmp_path) == {"tree/both": "2"}


def test_a_step_that_fails_leaves_the_old_tree_and_nothing_else(tmp_path: Path) -> None:
    plant(tmp_path, {"tree/old": "1"})

    with pytest.raises(Broken), files.atomic_tree(tmp_path / "tree") as tree:
        plant(tree, {"new": "2"})
        raise Broken

    assert texts(tmp_path) == {"tree/old": "1"}


def test_two_who_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    contents = [bytes([65 + number]) * 10_000 for number in range(16)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: files.write(tmp_path / "file", data), contents))

    assert (tmp_path / "file").read_bytes() in contents
    assert list(texts(tmp_path)) == ["file"]


def test_a_second_name_is_a_hard_link(tmp_path: Path) -> None:
    plant(tmp_path, {"source": "x"})

    files.link_or_copy(tmp_path / "source", tmp_path / "dest")

    assert (tmp_path / "dest").samefile(tmp_path / "source")


def test_where_links_are_not_possible_a_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, dest: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    plant(tmp_path, {"source": "x"})
    (tmp_path / "source").chmod(0o755)
    monkeypatch.setattr(os, "link", refuse)

    files.link_or_copy(tmp_path / "source", tmp_path / "dest")

    assert texts(tmp_path) == {"source": "x", "dest": "x"}
    assert not (tmp_path / "dest").samefile(tmp_path / "source")
    assert (tmp_path / "dest").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP])
def test_what_the_kernel_does_not_copy_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(source: int, dest: int, count: int) -> int:
        raise OSError(number, os.strerror(number))

    plant(tmp_path, {"source": "x" * 100_000})
    monkeypatch.setattr(os, "copy_file_range", refuse)

    files.copy(tmp_path / "source", tmp_path / "dest")

    assert (tmp_path / "dest").read_text() == "x" * 100_000


def test_a_copy_that_the_kernel_gives_up_half_way_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(source: int, dest: int, count: int) -> int:
        if os.lseek(dest, 0, os.SEEK_CUR):
            raise OSError(errno.EINVAL, "Invalid argument")
        return os.write(dest, os.read(source, 60_000))

    plant(tmp_path, {"source": "xy" * 50_000})
    monkeypatch.setattr(os, "copy_file_range", half)

    files.copy(tmp_path / "source", tmp_path / "dest")

    assert (tmp_path / "dest").read_text() == "xy" * 50_000


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
def test_a_copy_is_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(os.urandom(size))

    files.copy(tmp_path / "source", tmp_path / "dest")

    assert (tmp_path / "dest").read_bytes() == (tmp_path / "source").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
@pytest.mark.parametrize("shared", [False, True])
def test_a_copy_is_hashed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, shared: bool) -> None:
    def clone(dest: int, request: int, source: int) -> None:
        if not shared:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        os.pwrite(dest, os.pread(source, size, 0), 0)

    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(os.urandom(size))
    source.chmod(0o751)
    monkeypatch.setattr(fcntl, "ioctl", clone)

    found = files.copy_hashed(source, dest)

    assert found == digest.of_file(source) == digest.of_file(dest)
    assert dest.stat().st_mode & 0o777 == 0o751


def test_whoever_copied_a_file_knows_its_digest_until_it_changes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")

    found = files.copy_hashed(source, tmp_path / "dest")

    assert digest.seeded(source.stat()) == found
    source.write_bytes(b"other")
    assert digest.seeded(source.stat()) is None


def test_a_second_name_takes_no_place_that_is_taken(tmp_path: Path) -> None:
    plant(tmp_path, {"source": "x", "dest": "y"})

    with pytest.raises(FileExistsError):
        files.link_or_copy(tmp_path / "source", tmp_path / "dest")


def test_a_missing_source_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.link_or_copy(tmp_path / "none", tmp_path / "dest")


def test_a_link_is_copied_as_the_link_that_it_is(tmp_path: Path) -> None:
    plant(tmp_path, {"link": "-> nowhere"})

    files.copy(tmp_path / "link", tmp_path / "dest")

    assert texts(tmp_path) == {"link": "-> nowhere", "dest": "-> nowhere"}


def test_links_are_removed_and_what_they_point_at_stays(tmp_path: Path) -> None:
    plant(tmp_path, {"kept/file": "x", "gone/inner/file": "y", "gone/link": "-> ../kept", "dangling": "-> none"})
    plant(tmp_path, {"link": "-> kept"})

    for name in ("gone", "link", "dangling", "never"):
        files.remove(tmp_path / name)

    assert texts(tmp_path) == {"kept/file": "x"}


def test_a_walk_is_sorted_and_names_links_but_does_not_follow_them(tmp_path: Path) -> None:
    plant(tmp_path, {"b": "", "a/z": "", "a.b": "", "empty/": "", "linked": "-> a", "dangling": "-> none"})

    found = [path.relative_to(tmp_path).as_posix() for path in files.walk(tmp_path)]

    assert found == ["a/z", "a.b", "b", "dangling", "linked"]


def test_what_a_killed_run_left_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    kept = {"dist/image/x": "1", "dist/x.tmp": "2", "dist/.hidden": "3", "build/cache/sha256/aa": "4"}
    left = {
        "dist/.image.1.0.tmp/blobs/x": "",
        "build/.state.1.2.tmp": "",
        "build/trees/.crictl.1.3.tmp/bin/x": "",
        "build/cache/sha256/.aa.1.4.tmp": "",
        "build/trees/.link.1.5.tmp": "-> ../../dist",
    }
    plant(tmp_path, {**kept, **left})

    files.sweep(tmp_path / "dist", tmp_path / "build", tmp_path / "never")

    assert {name: text for name, text in texts(tmp_path).items() if not name.endswith("/")} == kept


def test_a_sweep_finds_what_is_being_written(tmp_path: Path) -> None:
    plant(files.beside(tmp_path / "tree"), {"x": ""})
    plant(tmp_path, {files.beside(tmp_path / "file").name: ""})

    files.sweep(tmp_path)

    assert list(tmp_path.iterdir()) == []
