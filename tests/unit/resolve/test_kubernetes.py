"""Locking: what is required is pinned, what is pinned stays, what nobody needs goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.catalog.requirement import Requirement
from clusterimage.locks import lock
from clusterimage.locks.lock import FIRST_USE, Lock
from clusterimage.plan.work_items import Locking
from clusterimage.resolve import kubernetes
from clusterimage.storage import compression
from clusterimage.transport.store import Store
from clusterimage.upstream import Faults, Upstream, published
from clusterimage.values.digest import Digest
from clusterimage.values.version import Version
from tests.unit.conftest import HEX_A, error_of, reach


@pytest.fixture
def needed(small: Path) -> Requirement:
    return requirement.require(spec.load(small / "versions.toml"), Version(1, 22, 15), (), small)


@pytest.fixture
def world(needed: Requirement, faults: Faults) -> Iterator[Upstream]:
    with Upstream(*published([needed]), faults=faults) as running:
        yield running


def loaded(path: Path) -> Lock:
    found = lock.load(path)
    assert found is not None
    return found


def locking(needed: Requirement, root: Path, any_flavor: Requirement | None = None) -> Locking:
    return Locking(needed, any_flavor or needed, root / "lock.toml", missing=0)


def write(world: Upstream, needed: Requirement, root: Path, witnesses: Path | None = None) -> Lock:
    none = root / "no-witnesses.toml"
    none.parent.mkdir(parents=True, exist_ok=True)
    none.write_text("")
    tables = kubernetes.Facts(witnesses, none) if witnesses else kubernetes.Facts()
    kubernetes.write(reach(world), locking(needed, root), tables, Store(root / "cache"))
    return loaded(root / "lock.toml")


def complete(world: Upstream, needed: Requirement, root: Path) -> Lock:
    kubernetes.complete(reach(world), locking(needed, root), kubernetes.Facts(), Store(root / "cache"))
    return loaded(root / "lock.toml")


def test_everything_that_is_required_is_pinned(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    made = write(world, needed, tmp_path)

    assert made.lacks(needed) == ((), ())
    assert made.compressor == compression.every()
    assert {file.component: file.witness for file in made.files} == {
        "kubectl": "publisher",
        "crictl": "publisher",
        "docker": FIRST_USE,
        "containerd": FIRST_USE,
        "gperf": FIRST_USE,
        "tigera-operator": FIRST_USE,
    }
    assert all([platform.arch for platform in image.platforms] == ["amd64", "arm64"] for image in made.images)


def test_the_same_upstream_gives_the_same_lock(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    write(world, needed, tmp_path / "one")
    write(world, needed, tmp_path / "two")

    assert (tmp_path / "one/lock.toml").read_bytes() == (tmp_path / "two/lock.toml").read_bytes()


def test_a_checksum_list_is_asked_for_once(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    shared = "https://files.example/sums/all"
    files = tuple(replace(file, checksum_url=shared) if file.component == "crictl" else file for file in needed.files)
    needed = replace(needed, files=files)
    with Upstream(*published([needed])) as upstream:
        write(upstream, needed, tmp_path)

        assert upstream.requests.count("/sums/all") == 1


def test_nothing_is_asked_for_when_nothing_lacks(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    first = write(world, needed, tmp_path)
    world.requests.clear()

    assert complete(world, needed, tmp_path) == first
    assert world.requests.count() == 0


def test_pins_that_are_there_stay_as_they_are(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    first = write(world, needed, tmp_path)
    old = replace(first.files[0], digest=Digest(HEX_A))
    kept = replace(first, compressor="another", files=(old,), images=first.images[:1])
    lock.save(tmp_path / "lock.toml", kept)

    made = complete(world, needed, tmp_path)

    assert made.compressor == "another"
    assert old in made.files
    assert set(first.files[1:]) < set(made.files)
    assert set(made.images) == set(first.images)


def test_a_pin_from_another_url_is_made_again(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    first = write(world, needed, tmp_path)
    lock.save(tmp_path / "lock.toml", replace(first, files=(replace(first.files[0], url="https://old/x"),)))

    assert set(complete(world, needed, tmp_path).files) == set(first.files)


def test_pins_that_nothing_asks_for_go(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    write(world, needed, tmp_path)
    less = replace(needed, files=needed.files[:1], images=needed.images[:1])

    made = complete(world, less, tmp_path)

    assert [file.key for file in made.files] == [needed.files[0].key]
    assert [image.reference for image in made.images] == [needed.images[0].reference]


def test_writing_one_flavor_anew_keeps_the_pins_of_another(
    world: Upstream, needed: Requirement, tmp_path: Path
) -> None:
    first = write(world, needed, tmp_path)
    mine = replace(needed, files=needed.files[:1], images=needed.images[:1])
    world.requests.clear()

    kubernetes.write(reach(world), locking(mine, tmp_path, needed), kubernetes.Facts(), Store(tmp_path / "cache"))

    assert loaded(tmp_path / "lock.toml") == first
    asked = world.requests.count()
    assert 0 < asked < len(needed.files) + len(needed.images)


def test_writing_anew_asks_for_everything_again(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    first = write(world, needed, tmp_path)
    lock.save(tmp_path / "lock.toml", replace(first, files=(replace(first.files[0], digest=Digest(HEX_A)),)))

    assert write(world, needed, tmp_path) == first


def test_a_damaged_lock_is_made_anew(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    first = write(world, needed, tmp_path)
    (tmp_path / "lock.toml").write_text("damaged")

    assert complete(world, needed, tmp_path) == first


def test_the_second_witness_is_asked(world: Upstream, needed: Requirement, tmp_path: Path) -> None:
    table = tmp_path / "checksums.toml"
    table.write_text(f'[kubectl]\n"1.22.15" = {{ arm64 = "{HEX_A}" }}\n')

    error = error_of(write, world, needed, tmp_path, table)

    assert error.problem.startswith("https://dl.example/v1.22.15/arm64/kubectl: its publisher says sha256:")
    assert f"{table} says sha256:{HEX_A}" in error.problem


def test_a_missing_checksum_file_is_no_error_and_what_nobody_vouches_for_is_said(
    world: Upstream, needed: Requirement, faults: Faults, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults.add("kubectl.sha256", "status", None, code=404)
    amd64 = next(file for file in write(world, needed, tmp_path).files if file.key == ("kubectl", "1.22.15", "amd64"))
    table = tmp_path / "checksums.toml"
    table.write_text(f'[kubectl]\n"1.22.15" = {{ amd64 = "{amd64.digest.hex}" }}\n')

    lock = write(world, needed, tmp_path, table)

    witnesses = {file.arch: file.witness for file in lock.files if file.component == "kubectl"}
    assert witnesses == {"amd64": "table", "arm64": FIRST_USE}
    said = [record.getMessage() for record in caplog.records if getattr(record, "notice", False)]
    said = [text for text in said if "no row in" in text]
    assert len(said) == 1 and f"no row in {table}" in said[0]
    assert "kubectl 1.22.15 arm64" in said[0] and "kubectl 1.22.15 amd64" not in said[0]
    counted = sum(file.witness == FIRST_USE for file in lock.files)
    assert f": {counted} of {len(lock.files)} files." in (tmp_path / "lock.toml").read_text().splitlines()[1]


@pytest.mark.parametrize("path", ["arm64/kubectl", "gperf", "manifests/"])
def test_what_cannot_be_pinned_leaves_the_lock_as_it_was(
    world: Upstream, needed: Requirement, faults: Faults, tmp_path: Path, path: str
) -> None:
    faults.add(path, "status", None, code=404)

    error = error_of(write, world, needed, tmp_path)

    assert "404" in error.problem
    assert not (tmp_path / "lock.toml").exists()


def test_a_lock_that_must_not_change_is_refused() -> None:
    error = error_of(kubernetes.refuse, Path("locks/v1.22.15.toml"), 3)

    assert error.problem == "locks/v1.22.15.toml: lacks 3 pins, and locked=yes"
    assert error.hint == "run doit lock, review the change, commit it"
