"""The built image in a stock dockerd, put there by `doit load`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project, run, tool

ONE = ("mirror=embedded", "cni=none")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dockerd that has nothing but what a test gives it."""
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root")
    dockerd, docker = tool("dockerd"), tool("docker")
    work = tmp_path_factory.mktemp("d")
    address = f"unix://{work}/d.sock"
    config = {"data-root": f"{work}/data", "exec-root": f"{work}/exec", "pidfile": f"{work}/d.pid"}
    config |= {"hosts": [address], "iptables": False, "bridge": "none", "ip-forward": False, "storage-driver": "vfs"}
    (work / "d.json").write_text(json.dumps(config))
    with (work / "d.log").open("wb") as log:
        process = subprocess.Popen([dockerd, "--config-file", work / "d.json"], stdout=log, stderr=log)
    try:
        for _ in range(200):
            if subprocess.run([docker, "-H", address, "version"], capture_output=True, check=False).returncode == 0:
                break
            assert process.poll() is None, (work / "d.log").read_text()[-2000:]
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def inspect(daemon: str, name: str) -> dict[str, object]:
    image: dict[str, object] = json.loads(run(tool("docker"), "-H", daemon, "image", "inspect", name))[0]
    return image


def config_digest(project: Project, name: str, arch: str) -> str:
    layout = f"oci:{project.root}/dist/embedded/{name}:v1.22.15"
    raw = run(tool("skopeo"), "--override-arch", arch, "inspect", "--config", "--raw", layout)
    import hashlib

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
