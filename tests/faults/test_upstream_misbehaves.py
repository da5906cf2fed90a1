"""What a bad upstream does to a build: mended where trying again can help, else two lines and nothing unverified."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.upstream import Auth, Faults, Upstream
from clusterimage.values.digest import of_file
from tests.conftest import Project, Result
from tests.faults.conftest import reach, start

SMALL = ("mirror=fake", "cni=none", "platform=amd64")
QUICK = {"CLUSTERIMAGE_TIMEOUT": "1"}


def store(project: Project) -> list[Path]:
    return sorted((project.root / "_build/fake/cache-v1/sha256").glob("*"))


def check_failure(project: Project, result: Result, *words: str) -> None:
    """Assert a failure in a user's terms: a clear line, a hint, no traceback, nothing unverified at a final path."""
    assert result.code != 0, result.text
    failures = [line for line in result.out.splitlines() if line.startswith("FAILED")]
    assert failures, result.text
    for word in words:
        assert any(word in line for line in failures), (word, result.text)
    assert "  hint: " in result.out
    assert "Traceback" not in result.text
    for path in store(project):
        assert of_file(path).hex == path.name
    assert not (project.root / "dist").exists()


@pytest.mark.parametrize(
    ("match", "kind", "details"),
    [
        ("kubelet", "cut", {"after": 5000}),
        ("kubelet", "truncate", {"after": 5000}),
        ("kubelet", "stall", {"after": 5000}),
        ("kubelet", "status", {"code": 500}),
        ("kubelet", "status", {"code": 429, "headers": {"Retry-After": "0"}}),
        ("kubelet", "redirect", {}),
        ("kubelet", "no_length", {}),
        ("/blobs/", "cut", {"after": 500}),
        ("/blobs/", "stall", {"after": 500}),
        ("/blobs/", "status", {"code": 503}),
        ("/blobs/", "redirect", {}),
        ("/manifests/", "status", {"code": 429, "headers": {"Retry-After": "0"}}),
    ],
)
def test_what_may_pass_is_tried_again(
    project: Project, locked: Upstream, faults: Faults, match: str, kind: str, details: dict[str, object]
) -> None:
    faults.add(match, kind, 2, **details)  # type: ignore[arg-type]

    result = project.doit("build", *SMALL, **QUICK)

    assert result.code == 0, result.text


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_a_transfer_that_was_cut_goes_on_where_it_ended(
    project: Project, locked: Upstream, faults: Faults, kind: str
) -> None:
    faults.add("amd64/kubelet", kind, 1, after=5000)

    project.doit("download", *SMALL, **QUICK)

    asked = [entry.range for entry in locked.requests.entries if entry.matches("amd64/kubelet")]
    assert asked == ["", "bytes=5000-"]


def test_a_server_without_range_sends_everything_again(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("amd64/kubelet", "cut", 1, after=5000)
    faults.add("amd64/kubelet", "ignore_range", None)

    assert project.doit("download", *SMALL).code == 0


@pytest.mark.parametrize("kind", ["lie", "truncate"])
@pytest.mark.parametrize("match", ["amd64/kubelet", "/blobs/"])
def test_wrong_bytes_stop_the_build(project: Project, locked: Upstream, faults: Faults, match: str, kind: str) -> None:
    faults.add(match, kind, None)

    result = project.doit("build", *SMALL, CLUSTERIMAGE_ATTEMPTS="2")

    check_failure(project, result, "expected sha256:" if kind == "lie" else "ended after")


@pytest.mark.parametrize(
    ("code", "hint"), [(401, "docker login"), (403, "docker login"), (404, "mirror"), (429, "mirror="), (500, "later")]
)
@pytest.mark.parametrize("match", ["amd64/kubelet", "pause/"])
def test_a_refusal_says_what_to_do(
    project: Project, locked: Upstream, faults: Faults, match: str, code: int, hint: str
) -> None:
    faults.add(match, "status", None, code=code, headers={"Retry-After": "0"})

    result = project.doit("build", *SMALL, CLUSTERIMAGE_ATTEMPTS="2")

    check_failure(project, result, str(code), match.strip("/"))
    assert hint in result.out


def test_what_cannot_pass_is_not_tried_again(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("amd64/kubelet", "status", None, code=404)

    project.doit("build", *SMALL)

    assert locked.requests.count("amd64/kubelet") == 1


def test_a_redirect_in_circles_ends(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("kubelet", "redirect", None, to=f"{locked.url}/dl.k8s.io/release/v1.22.15/bin/linux/amd64/kubelet")

    check_failure(project, project.doit("build", *SMALL, CLUSTERIMAGE_ATTEMPTS="2"), "redirect")


def test_a_moved_tag_does_not_matter_to_a_build(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("/manifests/", "moved_tag", None)

    assert project.doit("build", *SMALL).code == 0
    tags = [e.path for e in locked.requests.entries if "/manifests/" in e.path and "sha256:" not in e.path]
    assert tags == []


def test_an_unreachable_host_is_named(project: Project, locked: Upstream) -> None:
    project.edit("versions.toml", locked.url, "http://127.0.0.1:9")

    result = project.doit("build", *SMALL, CLUSTERIMAGE_ATTEMPTS="2")

    check_failure(project, result, "http://127.0.0.1:9/", "refused")


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_registry_login_comes_from_docker_s_configuration(
    project: Project, faults: Faults, tmp_path: Path, kind: str
) -> None:
    import base64
    import json

    secret = "s3cr3t-pass"
    with start(project.root, faults, Auth("user", secret, kind)) as upstream:  # type: ignore[arg-type]
        reach(project, upstream)
        login = base64.b64encode(f"user:{secret}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {upstream.registry: {"auth": login}}}))
        host = upstream.registry.partition(":")[0]
        (tmp_path / "netrc").write_text(f"machine {host} login user password {secret}\n")
        (tmp_path / "netrc").chmod(0o600)
        with_login = {"DOCKER_CONFIG": str(tmp_path), "NETRC": str(tmp_path / "netrc")}

        refused = project.doit("lock", "mirror=fake", DOCKER_CONFIG=str(tmp_path / "none"), NETRC="/dev/null")
        accepted = project.doit("build", *SMALL, **with_login)

    assert refused.code != 0 and "401" in refused.out
    assert accepted.code == 0, accepted.text
    for path in sorted((project.root).rglob("*")):
        if path.is_file() and path.stat().st_size < 10_000_000:
            data = path.read_bytes()
            assert secret.encode() not in data and login.encode() not in data, path


def test_offline_builds_from_the_cache_and_asks_nobody(project: Project, locked: Upstream) -> None:
    assert project.doit("build", *SMALL).code == 0
    locked.requests.clear()

    assert project.doit("build", *SMALL, "offline=yes").code == 0
    (project.root / "_build/fake/state-v1.sqlite").unlink()
    assert project.doit("build", *SMALL, "offline=yes").code == 0

    assert locked.requests.count() == 0


def test_offline_names_what_is_not_in_the_cache(project: Project, locked: Upstream) -> None:
    result = project.doit("build", *SMALL, "offline=yes")

    check_failure(project, result, "offline=yes")
    assert locked.requests.count() == 0
