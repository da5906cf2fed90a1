"""Damage of a package that was built is found and named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage import package
from tests.conftest import tool
from tests.unit.conftest import error_of, plant
from tests.unit.test_package import describe, filled, snapshot, write


def test_a_whole_package_is_right_and_others_say_so_too(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)

    package.verify(tmp_path / "dest")
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
        ("SHA256SUMS", Path.unlink, "is not a built image"),
        ("SHA256SUMS", filled(b"garbage"), "damaged"),
        ("SHA256SUMS", filled(b"\xff\xfe"), "damaged"),
    ],
)
def test_damage_is_found_and_named(
    tmp_path: Path, pattern: str, damage: Callable[[Path], object], problem: str
) -> None:
    write(describe(tmp_path), tmp_path)
    path = sorted((tmp_path / "dest").glob(pattern))[0]
    damage(path)

    error = error_of(package.verify, tmp_path / "dest")

    named = tmp_path / "dest" if problem == "is not a built image" else path
    assert error.problem.startswith(f"{named}: {problem}")
    assert error.hint in ("run doit build again", "run doit build")


@pytest.mark.parametrize("name", ["extra", "blobs/sha256/extra", "deep/er/extra"])
def test_what_does_not_belong_to_it_is_named(tmp_path: Path, name: str) -> None:
    write(describe(tmp_path), tmp_path)
    plant(tmp_path / "dest", {name: "x"})

    error = error_of(package.verify, tmp_path / "dest")

    assert error.problem == f"{tmp_path}/dest/{name}: does not belong to it"
