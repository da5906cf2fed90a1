"""Damage of a package that was built is found and named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage.image import package
from tests.conftest import tool
from tests.unit.conftest import error_of, plant
from tests.unit.image.test_package import describe, filled, snapshot, write


def test_a_whole_package_is_right_and_others_say_so_too(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)

    assert tuple(package.find_damage(tmp_path / "dest")) == ()
    done = subprocess.run(
        [tool("sha256sum"), "-c", "--strict", "SHA256SUMS"], cwd=tmp_path / "dest", check=True, capture_output=True
    )

    assert len(done.stdout.splitlines()) == len(snapshot(tmp_path / "dest")) - 1


def link_away(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize(
    ("pattern", "damage", "problem"),
    [
        ("index.json", flip, "expected"),
        ("oci-layout", flip, "expected"),
        ("blobs/sha256/*", flip, "expected"),
        ("index.json", filled(b"garbage"), "expected"),
        ("index.json", Path.unlink, "is missing"),
        ("oci-layout", Path.unlink, "is missing"),
        ("blobs/sha256/*", Path.unlink, "is missing"),
        ("index.json", link_away, "is a link"),
    ],
)
def test_damage_is_found_and_named(
    tmp_path: Path, pattern: str, damage: Callable[[Path], object], problem: str
) -> None:
    write(describe(tmp_path), tmp_path)
    path = sorted((tmp_path / "dest").glob(pattern))[0]
    damage(path)

    (found,) = package.find_damage(tmp_path / "dest")

    assert found.startswith(f"{path.relative_to(tmp_path / 'dest')}: {problem}")


def test_all_damage_is_named_at_once(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)
    dest = tmp_path / "dest"
    blob = sorted((dest / "blobs/sha256").iterdir())[0]
    flip(blob)
    link_away(dest / "index.json")
    (dest / "oci-layout").unlink()
    plant(dest, {"extra": "x"})

    found = [line.partition(" ")[0] for line in package.find_damage(dest)]

    assert found == ["extra:", "oci-layout:", f"blobs/sha256/{blob.name}:", "index.json:"]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    error = error_of(tuple, package.find_damage(tmp_path))

    assert (error.problem, error.hint) == (f"{tmp_path}: is not a built image", "run doit build")


@pytest.mark.parametrize("garbage", [b"garbage", b"\xff\xfe"])
def test_damaged_sums_are_named(tmp_path: Path, garbage: bytes) -> None:
    write(describe(tmp_path), tmp_path)
    sums = tmp_path / "dest/SHA256SUMS"
    sums.unlink()
    sums.write_bytes(garbage)

    error = error_of(tuple, package.find_damage(tmp_path / "dest"))

    assert (error.problem, error.hint) == (f"{sums}: damaged", "run doit build again")


@pytest.mark.parametrize("name", ["extra", "blobs/sha256/extra", "deep/er/extra"])
def test_what_does_not_belong_to_it_is_named(tmp_path: Path, name: str) -> None:
    write(describe(tmp_path), tmp_path)
    plant(tmp_path / "dest", {name: "x"})

    assert tuple(package.find_damage(tmp_path / "dest")) == (f"{name}: does not belong to it",)
