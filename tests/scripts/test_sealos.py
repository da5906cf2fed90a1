"""What the scripts of an image for sealos do to a node, called as sealos calls them."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, run, tool
from tests.scripts import image
from tests.scripts.node import IMAGE, Node

RUNTIMES = ["docker", "containerd"]
ENV = {
    "registryData": "/var/lib/registry",
    "registryConfig": "/etc/registry",
    "registryDomain": "sealos.hub",
    "registryPort": "5000",
    "registryUsername": "admin",
    "registryPassword": "passw0rd",
    "sandboxImage": "pause:3.9",
    "SEALOS_SYS_IMAGE_ENDPOINT": "/run/image-cri-shim.sock",
}
SOCKETS = {"docker": "/var/run/cri-dockerd.sock", "containerd": "/run/containerd/containerd.sock"}
# What image-cri-shim does when it is started: it listens.
SHIM = 'mkdir -p /run && python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\\"/run/image-cri-shim.sock\\")"'

MakeSealos = Callable[[str], Node]


def env_of(cri: str) -> dict[str, str]:
    return ENV | {"criData": f"/var/lib/{cri}", "SEALOS_SYS_CRI_ENDPOINT": SOCKETS[cri]}


def lay_out(root: Path, cri: str) -> None:
    """Lay out the trees and files of the flavor, as sealos leaves them on a node: run-time templates filled in."""
    flavor = tomllib.loads((ROOT / "versions.toml").read_text())["flavor"]["sealos"]
    values = image.values(cri=cri, registry="sealos.hub:5000", own_images=["a/lvscare:1"])
    for tree in (*flavor["trees"], *(["cri-dockerd"] if cri == "docker" else [])):
        image.lay_tree(image.CONTEXT / tree.format(cri=cri), root, values)
    for file in flavor["files"]:
        tree, _, place = file.format(cri=cri).partition("/")
        target = root / place.removesuffix(".j2")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = image.CONTEXT / tree / place
        target.write_text(image.render(source, values) if source.suffix == ".j2" else source.read_text())
    for path in root.glob("etc/*.tmpl"):
        text = re.sub(r"\{\{ \.(\w+) \}\}", lambda match: env_of(cri)[match[1]], path.read_text())
        path.with_suffix("").write_text(text)
    for script in root.rglob("*.sh"):
        script.chmod(0o755)
    for folder in ("bin", "cri", "opt", "registry"):
        (root / folder).mkdir()


@pytest.fixture
def make_sealos(memory: Path) -> MakeSealos:
    def make(cri: str) -> Node:
        root = memory / "rootfs"
        lay_out(root, cri)
        (root / "images").mkdir(exist_ok=True)
        image.add_stand_ins(root)
        (root / "images/registry.tar.gz").unlink()
        for name in ("image-cri-shim", "registry"):
            image.add_program(root / "cri" / name, image.echo(name).decode())
        (root / "etc/registry_htpasswd").write_text("admin:hash\n")
        return Node(memory, root)

    return make


def install(cri: str) -> str:
    return f"cd {IMAGE}/scripts && {SHIM} && bash init-cri.sh sealos.hub 5000 && bash init.sh"


@pytest.mark.parametrize("cri", RUNTIMES)
def test_installing_twice_changes_nothing_and_cleaning_leaves_the_node_as_it_was(
    make_sealos: MakeSealos, cri: str
) -> None:
    node = make_sealos(cri)
    before = node.changes()
    said = node.run(install(cri), env_of(cri))
    assert "crictl pull sealos.hub:5000/pause:3.9" in said
    once = node.changes()
    calls = node.run(f"{install(cri)}; cat /run/systemctl", env_of(cri))
    assert node.changes() == once
    assert "restart" not in calls
    node.run(f"cd {IMAGE}/scripts && bash clean.sh", env_of(cri))
    assert node.changes() == before


@pytest.mark.parametrize("cri", RUNTIMES)
def test_images_come_through_the_shim_and_pods_through_the_runtime(make_sealos: MakeSealos, cri: str) -> None:
    node = make_sealos(cri)
    node.run(install(cri), env_of(cri))

    endpoints = dict(line.split(": ") for line in node.read("/etc/crictl.yaml").splitlines())
    assert endpoints["image-endpoint"] == "unix:///run/image-cri-shim.sock"
    assert endpoints["runtime-endpoint"] == f"unix://{SOCKETS[cri]}"
    kubelet = node.read("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf")
    assert "--image-service-endpoint=unix:///var/run/image-cri-shim.sock" in kubelet
    assert "$KUBELET_IMAGE_ARGS" in kubelet
    assert "auth: admin:passw0rd" in node.read("/etc/image-cri-shim.yaml")


def test_containerd_speaks_http_to_the_registry_and_knows_its_password(make_sealos: MakeSealos) -> None:
    node = make_sealos("containerd")
    node.run(install("containerd"), env_of("containerd"))

    hosts = tomllib.loads(node.read("/etc/containerd/certs.d/sealos.hub:5000/hosts.toml"))
    assert hosts["server"] == "http://sealos.hub:5000"
    assert hosts["host"]["http://sealos.hub:5000"]["header"]["Authorization"] == ["Basic YWRtaW46cGFzc3cwcmQ="]
    config = tomllib.loads(node.read("/etc/containerd/config.toml"))
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "sealos.hub:5000/pause:3.9"
    assert config["root"] == "/var/lib/containerd"


def test_docker_speaks_http_to_the_registry(make_sealos: MakeSealos) -> None:
    node = make_sealos("docker")
    node.run(install("docker"), env_of("docker"))

    assert '"insecure-registries": ["sealos.hub:5000"]' in node.read("/etc/docker/daemon.json")
    assert "=sealos.hub:5000/pause:3.9" in node.read("/etc/systemd/system/cri-docker.service")


def test_the_registry_serves_with_a_password_and_goes_without_a_trace(make_sealos: MakeSealos) -> None:
    node = make_sealos("containerd")
    shutil.copy(tool("docker-registry"), node.rootfs / "cri/registry")
    secret = run(tool("htpasswd"), "-Bbn", "admin", "passw0rd")
    (node.rootfs / "etc/registry_htpasswd").write_text(secret)
    before = node.changes()
    env = env_of("containerd") | {"REAL_UNITS": "1"}
    # sealos links the registry's data to the image before, and removes nothing of it but what the script does.
    scripts = f"cd {IMAGE}/scripts"
    said = node.run(
        f"ln -s {IMAGE}/registry /var/lib/registry; {scripts}\n"
        "bash init-registry.sh /var/lib/registry /etc/registry; bash init-registry.sh /var/lib/registry /etc/registry\n"
        "for who in admin:wrong admin:passw0rd; do\n"
        "curl -s -o /dev/null -w '%{http_code}\\n' -u $who http://127.0.0.1:5000/v2/; done",
        env,
    )
    assert said.split()[-2:] == ["401", "200"]
    assert node.has("/etc/registry/registry_config.yml")
    node.run(f"{scripts} && bash clean-registry.sh /var/lib/registry /etc/registry", env)
    assert node.changes() == before


def test_cleaning_takes_no_folder_that_somebody_put_in_the_link_s_place(make_sealos: MakeSealos) -> None:
    node = make_sealos("containerd")
    node.run(
        f"mkdir -p /srv/own && echo x >/srv/own/x && bash {IMAGE}/scripts/clean-registry.sh /srv/own /etc/registry"
    )
    assert node.read("/srv/own/x") == "x\n"


@pytest.mark.parametrize("call", ["init-registry.sh", "clean-registry.sh", "init-registry.sh /no/such /etc/registry"])
def test_a_script_called_wrongly_says_so(make_sealos: MakeSealos, call: str) -> None:
    node = make_sealos("containerd")
    before = node.changes()
    said = node.script(call, env_of("containerd"), check=False)
    assert said.endswith("exit 1") and ("usage: " in said or "/no/such is no folder" in said)
    assert node.changes() == before


def test_cleaning_takes_the_shim_s_file_also_when_sealos_edited_it(make_sealos: MakeSealos) -> None:
    # `sealos upgrade` and `sealos registry passwd` write into it; the registry's password is in it.
    node = make_sealos("containerd")
    before = node.changes()
    node.run(install("containerd"), env_of("containerd"))
    node.run("sed -i 's/^auth: .*/auth: admin:another/' /etc/image-cri-shim.yaml")
    node.run(f"cd {IMAGE}/scripts && bash clean.sh", env_of("containerd"))
    assert not node.has("/etc/image-cri-shim.yaml")
    assert node.changes() == before
