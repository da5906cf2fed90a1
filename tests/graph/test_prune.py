"""`doit prune`: what goes, what stays, and that a build of what stayed has nothing to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterimage.values.digest import of_bytes
from tests.conftest import Project, clean_environment
from tests.graph.user_image import POD, again, good, package
from tests.unit.conftest import plant, tar_of

SMALL = ("cni=none", "platform=amd64")


def prune(project: Project, *words: str) -> dict[str, Any]:
    done = project.doit("prune", "mirror=embedded", "format=json", *words)
    assert done.code == 0, done.text
    return dict(json.loads(done.out))


def there(root: Path) -> dict[str, int]:
    """Return what lies below `root`, but for logs, bytecode, memories of runs and the database, with its inode."""
    found = {path.relative_to(root).as_posix(): path.lstat().st_ino for path in root.rglob("*") if not path.is_dir()}
    told = ("log/", "noop-v1/", "state-v1.sqlite", "__pycache__/")
    return {name: inode for name, inode in found.items() if not any(one in name for one in told)}


def test_nothing_goes_that_a_lock_can_build(project: Project) -> None:
    words = ("k8s=v1.22.15,v1.30.4", "cri=docker,containerd", "flavor=sealer,sealos")
    project.build(*words)
    before = there(project.root)

    answer = prune(project, "k8s=v1.22.15", *SMALL)

    assert (answer["files"], answer["bytes"], answer["places"]) == (0, 0, {})
    assert there(project.root) == before
    assert "\n0 tasks run" in f"\n{project.build(*words).out}"


def test_what_a_lock_that_is_gone_has_left_goes_and_nothing_else(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    alone = set(there(project.root / "_build"))
    project.build("k8s=v1.22.17", *SMALL)
    dist = there(project.root / "dist")
    (project.root / "_build/embedded/locks/v1.22.17.toml").unlink()
    before = there(project.root / "_build")

    answer = prune(project)

    after = there(project.root / "_build")
    assert answer["files"] == len(before) - len(after) > 0
    assert there(project.root / "dist") == dist
    # The image in dist/ keeps its layers: its kept digests cost nothing.
    assert {name for name in after if "/layers-v1/" not in name} == {
        name for name in alone if "/layers-v1/" not in name
    }
    assert "\n0 tasks run" in f"\n{project.build('k8s=v1.22.15', *SMALL).out}"
    assert project.doit("verify", "mirror=embedded", "k8s=v1.22.15", *SMALL).code == 0


def test_layers_of_former_images_go_and_their_bytes_are_told(project: Project) -> None:
    project.build(*SMALL)
    layers = project.root / "_build/embedded/layers-v1"
    former = {path.name for path in layers.iterdir()}
    project.edit("context/containerd/etc/containerd.service", "[Unit]", "[Unit]\n# edited")
    project.edit("context/docker/etc/docker.service", "[Unit]", "[Unit]\n# edited")
    project.build(*SMALL)
    sizes = {path.name: path.stat().st_size for path in layers.iterdir()}
    images = {path.name for path in project.root.glob("dist/embedded/*/blobs/sha256/*")}

    answer = prune(project)

    left = {path.name for path in layers.iterdir()}
    dropped = {name: size for name, size in sizes.items() if name not in left}
    assert answer["places"] == {"layers": {"files": 2, "bytes": sum(dropped.values())}}
    assert set(dropped) < former
    assert {json.loads((layers / name).read_text())["digest"] for name in left if name.endswith(".json")} <= images
    assert "\n0 tasks run" in f"\n{project.build(*SMALL).out}"


def test_a_half_download_stays_while_a_lock_wants_it(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    cache = project.root / "_build/embedded/cache-v1"
    pinned = next(path.name for path in sorted((cache / "sha256").iterdir()))
    plant(cache, {f"partial/{pinned}": "half", f"partial/{'0' * 64}": "half", f"sha256/{'1' * 64}": "nobody's"})

    answer = prune(project)

    assert set(answer["places"]) == {"cache/sha256", "cache/partial"}
    assert (answer["files"], answer["bytes"]) == (2, len("half") + len("nobody's"))
    assert [path.name for path in (cache / "partial").iterdir()] == [pinned]


def test_only_the_build_directory_of_that_mirror_is_touched(project: Project, tmp_path: Path) -> None:
    elsewhere = plant(tmp_path / "elsewhere", {"of-another-project": "x"})
    plant(
        project.root,
        {f"_build/cache-v1/sha256/{'0' * 64}": "x", "_build/trees-v1/old/file": "x", "dist/mine/file": "x"},
    )
    plant(project.root / "_build/embedded", {"locks/apps/": "", "notes": "x"})
    (project.root / "_build/embedded/trees-v1").symlink_to(elsewhere)
    plant(project.root / "_build/embedded", {"rendered-v1/old.manifest": "-> ../../../versions.toml"})
    before = there(project.root)

    assert prune(project)["files"] == 1

    assert set(before) - set(there(project.root)) == {"_build/embedded/rendered-v1/old.manifest"}
    assert (elsewhere / "of-another-project").exists() and (project.root / "versions.toml").exists()


def test_what_an_application_image_needs_stays(project: Project) -> None:
    added, saved = tar_of(("inner", b"x")), docker_archive("mine/own:v1")
    files = {"manifests/a.yaml": POD, "a.tar": added, "images/own.tar": saved}
    good(package(project, "FROM scratch\nCOPY . .\nADD a.tar opt/\n", **files))
    before = there(project.root)

    answer = prune(project)

    assert answer["files"] == 0 and there(project.root) == before
    assert "\n0 tasks run" in f"\n{good(again(project)).out}"
    (project.root / "_build/embedded/locks/apps/me+app+v1.toml").unlink()
    places = set(prune(project)["places"])
    assert {"cache/sha256", "trees", "images", "context", "registry", "packages", "discovered"} <= places
    assert not [name for name in there(project.root / "_build") if "me+app" in name]


def docker_archive(name: str) -> bytes:
    """Return an image for linux/amd64 as `docker save` writes it."""
    layer = tar_of(("hello", b"x"))
    rootfs = {"type": "layers", "diff_ids": [str(of_bytes(layer))]}
    config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs}
    listing = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    texts = {"config.json": config, "manifest.json": listing}
    return tar_of(("layer.tar", layer), *((path, json.dumps(value).encode()) for path, value in texts.items()))


def test_a_lock_that_cannot_be_read_stops_it_before_anything_goes(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "_build/embedded/locks/v1.30.4.toml").write_text("kubernetes = 7\n")
    plant(project.root, {f"_build/embedded/cache-v1/sha256/{'0' * 64}": "x"})
    before = there(project.root)

    done = project.doit("prune", "mirror=embedded")

    assert done.code == 1 and "v1.30.4.toml: kubernetes: must be a string" in done.err
    assert there(project.root) == before


@pytest.mark.parametrize("word", ["build", "package:v1.22.15-docker"])
def test_in_one_command_it_comes_last(built_by: Callable[..., Project], word: str) -> None:
    project = built_by("k8s=v1.22.17", *SMALL)
    (project.root / "_build/embedded/locks/v1.22.17.toml").unlink()

    project.doit("lock", "mirror=embedded", *SMALL)
    done = project.doit("prune", word, "mirror=embedded", *SMALL)

    assert done.code == 0, done.text
    assert "freed" in done.out and done.out.index("package ") < done.out.index("freed")
    assert "\n0 tasks run" in f"\n{project.build(*SMALL).out}"


def test_it_waits_for_another_doit_and_takes_nothing_from_it(project: Project) -> None:
    processes = [
        subprocess.Popen(
            project.command(word, "mirror=embedded", *SMALL),
            cwd=project.root,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for word in ("build", "prune", "build", "prune")
    ]
    outputs = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert "\n0 tasks run" in f"\n{project.build(*SMALL).out}"
    assert project.doit("verify", "mirror=embedded", *SMALL).code == 0
