"""Two mirrors of one profile, of which one fails or lies: every build ends with the digest of a clean one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clusterimage.upstream import Faults, Upstream
from tests.conftest import Project, new_project
from tests.faults.conftest import LOCK, start

SMALL = ("mirror=fake", "cni=none", "cri=docker", "platform=linux/amd64")
QUICK = {"CLUSTERIMAGE_TIMEOUT": "1"}


def profile(project: Project, *mirrors: Upstream) -> None:
    files = ", ".join(f'"{one.url}"' for one in mirrors)
    registries = ", ".join(f'"{one.registry}/{{host}}"' for one in mirrors)
    plain = ", ".join(f'"{one.registry}"' for one in mirrors)
    with (project.root / "versions.toml").open("a") as text:
        text.write(f'\n[mirrors.fake]\nfiles = {{ "" = [{files}] }}\nregistries = {{ "*" = [{registries}] }}\n')
        text.write(f"plain_http = [{plain}]\nown_bytes = true\n")


@contextmanager
def two(project: Project, bad: Faults) -> Iterator[tuple[Upstream, Upstream]]:
    """Start two mirrors with the same bytes, of which the first one to be asked has the faults."""
    with start(project.root, bad) as first, start(project.root, Faults()) as second:
        profile(project, first, second)
        yield first, second


def digest(project: Project) -> str:
    index = json.loads((project.root / "dist/fake/v1.22.15-docker/index.json").read_text())
    return str(index["manifests"][0]["digest"])


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of an image of two mirrors that behave."""
    project = new_project(tmp_path_factory.mktemp("clean") / "project")
    with two(project, Faults()) as (first, second):
        result = project.doit("build", *SMALL)
        assert result.code == 0, result.text
        assert second.requests.count("GET ") == 0  # the second is only asked for sizes while the first is well
        assert first.requests.count("GET ") > 50
    return digest(project)


FAULTS: dict[str, tuple[str, dict[str, object]]] = {
    "stalls": ("stall", {"after": 100}),
    "lies": ("lie", {}),
    "cuts": ("cut", {"after": 100}),
    "truncates": ("truncate", {"after": 100}),
    "404": ("status", {"code": 404}),
    "429": ("status", {"code": 429, "headers": {"Retry-After": "0"}}),
    "500": ("status", {"code": 500}),
    "sends a login page": ("redirect", {"to": "/login"}),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["kubelet", "/blobs/"])
def test_the_next_place_is_asked_and_the_digest_is_the_clean_one(
    project: Project, faults: Faults, pins: bytes, clean: str, fault: str, where: str
) -> None:
    kind, details = FAULTS[fault]
    with two(project, faults) as (first, second):
        (project.root / LOCK).parent.mkdir(parents=True)
        (project.root / LOCK).write_bytes(pins)
        faults.add(where, kind, None, **details)  # type: ignore[arg-type]
        result = project.doit("build", *SMALL, **QUICK)

    assert result.code == 0, result.text
    assert digest(project) == clean
    assert second.requests.count(where) > 0
    if fault == "lies":
        assert f"from {first.url}: wrong bytes" in result.out or f"from {first.registry}: wrong bytes" in result.out
    if fault in ("stalls", "500", "429"):
        # One failure each of what is asked for at one time; then the other comes first.
        assert first.requests.count(where) <= 32


@pytest.mark.parametrize("fault", ["lies", "500", "404", "cuts"])
def test_a_lock_is_made_where_one_of_two_is_bad(project: Project, faults: Faults, pins: bytes, fault: str) -> None:
    kind, details = FAULTS[fault]
    with two(project, faults):
        faults.add("/kube", kind, None, **details)  # type: ignore[arg-type]
        faults.add("/manifests/sha256", kind, None, **details)  # type: ignore[arg-type]
        result = project.doit("lock", "mirror=fake", **QUICK)

    assert result.code == 0, result.text
    assert (project.root / LOCK).read_bytes() == pins


def test_a_mirror_that_lies_is_named_and_not_asked_again(project: Project, faults: Faults, pins: bytes) -> None:
    with two(project, faults) as (first, second):
        (project.root / LOCK).parent.mkdir(parents=True)
        (project.root / LOCK).write_bytes(pins)
        faults.add("dl.k8s.io", "lie", None)
        result = project.doit("download", *SMALL)

    assert result.code == 0, result.text
    assert result.out.count(f"from {first.url}: wrong bytes") == 1
    assert first.requests.count("GET ") <= 16  # what had begun before it was known
    assert second.requests.count("kubelet") == 1


def test_when_none_has_it_all_are_named(project: Project, faults: Faults, pins: bytes) -> None:
    with start(project.root, faults) as first, start(project.root, faults) as second:
        profile(project, first, second)
        (project.root / LOCK).parent.mkdir(parents=True)
        (project.root / LOCK).write_bytes(pins)
        faults.add("amd64/kubelet", "status", None, code=404)
        result = project.doit("download", *SMALL)

    assert result.code != 0 and "Traceback" not in result.text
    assert f"none of these gave it: {first.url}, {second.url}" in result.out
    assert [one.requests.count("amd64/kubelet") for one in (first, second)] == [1, 1]


def test_a_component_of_several_places_is_taken_from_the_next(project: Project, faults: Faults) -> None:
    with start(project.root, faults) as only:
        profile(project, only)
        project.edit(
            "versions.toml",
            'urls = ["https://ftp.gnu.org',
            'urls = ["https://gone.example/gperf-{version}.tar.gz", "https://ftp.gnu.org',
        )
        locked = project.doit("lock", "mirror=fake")
        result = project.doit("download", *SMALL)

    assert (locked.code, result.code) == (0, 0), locked.text + result.text
    lock = (project.root / LOCK).read_text()
    assert 'url = "https://gone.example/gperf-3.1.tar.gz"\n' in lock
    assert 'others = ["https://ftp.gnu.org/gnu/gperf/gperf-3.1.tar.gz", "https://ftpmirror.gnu.org/' in lock
