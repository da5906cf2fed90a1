"""What a build would fetch and need, told from a small project's lock and store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.plan.plan import Plan
from clusterimage.queries import build_plan, disk_estimate
from clusterimage.queries.build_plan import BuildPlan
from tests.unit.conftest import error_of, plant
from tests.unit.plan.planning import expand, write_lock


@pytest.fixture
def locked(small: Path) -> Path:
    write_lock(small)
    return small


def compute(made: Plan) -> BuildPlan:
    return build_plan.compute(made, {})


def shown(made: Plan, form: str = "text") -> str:
    lines: list[str] = []
    build_plan.show(made, {}, form, lines.append)
    return "\n".join(lines)


def test_every_blob_counts_once_with_its_host(locked: Path) -> None:
    made = expand(locked)

    found = compute(made)

    assert found.reuse.blobs == 0
    assert found.fetch.blobs == sum(one.blobs for one in found.hosts.values())
    assert found.hosts["registry-1.docker.io"].blobs and found.hosts["k8s.gcr.io"].blobs
    assert found.images == {"v1.22.15-docker": False, "v1.22.15-docker-calico": False}


def test_what_a_cut_off_download_left_is_not_fetched_again(locked: Path) -> None:
    made = expand(locked)
    first, second = made.downloads[:2]
    store = made.layout.store
    before = compute(made)

    plant(store.root, {f"sha256/{first.pin.digest.hex}": "x", f"partial/{second.pin.digest.hex}": "x"})

    after = compute(made)
    assert (after.reuse.blobs, after.reuse.bytes) == (1, 1)
    assert after.fetch.bytes == before.fetch.bytes - 2
    assert sum(one.blobs for one in after.hosts.values()) == before.fetch.blobs - 2


def test_a_mirror_is_who_is_asked(locked: Path) -> None:
    write_lock(locked, mirror=Mirror("office", own_bytes=True))

    assert set(compute(expand(locked, mirror="office")).hosts) == {"mirror.example", "registry.example"}


def test_too_little_space_is_warned_of(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = expand(locked)
    assert "warning" not in shown(made)

    monkeypatch.setattr(disk_estimate.shutil, "disk_usage", lambda _: disk_estimate.shutil._ntuple_diskusage(10, 8, 2))

    assert "warning: that is" in shown(made) and "doit prune" in shown(made)
    answer: dict[str, Any] = json.loads(shown(made, "json"))
    assert answer["disk"]["short"] is True and answer["disk"]["free"] == 2


def test_paths_are_not_for_a_plan(locked: Path) -> None:
    assert error_of(shown, expand(locked), "paths").hint == "format=json"


def test_what_is_known_is_said_before_what_is_not(locked: Path) -> None:
    lines: list[str] = []

    error = error_of(build_plan.show, expand(locked, k8s="1.22.15,1.24.9"), {}, "text", lines.append)

    assert "v1.22.15-docker" in lines[0]
    assert error.problem.startswith("v1.24.9: not locked") and "doit lock k8s=v1.24.9" in error.hint


def test_a_lock_that_lacks_something_is_said_to(locked: Path) -> None:
    plant(locked, {"context/imageList": "quay.io/new/one:v1\n"})

    error = error_of(shown, expand(locked))

    assert error.problem == "v1.22.15: the lock does not have all that is needed now"
    assert error.hint == "lock first: doit lock k8s=v1.22.15"
