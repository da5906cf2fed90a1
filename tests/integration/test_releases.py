"""What upstreams have released: real git servers are asked for their tags, and what the project says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.transport import git_tags
from clusterimage.transport.network import Network
from clusterimage.values.errors import FetchError
from tests.conftest import Project
from tests.integration.git_server import repository, serve

KUBERNETES = ("v1.34.12", "v1.34.13", "v1.35.0-rc.1", "v1.37.2", "v1.38.0", "other-1.34.99")


def network(url: str) -> Network:
    return Network(Mirror("git", files=(("", url),)), attempts=1)


def test_a_real_server_is_understood(tmp_path: Path) -> None:
    repository(tmp_path / "host.example/a.git", *KUBERNETES)
    repository(tmp_path / "host.example/none.git")
    with serve(tmp_path) as url:
        found = git_tags.tags(network(url), "https://host.example/a.git")
        none = git_tags.tags(network(url), "https://host.example/none.git")
        narrowed = git_tags.tags(network(url), "https://host.example/a.git", "v1.34.")

    assert sorted(found) == sorted(tag for tag in KUBERNETES if tag.startswith("v"))
    assert (none, sorted(narrowed)) == ((), ["v1.34.12", "v1.34.13"])


def test_a_repository_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with serve(tmp_path) as url, pytest.raises(FetchError) as error:
        git_tags.tags(network(url), "https://host.example/a.git")

    assert "404" in error.value.problem


def mirrored(project: Project, url: str) -> None:
    with (project.root / "versions.toml").open("a") as text:
        text.write(f'\n[mirrors.git]\nfiles = {{ "" = "{url}" }}\n')


def test_versions_says_what_is_known_locked_and_published(project: Project, tmp_path: Path) -> None:
    repository(tmp_path / "git/github.com/kubernetes/kubernetes.git", *KUBERNETES)
    (project.root / "locks").mkdir(exist_ok=True)
    (project.root / "locks/v1.34.12.toml").write_text("")
    with serve(tmp_path / "git") as url:
        mirrored(project, url)
        minors = project.doit("versions", "mirror=git")
        minor = project.doit("versions", "k8s=1.34,v1.38.0", "mirror=git")
        machine = project.doit("versions", "k8s=v1.34", "mirror=git", "format=json")

    rows = {line.split()[0]: line.split()[1:] for line in minors.out.splitlines()}
    assert minors.code == 0, minors.text
    assert rows["v1.34"] == ["v1.34.12", "v1.34.12", "v1.34.13"]
    assert rows["v1.38"] == ["-", "-", "v1.38.0"]
    lines = [line.split() for line in minor.out.splitlines()]
    assert ["v1.34.12", "table", "locks/v1.34.12.toml", "yes"] in lines
    assert ["v1.34.13", "by", "its", "source", "-", "yes"] in lines
    assert not [line for line in lines if line[0].startswith("v1.35")]
    newest = json.loads(machine.out)["releases"][-1]
    assert newest == {"version": "v1.34.13", "known": False, "lock": None, "upstream": True}


def test_versions_without_a_network_asks_nobody(project: Project) -> None:
    result = project.doit("versions", "k8s=1.22", "offline=yes")

    assert result.code == 0
    assert result.out.splitlines()[-1].split() == ["v1.22.17", "table", "-", "not", "asked"]


def test_outdated_names_the_newer_release_of_a_line(project: Project, tmp_path: Path) -> None:
    # A real gap: containerd 2.3.7 came a month after 2.3.4 (the tags of that time).
    project.edit("versions.toml", '"2.3.7", {', '"2.3.4", {')
    repository(
        tmp_path / "git/github.com/containerd/containerd.git", "v1.7.36", "v2.3.4", "v2.3.7", "v2.4.2", "v2.5.0-rc.0"
    )
    with serve(tmp_path / "git") as url:
        mirrored(project, url)
        text = project.doit("outdated", "mirror=git")
        machine = project.doit("outdated", "mirror=git", "format=json")

    rows = {(row["component"], row["version"]): row for row in json.loads(machine.out)["rows"]}
    assert rows["containerd", "2.3.4"]["outdated"] and rows["containerd", "2.3.4"]["patch"] == "2.3.7"
    assert rows["containerd", "2.3.4"]["newest"] == "2.4.2"
    assert not rows["containerd", "1.7.36"]["outdated"] and rows["containerd", "1.7.36"]["ended"]
    assert rows["docker", "28.5.2"]["vulnerable"] and rows["calico", "3.32.1"]["newest"] == ""
    # Who did not answer is named, and the command fails, after all that is known.
    assert text.code == machine.code == 1
    assert "  runc: http" in text.err and "line ended 2026-09-30" in text.out


def test_outdated_without_a_network_tells_the_ends_of_lines(project: Project) -> None:
    result = project.doit("outdated", "offline=yes")

    assert result.code == 0 and "line ended 2026-09-30" in result.out and "2.3.7" in result.out


def test_an_upstream_that_does_not_answer_is_said_after_what_is_known(project: Project, tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        mirrored(project, url)
        versions = project.doit("versions", "k8s=1.22", "mirror=git")
        outdated = project.doit("outdated", "mirror=git")

    assert versions.code == outdated.code == 1
    assert versions.out.splitlines()[-1].split() == ["v1.22.17", "table", "-", "not", "asked"]
    assert "2.3.7" in outdated.out
    for result in (versions, outdated):
        assert "404" in result.err and len(result.err.splitlines()) == 2
