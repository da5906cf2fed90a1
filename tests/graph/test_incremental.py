"""What runs again, and what does not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project, Result, run


def ran(result: Result) -> list[str]:
    """Return the tasks that a run says it ran."""
    lines = re.findall(r"^(\S+) {2,}(\S+) +[\d.]+ (?:B|kB|MB|GB) +[\d.]+ s$", result.out, re.MULTILINE)
    return sorted(f"{step}:{name}" for step, name in lines)


def test_a_second_build_runs_nothing(project: Project) -> None:
    project.build()

    again = project.build()

    assert "0 tasks run, 75 up to date" in again.out
    assert ran(again) == []


def test_an_edited_template_runs_what_holds_it_and_gives_a_clean_build_s_digest(
    built_by: Callable[..., Project],
) -> None:
    project = built_by("cri=docker,containerd")
    before = project.digest("v1.22.15-docker"), project.digest("v1.22.15-containerd")
    project.edit("context/containerd/etc/dump-config.toml.j2", "SystemdCgroup = true", "SystemdCgroup = true # edited")

    again = project.build("cri=docker,containerd")

    assert ran(again) == sorted(
        f"{step}:v1.22.15-containerd{cni}"
        for step in ("render-templates", "merge-rootfs", "package")
        for cni in ("", "-calico")
    )
    assert project.digest("v1.22.15-docker") == before[0]
    assert project.digest("v1.22.15-containerd") != before[1]
    incremental = project.digest("v1.22.15-containerd")
    shutil.rmtree(project.root / "_build")
    shutil.rmtree(project.root / "dist")
    project.build("cri=docker,containerd")
    assert project.digest("v1.22.15-containerd") == incremental


def test_an_edited_script_runs_merge_and_package_only(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none")
    with (project.root / "context/docker/scripts/docker.sh").open("a") as script:
        script.write("# edited\n")

    again = project.build("cni=none")

    assert ran(again) == ["merge-rootfs:v1.22.15-docker", "package:v1.22.15-docker"]


def test_a_touched_file_runs_nothing(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none")
    (project.root / "context/docker/scripts/docker.sh").touch()

    assert ran(project.build("cni=none")) == []


def test_a_new_file_of_context_is_noticed(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none")
    (project.root / "context/rootfs/etc/motd").write_text("hello\n")

    assert ran(project.build("cni=none")) == ["merge-rootfs:v1.22.15-docker", "package:v1.22.15-docker"]


def test_two_versions_share_what_is_the_same(project: Project) -> None:
    result = project.build("k8s=v1.22.15,v1.22.17", "cri=docker,containerd", "cni=none")

    tasks = ran(result)
    assert len([task for task in tasks if task.startswith("download:nerdctl")]) == 2
    assert len([task for task in tasks if task.startswith("download:kubeadm")]) == 4
    assert len(tasks) == len(set(tasks))


def files_of(project: Project) -> list[Path]:
    places = [project.root / "_build" / "embedded", project.root / "dist"]
    found = [path for place in places for path in sorted(place.rglob("*")) if path.is_file()]
    return [path for path in found if "/log/" not in str(path) and path.name != ".lock"]


@pytest.mark.parametrize("damage", ["delete", "truncate", "edit"])
def test_any_damaged_file_is_mended(built_small: Project, damage: str) -> None:
    project = built_small
    good = project.digest()
    expected = {path.relative_to(project.root) for path in files_of(project)}
    for path in files_of(project)[:: 11 if damage == "delete" else 17]:
        if not path.exists():
            continue
        hurt(path, damage)

        project.build("cni=none", "platform=amd64")

        assert project.digest() == good, path
        image = project.root / "dist/embedded/v1.22.15-docker"
        run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=image)
    verify = project.doit("verify", "mirror=embedded", "cni=none", "platform=amd64")
    assert verify.code == 0, verify.text
    assert expected <= {path.relative_to(project.root) for path in files_of(project)} | caches(expected)


def caches(paths: set[Path]) -> set[Path]:
    """Return what need not come back: layers whose image holds them already, and what a lock brought in."""
    return {path for path in paths if path.parts[2] in ("layers-v1", "cache-v1")}


def hurt(path: Path, damage: str) -> None:
    if damage == "delete":
        path.unlink()
        return
    path.chmod(0o644)
    with path.open("r+b") as stream:
        if damage == "truncate":
            stream.truncate(path.stat().st_size // 2)
        else:
            stream.write(b"damaged!")


@pytest.fixture
def built_small(project: Project) -> Project:
    project.build("cni=none", "platform=amd64")
    return project


def test_an_overlay_wins_over_everything_and_is_a_layer_of_its_own(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")
    before = layers(project)
    overlay = project.root / "site"
    (overlay / "etc").mkdir(parents=True)
    (overlay / "bin").mkdir()
    (overlay / "etc/daemon.json").write_text('{"debug": true}\n')
    (overlay / "bin/kubeadm").write_text("#!/bin/sh\n")
    (overlay / "bin/kubeadm").chmod(0o755)

    result = project.build("cni=none", "platform=amd64", "overlay=site")

    assert ran(result) == ["merge-rootfs:v1.22.15-docker", "package:v1.22.15-docker"]
    tree = project.root / "_build/embedded/context-v1/v1.22.15-docker/amd64"
    assert (tree / "etc/daemon.json").read_text() == '{"debug": true}\n'
    assert (tree / "bin/kubeadm").read_text() == "#!/bin/sh\n"
    after = layers(project)
    assert len(after) == len(before) + 1
    # What is under it goes; all other layers are the very same.
    assert len(set(before) - set(after)) == 2
    assert ran(project.build("cni=none", "platform=amd64")) == ran(result)
    assert layers(project) == before


def layers(project: Project, name: str = "v1.22.15-docker") -> list[str]:
    blobs = project.root / "dist" / "embedded" / name / "blobs" / "sha256"
    index = json.loads(project.digest(name))
    manifest = json.loads((blobs / index["manifests"][1]["digest"].removeprefix("sha256:")).read_text())
    return [layer["digest"] for layer in manifest["layers"]]


def test_another_compression_makes_other_layers_of_the_same_content(built_by: Callable[..., Project]) -> None:
    small = ("cni=none", "platform=amd64")
    project = built_by(*small)
    gzip, tars = project.digest(), diff_ids(project)

    again = project.build(*small, "compression=zstd")

    assert ran(again) == ["package:v1.22.15-docker"]
    assert diff_ids(project) == tars and project.digest() != gzip
    assert project.doit("verify", "mirror=embedded", "compression=zstd", *small).code == 0
    assert ran(project.build(*small)) == ["package:v1.22.15-docker"]
    assert project.digest() == gzip


def diff_ids(project: Project) -> list[str]:
    """Return the digests of the plain tars of the only platform's layers."""
    blobs = project.root / "dist/embedded/v1.22.15-docker/blobs/sha256"
    index = json.loads(project.digest())
    manifest = json.loads((blobs / index["manifests"][1]["digest"].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    return list(config["rootfs"]["diff_ids"])
