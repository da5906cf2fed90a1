"""Texts that were saved on Windows, with a byte order mark and its line ends, wherever a user writes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Project
from tests.graph.user_image import BASE, Built, again, good
from tests.unit.conftest import plant


def windows(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()


def test_a_kubefile_its_lists_and_its_ignore_file(user: Project) -> None:
    files = {
        "manifests/imageList": windows("busybox:1.35.0\nquay.io/a/b:v1\n"),
        ".dockerignore": windows("secret\n"),
        "ignore": windows("quay.io/a/b:v1\n"),
        "secret": b"s",
    }
    kubefile = windows(f"FROM {BASE}\nCOPY . mine/\nCOPY manifests \\\n  manifests/\nLABEL a=b\n")

    plant(user.root / "app", {**files, "Kubefile": kubefile})

    good(again(user, "ignore=app/ignore"))

    built, base = Built(user), Built(user, "v1.22.15-docker")
    assert {*built.tags()} - {*base.tags()} == {"library/busybox:1.35.0"}
    assert built.config["config"]["Labels"]["a"] == "b"
    assert "mine/secret" not in built.files() and "mine/Kubefile" in built.files()


def test_context_and_versions_toml(built_by: Callable[..., Project]) -> None:
    words = ("cni=none", "platform=amd64")
    project = built_by(*words)
    before = project.digest()
    for name in (
        "versions.toml",
        "context/imageList",
        "context/rootfs/README.md.j2",
        "context/docker/etc/daemon.json.j2",
    ):
        path = project.root / name
        path.write_bytes(windows(path.read_text()))

    project.build(*words)

    assert project.digest() == before
    plant(project.root, {"context/kubeadm.yml": windows("kind: KubeletConfiguration\nmaxPods: 42\n")})
    project.build(*words)
    assert (
        "maxPods: 42"
        in Path(project.root, "_build/embedded/context-v1/v1.22.15-docker/rootfs/etc/kubeadm.yml").read_text()
    )
