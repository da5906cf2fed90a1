"""Servers and unpacked images for the tests whose judges are programs that others wrote."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builds import Builds
from tests.conftest import Project, run, tool
from tests.integration.ports import free_port, wait_for
from tests.integration.real import real_upstream
from tests.integration.real.project import K8S, RealProject, real_project
from tests.integration.real.release import V1_20
from tests.integration.stock_registry import StockRegistry

ARCHES = ["amd64", "arm64"]


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


@pytest.fixture(name="registry")
def stock_registry(tmp_path: Path) -> Iterator[StockRegistry]:
    """A stock docker-registry of the test's own, to which anybody may push."""
    with StockRegistry(tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="session")
def shared(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The image without a network for both platforms, for all tests that push it."""
    tool("docker-registry"), tool("skopeo")
    return builds.copy(tmp_path_factory.mktemp("push") / "project", "cni=none")


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


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """`ctr`, told of a containerd that has nothing but what a test gives it."""
    if os.geteuid() != 0:
        pytest.skip("containerd needs root")
    work = tmp_path_factory.mktemp("c")
    config = work / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{work}/root"\nstate = "{work}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{work}/c.sock"\n[ttrpc]\naddress = "{work}/t.sock"\n'
    )
    ctr = [tool("ctr"), "--address", f"{work}/c.sock"]
    with (work / "c.log").open("wb") as log:
        process = subprocess.Popen([tool("containerd"), "--config", config], stdout=log, stderr=log)
    try:
        for _ in range(200):
            if subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode == 0:
                break
            assert process.poll() is None, (work / "c.log").read_text()[-2000:]
            time.sleep(0.1)
        yield ctr
    finally:
        process.terminate()
        process.wait(30)


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
    cache = real_upstream.prepare(V1_20, tell=print)
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
