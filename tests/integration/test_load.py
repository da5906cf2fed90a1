"""A stock dockerd: the built image put there by `doit load`, and images of imageList taken from there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.conftest import Project, Result, run, tool
from tests.integration.conftest import registry

ONE = ("mirror=embedded", "cni=none")


def inspect(daemon: str, name: str) -> dict[str, object]:
    image: dict[str, object] = json.loads(run(tool("docker"), "-H", daemon, "image", "inspect", name))[0]
    return image


def config_digest(project: Project, name: str, arch: str) -> str:
    layout = f"oci:{project.root}/dist/embedded/{name}:v1.22.15"
    raw = run(tool("skopeo"), "--override-arch", arch, "inspect", "--config", "--raw", layout)

    return f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}"


def test_the_image_of_this_host_s_platform_is_in_the_daemon_under_its_name(built: Project, daemon: str) -> None:
    result = built.doit("load", *ONE, DOCKER_HOST=daemon)

    assert result.code == 0, result.text
    host = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    assert f"sealerio/kubernetes:v1.22.15: linux/{host} is in the Docker daemon" in result.out
    image = inspect(daemon, "sealerio/kubernetes:v1.22.15")
    assert image["Architecture"] == host
    assert image["Id"] == config_digest(built, "v1.22.15-docker", host)


def test_another_platform_is_loaded_when_it_is_asked_for(project: Project, daemon: str) -> None:
    words = (*ONE, "platform=linux/arm64", "name=registry.example.com:5000/team/k8s:one")

    result = project.doit("load", *words, DOCKER_HOST=daemon)

    assert result.code == 0, result.text
    assert inspect(daemon, "registry.example.com:5000/team/k8s:one")["Architecture"] == "arm64"


def test_without_a_daemon_it_is_a_clear_error(built: Project, tmp_path: Path) -> None:
    result = built.doit("load", *ONE, DOCKER_HOST=f"unix://{tmp_path}/none.sock")

    assert result.code != 0 and "the Docker daemon: " in result.out
    assert "hint: start it, or set DOCKER_HOST" in result.out and "Traceback" not in result.text


# --------------------------------------------------------------- images of the daemon

LOCAL = "docker-daemon:example.com/team/own:v1"


def archive_of(tag: str, text: bytes, arch: str = "amd64") -> bytes:
    """Return a docker-archive with an image of two equal layers, as a build without a registry leaves one."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        add(tar, "hello", text)
    layer = inner.getvalue()
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [diff_id, diff_id]}
    config = json.dumps({"architecture": arch, "os": "linux", "config": {"Cmd": ["/hello"]}, "rootfs": rootfs}).encode()
    listing = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w") as tar:
        members = {"a/layer.tar": layer, "b/layer.tar": layer, "config.json": config}
        for name, data in (members | {"manifest.json": json.dumps(listing).encode()}).items():
            add(tar, name, data)
    return outer.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def give(daemon: str, archive: bytes) -> None:
    subprocess.run([tool("docker"), "-H", daemon, "load"], input=archive, capture_output=True, check=True)


def build(project: Project, daemon: str, *words: str) -> Result:
    return project.doit("build", *ONE, "platform=linux/amd64", *words, DOCKER_HOST=daemon)


def own(project: Project) -> None:
    with (project.root / "context/imageList").open("a") as images:
        images.write(f"{LOCAL}\n")


def test_an_image_of_the_daemon_is_pinned_saved_and_served_like_any_other(
    project: Project, daemon: str, tmp_path: Path
) -> None:
    give(daemon, archive_of("example.com/team/own:v1", b"one"))
    own(project)

    first = build(project, daemon)
    second = build(project, f"unix://{tmp_path}/none.sock")

    assert first.code == 0, first.text
    assert second.code == 0 and "\n0 tasks run" in second.out, second.text
    assert f'reference = "{LOCAL}"' in (project.root / "_build/embedded/locks/v1.22.15.toml").read_text()
    listed = (project.root / "_build/embedded/rendered-v1/v1.22.15-docker/imageList").read_text().split()
    assert "example.com/team/own:v1" in listed and not [name for name in listed if "docker-daemon" in name]
    with registry(project.root / "_build/embedded/registry-v1/base-v1.22.15-amd64", tmp_path) as address:
        source = f"docker://{address}/team/own:v1"
        run(tool("skopeo"), "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{tmp_path}/copy:x")
    config = json.loads(run(tool("skopeo"), "inspect", "--config", f"oci:{tmp_path}/copy:x"))
    assert config["config"]["Cmd"] == ["/hello"]
    assert project.doit("verify", *ONE, "platform=linux/amd64").code == 0


def test_the_daemon_gives_the_same_bytes_again_and_another_image_is_refused(project: Project, daemon: str) -> None:
    give(daemon, archive_of("example.com/team/own:v1", b"two"))
    own(project)
    assert build(project, daemon).code == 0
    before = project.digest()

    for place in ("cache-v1", "images-v1", "registry-v1"):
        shutil.rmtree(project.root / "_build/embedded" / place)
    again = build(project, daemon)
    assert again.code == 0 and project.digest() == before, again.text

    shutil.rmtree(project.root / "_build/embedded/cache-v1")
    give(daemon, archive_of("example.com/team/own:v1", b"three"))
    changed = build(project, daemon, "locked=yes")
    assert changed.code != 0 and f"{LOCAL}: expected sha256:" in changed.out and "`doit lock`" in changed.out


def test_an_image_that_the_daemon_lacks_is_named(project: Project, daemon: str) -> None:
    with (project.root / "context/imageList").open("a") as images:
        images.write("docker-daemon:not/there:v1\n")

    result = build(project, daemon)

    assert result.code != 0 and "docker-daemon:docker.io/not/there:v1: the Docker daemon has no such" in result.out
    assert "Traceback" not in result.text


def test_an_image_of_the_daemon_has_its_platform_only(project: Project, daemon: str) -> None:
    give(daemon, archive_of("example.com/team/own:v1", b"four"))
    own(project)

    result = project.doit("build", *ONE, DOCKER_HOST=daemon)

    assert result.code != 0 and f"{LOCAL}: has no image for linux/arm64" in result.text
    assert "platform=amd64" in result.text and "Traceback" not in result.text
