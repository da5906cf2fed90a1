"""A node that has a container runtime already: it is used, never replaced. The runtimes are this machine's own."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.scripts.conftest import MakeNode
from tests.scripts.node import IMAGE

SCRIPTS = f"{IMAGE}/scripts"
OURS = "/etc/containerd/clusterimage.toml"
DROP_IN = "/etc/systemd/system/containerd.service.d/clusterimage.conf"

needs_containerd = pytest.mark.skipif(not shutil.which("containerd"), reason="needs containerd")
needs_docker = pytest.mark.skipif(not shutil.which("dockerd"), reason="needs dockerd")


@needs_containerd
def test_a_containerd_that_lacks_the_registry_runs_with_our_configuration_on_its_own_data(make_node: MakeNode) -> None:
    node = make_node("containerd", bare=False)
    theirs = 'version = 2\\nroot = "/srv/containerd"\\n'
    node.run(f"mkdir -p /etc/containerd; printf '{theirs}' >/etc/containerd/config.toml")
    before = node.changes()
    assert "using containerd" in node.script("containerd.sh")
    assert not node.has("/usr/bin/containerd") and not node.has("/usr/local/bin/containerd")
    config = tomllib.loads(node.read(OURS))
    assert config["root"] == "/srv/containerd"
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["registry"]["config_path"] == "/etc/containerd/certs.d"
    dump = tomllib.loads(node.run(f"containerd --config {OURS} config dump"))
    assert (dump["root"], dump["state"]) == ("/srv/containerd", "/run/containerd")
    assert node.read(DROP_IN).endswith(f"ExecStart=\nExecStart=/usr/bin/containerd --config {OURS}\n")
    once = node.changes()
    node.script("containerd.sh")
    assert node.changes() == once
    calls = node.run(f"bash {SCRIPTS}/uninstall-containerd.sh; cat /run/systemctl")
    assert calls.index("restart containerd.service") and "stop containerd" not in calls
    assert node.changes() == before


@needs_containerd
def test_a_containerd_that_suits_keeps_its_configuration(make_node: MakeNode) -> None:
    node = make_node("containerd", bare=False)
    node.run(f"mkdir -p /etc/containerd; cp {IMAGE}/etc/dump-config.toml /etc/containerd/config.toml")
    before = node.changes()
    node.script("containerd.sh")
    assert not node.has(OURS) and not node.has(DROP_IN)
    assert node.has("/etc/containerd/certs.d/_default/hosts.toml")
    node.script("uninstall-containerd.sh")
    assert node.changes() == before


@pytest.mark.parametrize(("cri", "program", "version"), [
    ("containerd", "containerd", "containerd containerd.io 1.4.13~ds1 abc"),
    ("docker", "dockerd", "Docker version 17.03.2-ce, build f5ec1e2"),
])  # fmt: skip
def test_a_runtime_that_is_too_old_is_refused_by_version(
    make_node: MakeNode, cri: str, program: str, version: str
) -> None:
    node = make_node(cri)
    node.run(f"printf '#!/bin/sh\\necho {version}\\n' >/usr/bin/{program}; chmod 755 /usr/bin/{program}")
    output = node.script(f"{cri}.sh", check=False)
    assert "is too old" in output and "exit 1" in output


@needs_docker
def test_a_docker_of_the_node_is_used_when_its_cgroup_driver_fits(make_node: MakeNode) -> None:
    node = make_node("docker", bare=False)
    # without the socket that systemd would hand over
    node.run("mkdir -p /var/lib/docker; echo ExecStart=/usr/sbin/dockerd >/etc/systemd/system/docker.service")
    disk = "mount -t tmpfs disk /var/lib/docker;"
    real = {"REAL_UNITS": "yes"}
    node.run(f"{disk} systemctl start docker", real)  # makes folders of its own
    before = node.changes()
    output = node.run(f"{disk} bash {SCRIPTS}/docker.sh", real, check=False)
    assert "docker on this node uses the cgroup driver cgroupfs" in output and "exit 1" in output
    output = node.run(f"{disk} bash {SCRIPTS}/docker.sh", real | {"CgroupDriver": "cgroupfs"})
    assert "using docker" in output and "already on this node" in output
    assert not node.has("/usr/sbin/dockerd") and not node.has("/etc/docker/daemon.json")
    output = node.run(f"{disk} systemctl start docker; bash {SCRIPTS}/uninstall-docker.sh; cat /run/systemctl", real)
    assert "stop docker" not in output
    assert node.changes() == before


@needs_containerd
def test_debians_containerd_accepts_the_rendered_configuration(make_node: MakeNode, tmp_path: Path) -> None:
    node = make_node("containerd")
    config = node.rootfs / "etc/dump-config.toml"
    dump = subprocess.run(["containerd", "--config", str(config), "config", "dump"], capture_output=True, check=True)
    plugin = tomllib.loads(dump.stdout.decode())["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["sandbox_image"] == "sea.hub:5000/pause:3.9"
    assert plugin["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert plugin["registry"]["config_path"] == "/etc/containerd/certs.d"
