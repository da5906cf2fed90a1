"""Servers and unpacked images for the tests whose judges are programs that others wrote."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Project, run, tool
from tests.integration.real import real_upstream
from tests.integration.real.project import K8S, RealProject, real_project

ARCHES = ["amd64", "arm64"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextmanager
def registry(root: Path, work: Path) -> Iterator[str]:
    """Serve the directory `root` with a stock docker-registry and yield its address."""
    port = free_port()
    config = work / f"registry-{port}.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}}}, maintenance: {{readonly: {{enabled: true}}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    log = (work / f"registry-{port}.log").open("wb")
    process = subprocess.Popen([tool("docker-registry"), "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@pytest.fixture(scope="session")
def unpacked(built: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The root of every built image, unpacked by umoci: (image, arch) -> directory."""
    roots = {}
    work = tmp_path_factory.mktemp("unpacked")
    for layout in sorted((built.root / "dist" / "embedded").iterdir()):
        tag = layout.name.replace("-docker", "")
        for arch in ARCHES:
            bundle = work / f"{layout.name}-{arch}"
            run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{tag}-{arch}", bundle)
            roots[layout.name, arch] = bundle / "rootfs"
    return roots


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProject]:
    for name in ("nginx", "htpasswd", "docker-registry", "skopeo", "rsync", "dpkg-source"):
        tool(name)
    cache = real_upstream.prepare(tell=print)
    root = tmp_path_factory.mktemp("real") / "project"
    with real_upstream.serve(cache) as upstream, real_project(root, upstream) as project:
        result = project.doit("build", "cri=docker,containerd")
        assert result.code == 0, result.text
        yield project


@pytest.fixture(scope="session")
def roots(real: RealProject, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The two images with Calico, unpacked by umoci for both platforms."""
    found = {}
    work = tmp_path_factory.mktemp("roots")
    for name in (f"{K8S}-docker-calico", f"{K8S}-containerd-calico"):
        for arch in ARCHES:
            bundle = work / f"{name}-{arch}"
            image = f"{real.dist / name}:{name.replace('-docker', '')}-{arch}"
            run(tool("umoci"), "unpack", "--rootless", "--image", image, bundle)
            found[name, arch] = bundle / "rootfs"
    return found


@pytest.fixture(scope="session")
def real_kubeadm(roots: dict[tuple[str, str], Path]) -> Path:
    return roots[f"{K8S}-docker-calico", "amd64"] / "bin" / "kubeadm"
