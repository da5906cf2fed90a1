"""What `doit plan` says comes true: the same requests and bytes, counted by the server."""

from __future__ import annotations

import json
from typing import Any

from clusterimage.upstream import Upstream
from tests.conftest import Project

WORDS = ("mirror=fake", "cni=none")


def forecast(project: Project, *words: str) -> dict[str, Any]:
    done = project.doit("plan", "format=json", *WORDS, *words)
    assert done.code == 0, done.text
    return dict(json.loads(done.out))


def test_a_plan_asks_nobody_and_a_build_does_what_it_said(project: Project, locked: Upstream) -> None:
    said = forecast(project, "offline=yes")

    assert locked.requests.entries == ()
    assert not (project.root / "dist").exists() and not (project.root / "_build/fake/context-v1").exists()
    assert project.doit("build", *WORDS).code == 0
    asked = locked.requests.entries
    assert {entry.method for entry in asked} == {"GET"}
    assert said["hosts"] == {locked.registry: {"requests": len(asked), "bytes": locked.requests.bytes()}}
    assert said["fetch"] == {"blobs": len(asked), "bytes": locked.requests.bytes()}


def test_what_is_there_is_not_fetched_again(project: Project, locked: Upstream) -> None:
    assert project.doit("download", *WORDS).code == 0
    before = forecast(project)

    assert project.doit("build", *WORDS).code == 0
    after = forecast(project)
    assert (after["fetch"]["bytes"], after["hosts"], after["disk"]["needed"]) == (0, {}, 0)
    assert after["reuse"]["blobs"] == before["fetch"]["blobs"] + before["reuse"]["blobs"]
    assert after["images"] == {"v1.22.15-docker": True} and before["images"] == {"v1.22.15-docker": False}
    calico = json.loads(project.doit("plan", "mirror=fake", "cni=calico", "format=json").out)
    assert calico["images"] == {"v1.22.15-docker-calico": False} and calico["fetch"]["bytes"] > 0


def test_the_disk_that_a_build_takes_is_no_more_than_was_said(project: Project, locked: Upstream) -> None:
    build = project.root / "_build/fake"
    before = taken(build)
    needed = forecast(project)["disk"]["needed"]

    assert project.doit("build", *WORDS).code == 0

    assert 0.5 * needed < taken(build) - before <= needed


def taken(root: Any) -> int:
    """Return the bytes of all files below `root`, one of several names once."""
    return sum({path.lstat().st_ino: path.lstat().st_size for path in root.rglob("*")}.values())


def test_without_a_lock_it_is_said_how_to_make_one(project: Project, upstream: Upstream) -> None:
    done = project.doit("plan", *WORDS)

    assert done.code == 1 and done.out == ""
    assert "v1.22.15: not locked" in done.err
    assert "doit lock k8s=v1.22.15 mirror=fake" in done.err
    assert upstream.requests.entries == ()
    assert not (project.root / "locks").exists()
