"""Merging: collisions name both owners, ranks decide, nothing is written outside of the tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.storage import manifest, own_tree, tree
from clusterimage.storage.manifest import Entry
from clusterimage.storage.tree import Branch, Piece
from clusterimage.values.digest import of_bytes
from clusterimage.values.errors import CollisionError
from tests.unit.conftest import HEX_A, error_of, plant, texts


def piece(source: Path, place: str, owner: str = "one", **more: object) -> Piece:
    return Piece(source, place, owner, "config", **more)  # type: ignore[arg-type]


def branch(root: Path, files: dict[str, str | bytes], prefix: str = "", owner: str = "branch", rank: int = 0) -> Branch:
    manifest.write(root.with_name(f"{root.name}.manifest"), manifest.scan(plant(root, files), part="tools"))
    return Branch(root, prefix, owner, rank)


def merge(dest: Path, *parts: Piece | Branch, empty: tuple[str, ...] = ()) -> dict[str, str]:
    pieces = tuple(part for part in parts if isinstance(part, Piece))
    branches = tuple(part for part in parts if isinstance(part, Branch))
    tree.merge(pieces, branches, empty, dest)
    return texts(dest)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return plant(tmp_path / "source", {"a": "A", "b": "B", "a2": "A"})


def test_pieces_and_branches_become_one_tree(tmp_path: Path, source: Path) -> None:
    laid = branch(tmp_path / "branch", {"bin/x": "X"}, "rootfs")

    merged = merge(tmp_path / "dest", piece(source / "a", "rootfs/etc/a"), laid, piece(source / "b", "top"))

    assert merged == {"rootfs/etc/a": "A", "rootfs/bin/x": "X", "top": "B"}


def test_the_manifest_says_what_is_in_it_and_whose_part_it_is(tmp_path: Path, source: Path) -> None:
    laid = branch(tmp_path / "branch", {"bin/x": "X", "link": "-> bin/x"})
    plant(source, {"link": "-> /nowhere"})

    merge(
        tmp_path / "dest",
        laid,
        piece(source / "a", "run", mode=0o755, sha256=HEX_A),
        tree.piece_of(own_tree.read(source / "link", ""), "users", "me", "config"),
        empty=("registry",),
    )

    assert manifest.read(tmp_path / "dest.manifest") == (
        Entry("bin/x", 0o644, 1, of_bytes(b"X").hex, part="tools"),
        Entry("link", 0o777, link="bin/x", part="tools"),
        Entry("registry", 0o755, part="config"),
        Entry("run", 0o755, 1, HEX_A, part="config"),
        Entry("users", 0o777, link="/nowhere", part="config"),
    )


def users(root: Path, rank: int = 0) -> tuple[Piece, ...]:
    return tuple(tree.piece_of(one, f"rootfs/{one.place}", "me", "overlay", rank) for one in own_tree.walk(root))


def test_a_tree_of_the_user_s_is_merged_with_its_modes_and_links(tmp_path: Path) -> None:
    mine = plant(
        tmp_path / "mine", {"etc/key": "k", "etc/pki/ca": "c", "var/empty/": "", "now": "-> etc", "no": "-> /x"}
    )
    for name, mode in {"etc/key": 0o640, "etc/pki": 0o750, "var/empty": 0o1777}.items():
        (mine / name).chmod(mode)

    merge(tmp_path / "dest", *users(mine), branch(tmp_path / "other", {"etc/pki/other": "o"}, "rootfs"))

    assert [(one.path, f"{one.mode:o}", one.link) for one in manifest.read(tmp_path / "dest.manifest")] == [
        ("rootfs/etc/key", "640", ""),
        ("rootfs/etc/pki", "750", ""),
        ("rootfs/etc/pki/ca", "644", ""),
        ("rootfs/etc/pki/other", "644", ""),
        ("rootfs/no", "777", "/x"),
        ("rootfs/now", "777", "etc"),
        ("rootfs/var/empty", "1777", ""),
    ]


def test_of_two_modes_of_a_directory_the_one_of_the_higher_rank_counts(tmp_path: Path) -> None:
    one, other = (plant(tmp_path / name, {"etc/a": "a"}) for name in ("one", "other"))
    (one / "etc").chmod(0o700)
    (other / "etc").chmod(0o750)

    merge(tmp_path / "dest", *users(one), *users(other, rank=1))

    assert [entry.mode for entry in manifest.read(tmp_path / "dest.manifest")] == [0o750, 0o644]


@pytest.mark.parametrize("below", ["link/x", "link/"])
def test_nothing_is_laid_below_a_link_of_the_user_s(tmp_path: Path, below: str) -> None:
    mine = plant(tmp_path / "mine", {"link": "-> /outside"})

    error = error_of(merge, tmp_path / "dest", *users(mine), branch(tmp_path / "b", {below: ""}, "rootfs"))

    assert error.problem.startswith("rootfs/link: me brings it, and ")


def test_a_set_id_bit_is_dropped_and_that_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = plant(tmp_path / "mine", {"bin/su": "s", "bin/wall": "w", "bin/ls": "l", "group/": ""})
    for name, mode in {"bin/su": 0o4755, "bin/wall": 0o2555, "bin/ls": 0o755, "group": 0o2775}.items():
        (mine / name).chmod(mode)
    pieces = users(mine)

    merge(tmp_path / "dest", *pieces, *(replace(one, place=f"again/{one.place}") for one in pieces))

    modes = {one.path: one.mode for one in manifest.read(tmp_path / "dest.manifest")}
    assert (modes["rootfs/bin/su"], modes["rootfs/bin/wall"], modes["rootfs/group"]) == (0o755, 0o555, 0o755)
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(": ")[0] for line in said] == [f"{mine}/bin/su", f"{mine}/bin/wall"]
    assert all(record.notice for record in caplog.records)  # type: ignore[attr-defined]


def test_an_older_tree_goes(tmp_path: Path, source: Path) -> None:
    merge(tmp_path / "dest", piece(source / "a", "old"))

    assert merge(tmp_path / "dest", piece(source / "a", "new")) == {"new": "A"}


def test_directories_that_shall_be_empty_are_made(tmp_path: Path) -> None:
    assert merge(tmp_path / "dest", empty=("rootfs/registry", "rootfs/manifests")) == {
        "rootfs/manifests/": "",
        "rootfs/registry/": "",
    }


def test_empty_directories_of_a_branch_are_kept(tmp_path: Path, source: Path) -> None:
    laid = branch(tmp_path / "branch", {"opt/empty/": "", "x": ""}, "rootfs")

    assert merge(tmp_path / "dest", laid) == {"rootfs/opt/empty/": "", "rootfs/x": ""}
    assert [entry.path for entry in manifest.read(tmp_path / "dest.manifest")] == ["rootfs/opt/empty", "rootfs/x"]


def test_two_owners_with_different_content_are_both_named(tmp_path: Path, source: Path) -> None:
    pieces = piece(source / "a", "etc/x", "docker"), piece(source / "b", "etc/x", "overlay")

    with pytest.raises(CollisionError) as raised:
        merge(tmp_path / "dest", *pieces)

    assert raised.value.problem == "etc/x: both docker and overlay bring it, with different content"
    assert not (tmp_path / "dest").exists()


def test_a_collision_takes_the_manifest_with_it(tmp_path: Path, source: Path) -> None:
    merge(tmp_path / "dest", piece(source / "a", "x"))

    error_of(merge, tmp_path / "dest", piece(source / "a", "x"), piece(source / "b", "x"))

    assert not (tmp_path / "dest.manifest").exists()


def test_a_branch_collides_like_a_piece(tmp_path: Path, source: Path) -> None:
    laid = branch(tmp_path / "branch", {"x": "other"}, owner="crictl")

    error = error_of(merge, tmp_path / "dest", piece(source / "a", "x", "context"), laid)

    assert error.problem == "x: both context and crictl bring it, with different content"


def test_two_owners_with_the_same_content_agree(tmp_path: Path, source: Path) -> None:
    assert merge(tmp_path / "dest", piece(source / "a", "x"), piece(source / "a2", "x", "two")) == {"x": "A"}


@pytest.mark.parametrize("turned", [False, True])
def test_the_higher_rank_wins_whatever_the_order(tmp_path: Path, source: Path, turned: bool) -> None:
    pieces = [piece(source / "a", "x", rank=0), piece(source / "b", "x", rank=2), piece(source / "a", "y", rank=1)]

    assert merge(tmp_path / "dest", *(reversed(pieces) if turned else pieces)) == {"x": "B", "y": "A"}


def test_two_of_a_lower_rank_collide_only_with_each_other(tmp_path: Path, source: Path) -> None:
    error = error_of(
        merge,
        tmp_path / "dest",
        piece(source / "a", "x", "one"),
        piece(source / "b", "x", "two"),
        piece(source / "b", "x", "three", rank=1),
    )

    assert "both one and two" in error.problem


def test_two_links_agree_where_their_targets_do(tmp_path: Path, source: Path) -> None:
    plant(source, {"l1": "-> none", "l2": "-> none", "l3": "-> other"})

    merged = merge(tmp_path / "dest", piece(source / "l1", "x"), piece(source / "l2", "x"))

    assert merged == {"x": "-> none"}
    assert (
        "both one and two"
        in error_of(merge, tmp_path / "dest", piece(source / "l1", "x"), piece(source / "l3", "x", "two")).problem
    )


def test_a_link_and_what_it_points_at_do_not_agree(tmp_path: Path, source: Path) -> None:
    plant(source, {"link": "-> a"})

    error = error_of(merge, tmp_path / "dest", piece(source / "a", "x"), piece(source / "link", "x", "two"))

    assert "both one and two" in error.problem


def test_what_we_made_is_linked_and_the_users_files_are_copied(tmp_path: Path, source: Path) -> None:
    merge(tmp_path / "dest", piece(source / "a", "made"), piece(source / "b", "users", users=True))

    assert (tmp_path / "dest" / "made").samefile(source / "a")
    assert not (tmp_path / "dest" / "users").samefile(source / "b")


@pytest.mark.parametrize("place", ["../x", "/x", "a/../../x"])
def test_nothing_is_written_outside_of_the_tree(tmp_path: Path, source: Path, place: str) -> None:
    for parts, empty in (((piece(source / "a", place),), ()), ((), (place,))):
        error = error_of(merge, tmp_path / "deep" / "dest", *parts, empty=empty)

        assert error.problem == f"'{place}': leaves the tree that it is written to"


def test_a_file_and_a_directory_of_one_name_collide(tmp_path: Path, source: Path) -> None:
    error = error_of(
        merge, tmp_path / "dest", piece(source / "a", "lib", "overlay o"), piece(source / "b", "lib/x/y", "gperf")
    )

    assert error.problem == "lib: overlay o brings it, and gperf brings lib/x/y below it"
    assert error.hint == "drop one of them"


def test_a_file_in_the_place_of_an_empty_directory_collides(tmp_path: Path, source: Path) -> None:
    error = error_of(merge, tmp_path / "dest", piece(source / "a", "registry", "overlay o"), empty=("registry",))

    assert error.problem.startswith("registry: overlay o brings it, and ")


def test_nothing_is_written_through_a_link(tmp_path: Path, source: Path) -> None:
    outside = plant(tmp_path / "outside", {"kept": "x"})
    plant(source, {"link": f"-> {outside}"})

    error = error_of(
        merge,
        tmp_path / "dest",
        piece(source / "link", "lib", "overlay o", users=True, rank=2),
        piece(source / "a", "lib/gperf", "gperf"),
    )

    assert error.problem == "lib: overlay o brings it, and gperf brings lib/gperf below it"
    assert texts(outside) == {"kept": "x"}


def test_a_name_that_breaks_the_manifest_is_refused(tmp_path: Path, source: Path) -> None:
    error = error_of(merge, tmp_path / "dest", piece(source / "a", "line\nfeed", users=True))

    assert error.problem == r"'line\nfeed': a name or target with control characters cannot be shipped"


def test_a_copy_goes_on_while_source_and_copy_are_what_they_were(tmp_path: Path) -> None:
    source, dest = plant(tmp_path / "s", {"a": "one", "b": "two"}), tmp_path / "dest"
    pieces = [piece(source / "a", "a", users=True), piece(source / "b", "b", users=True)]
    merge(dest, *pieces)
    inodes = {name: (dest / name).stat().st_ino for name in "ab"}
    first = manifest.read(tmp_path / "dest.manifest")
    (source / "b").write_text("two!")

    merge(dest, *pieces)

    assert (dest / "a").stat().st_ino == inodes["a"]
    assert texts(dest) == {"a": "one", "b": "two!"}
    assert manifest.read(tmp_path / "dest.manifest") != first


@pytest.mark.parametrize("place", ["dest/a", "dest.copies"])
def test_a_copy_that_was_damaged_is_made_again(tmp_path: Path, place: str) -> None:
    source, dest = plant(tmp_path / "s", {"a": "one"}), tmp_path / "dest"
    merge(dest, piece(source / "a", "a", users=True))
    expected = manifest.read(tmp_path / "dest.manifest")
    (tmp_path / place).write_text("damaged")

    merge(dest, piece(source / "a", "a", users=True))

    assert texts(dest) == {"a": "one"}
    assert manifest.read(tmp_path / "dest.manifest") == expected
