"""The saved registry as `doit serve` shows it, read by skopeo and curl."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project, clean_environment, heed_interrupts, run, tool
from tests.integration.conftest import ARCHES
from tests.integration.ports import free_port

WORDS = ("serve", "mirror=embedded", "cri=docker,containerd")


@pytest.fixture(scope="module")
def served(built: Project) -> Iterator[str]:
    """The address of `doit serve`, which Ctrl-C ends."""
    process = subprocess.Popen(
        built.command(*WORDS),
        cwd=built.root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        address = re.search(r"http://(127\.0\.0\.1:\d+)/v2/", line)
        assert address, line
        yield address[1]
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert b"Traceback" not in err


def curl(*words: str) -> str:
    return run(tool("curl"), "--silent", "--show-error", "--noproxy", "*", *words)


def images(project: Project) -> list[str]:
    text = (project.root / "_build/embedded/rendered-v1/v1.22.15-docker-calico/imageList").read_text()
    return [line.partition("/")[2] for line in text.split()]


@pytest.mark.parametrize("arch", ARCHES)
def test_skopeo_copies_every_image_for_every_platform(built: Project, served: str, arch: str, tmp_path: Path) -> None:
    for name in images(built):
        command = (tool("skopeo"), "--override-arch", arch, "--override-os", "linux")
        source = f"docker://{served}/{name}"
        run(*command, "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{tmp_path}/copies:{name}")
        config = json.loads(run(*command, "inspect", "--tls-verify=false", "--config", source))
        assert config["architecture"] == arch


def test_an_index_comes_with_all_its_platforms(built: Project, served: str, tmp_path: Path) -> None:
    source = f"docker://{served}/pause:3.5"
    raw = run(tool("skopeo"), "inspect", "--tls-verify=false", "--raw", source)

    for entry in json.loads(raw)["manifests"]:
        if entry["platform"]["architecture"] in ARCHES:
            curl("--fail", f"http://{served}/v2/pause/manifests/{entry['digest']}")


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_whatever_writes_is_refused(served: str, method: str) -> None:
    for place in ("pause/manifests/3.5", "pause/blobs/uploads/", "new/blobs/uploads/"):
        status = curl("-X", method, "-d", "x", "-o", "/dev/null", "-w", "%{http_code}", f"http://{served}/v2/{place}")
        assert status == "405"


def test_a_part_of_a_blob_is_sent_for_a_range(served: str, tmp_path: Path) -> None:
    raw = run(tool("skopeo"), "inspect", "--tls-verify=false", "--raw", f"docker://{served}/pause:3.5")
    child = json.loads(raw)["manifests"][0]["digest"]
    layer = json.loads(curl(f"http://{served}/v2/pause/manifests/{child}"))["layers"][0]
    url = f"http://{served}/v2/pause/blobs/{layer['digest']}"
    whole, part = tmp_path / "whole", tmp_path / "part"

    curl("-o", str(whole), url)
    curl("-o", str(part), "--range", "10-99", url)
    beyond = curl("-o", "/dev/null", "-w", "%{http_code}", "--range", f"{layer['size']}-", url)
    head = curl("--head", url)

    assert whole.stat().st_size == layer["size"]
    assert part.read_bytes() == whole.read_bytes()[10:100]
    assert beyond == "416"
    assert f"Content-Length: {layer['size']}" in head and layer["digest"] in head


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("none/manifests/1", "NAME_UNKNOWN"),
        ("pause/manifests/0", "MANIFEST_UNKNOWN"),
        ("pause/blobs/sha256:" + "0" * 64, "BLOB_UNKNOWN"),
        ("pause/manifests/..%2f..", "MANIFEST_UNKNOWN"),
    ],
)
def test_what_is_not_there_is_said_in_the_words_of_the_api(served: str, place: str, code: str) -> None:
    assert json.loads(curl("--path-as-is", f"http://{served}/v2/{place}"))["errors"][0]["code"] == code


def test_a_blob_of_another_repository_is_not_served(served: str) -> None:
    digest = (
        curl("--head", f"http://{served}/v2/pause/manifests/3.5").lower().partition("content-digest: ")[2].split()[0]
    )

    assert "BLOB_UNKNOWN" in curl(f"http://{served}/v2/etcd/blobs/{digest}")


def test_repositories_and_tags_are_listed(built: Project, served: str) -> None:
    repositories = json.loads(curl(f"http://{served}/v2/_catalog"))["repositories"]
    tags = json.loads(curl(f"http://{served}/v2/pause/tags/list"))

    assert {name.partition(":")[0] for name in images(built)} <= set(repositories)
    assert "3.5" in tags["tags"]


def test_it_listens_where_it_is_told_and_on_loopback_only(built_by: Callable[..., Project]) -> None:
    port = free_port()
    project = built_by("cni=none", "platform=amd64")
    command = project.command("serve", "mirror=embedded", "cni=none", "platform=amd64", f"port={port}")
    process = subprocess.Popen(
        command, cwd=project.root, env=clean_environment(), stdout=subprocess.PIPE, preexec_fn=heed_interrupts
    )
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/v2/" in process.stdout.readline().decode()
        listening = run(tool("ss"), "-Hltn", f"sport = :{port}").split()
        assert listening[3] == f"127.0.0.1:{port}"
    finally:
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=20)


def test_a_port_that_is_taken_is_a_clear_error(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = project.doit("serve", "mirror=embedded", "cni=none", "platform=amd64", "k8s=v1.22.15", f"port={port}")
    assert f"port={port}: address already in use" in result.out
    assert result.code != 0 and "hint: choose another" in result.out and "Traceback" not in result.text
