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
        for arch in ("amd64", "arm64"):
            bundle = work / f"{layout.name}-{arch}"
            run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{tag}-{arch}", bundle)
            roots[layout.name, arch] = bundle / "rootfs"
    return roots
