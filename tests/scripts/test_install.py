"""What the scripts do to a node: installing, installing again, and removing."""

import json
import shutil
import tomllib

import pytest

from tests.scripts.conftest import MakeNode
from tests.scripts.node import IMAGE

SCRIPTS = f"{IMAGE}/scripts"
RUNTIMES = ["docker", "containerd"]
CUSTOM = {"RegistryDomain": "hub.local", "RegistryPort": "5001", "RegistryURL": "hub.local:5001"}


@pytest.mark.parametrize("cri", RUNTIMES)
def test_installing_twice_changes_nothing_and_uninstalling_leaves_the_node_as_it_was(
    make_node: MakeNode, cri: str
) -> None:
    node = make_node(cri)
    before = node.changes()
    node.script(f"{cri}.sh")
    node.script("init-kube.sh")
    once = node.changes()
    calls = node.run(f"bash {SCRIPTS}/{cri}.sh; bash {SCRIPTS}/init-kube.sh; cat /run/systemctl")
    assert node.changes() == once
    assert "restart" not in calls
    node.script(f"uninstall-{cri}.sh")
    assert node.changes() == before


@pytest.mark.parametrize("cri", RUNTIMES)
def test_the_entry_and_exit_of_sealer_0_8_leave_the_node_as_it_was(make_node: MakeNode, cri: str) -> None:
    node = make_node(cri)
    before = node.changes()
    node.script("init.sh /var/lib/docker hub.local 5001")
    assert node.has("/usr/bin/kubelet")
    if cri == "containerd":
        hosts = tomllib.loads(node.read("/etc/containerd/certs.d/hub.local:5001/hosts.toml"))
        assert hosts["host"]["https://hub.local:5001"]["ca"] == "/etc/docker/certs.d/hub.local:5001/hub.local.crt"
    node.script("clean.sh")
    assert node.changes() == before


@pytest.mark.parametrize("cri", RUNTIMES)
def test_what_sealer_writes_later_goes_too_where_its_folder_is_ours(make_node: MakeNode, cri: str) -> None:
    node = make_node(cri)
    before = node.changes()
    certs = f"/etc/{cri}/certs.d/sea.hub:5000"
    node.script(f"{cri}.sh")
    node.run(f"mkdir -p {certs} /var/lib/{cri}/data && echo ca >{certs}/sea.hub.crt && echo x >/var/lib/{cri}/data/x")
    node.script(f"uninstall-{cri}.sh")
    assert node.changes() == before


def test_uninstalling_after_sealers_own_reset_leaves_the_node_as_it_was(make_node: MakeNode) -> None:
    node = make_node("containerd")
    before = node.changes()
    node.script("containerd.sh")
    node.script("init-kube.sh")
    node.run(
        "rm -rf /etc/kubernetes /etc/systemd/system/kubelet.service.d /etc/systemd/system/kubelet.service"
        " /usr/bin/kubeadm /usr/bin/kubelet-pre-start.sh /usr/bin/kubelet /usr/bin/kubectl"
        " /var/lib/kubelet/* /etc/cni /opt/cni"
        " /etc/sealerio/cri/socket-path"
    )
    node.script("uninstall-containerd.sh")
    assert node.changes() == before


def test_files_that_were_there_before_come_back(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.run("echo mine >/usr/bin/kubelet; mkdir -p /var/lib/kubelet; echo keep >/var/lib/kubelet/data")
    before = node.changes()
    node.script("containerd.sh")
    node.script("init-kube.sh")
    assert "mine" not in node.read("/usr/bin/kubelet")
    node.script("uninstall-containerd.sh")
    assert node.changes() == before


def test_programs_of_the_node_are_used_and_not_replaced(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.run("echo mine >/usr/bin/conntrack")
    node.script("containerd.sh")
    assert "keeping /usr/bin/conntrack" in node.script("init-kube.sh")
    node.script("uninstall-containerd.sh")
    assert node.read("/usr/bin/conntrack") == "mine\n"


def test_a_file_that_someone_changed_stays_when_installing_again_and_when_removing(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.script("containerd.sh")
    node.run("echo mine >/etc/crictl.yaml")
    assert "/etc/crictl.yaml was changed" in node.script("containerd.sh")
    assert "/etc/crictl.yaml was changed" in node.script("uninstall-containerd.sh")
    assert node.read("/etc/crictl.yaml") == "mine\n"


def test_an_interrupted_install_is_finished_by_the_next_and_fully_removed(make_node: MakeNode) -> None:
    node = make_node("docker")
    before = node.changes()
    for delay in ("0.05", "0.1", "0.2", "0.4"):
        node.run(f"timeout --signal=KILL {delay} bash {SCRIPTS}/docker.sh", check=False)
    node.script("docker.sh")
    node.script("uninstall-docker.sh")
    assert node.changes() == before


def test_a_volume_mounted_below_our_folders_is_detached_and_never_emptied(make_node: MakeNode) -> None:
    node = make_node("containerd")
    output = node.run(
        f"S={SCRIPTS}; bash $S/containerd.sh; bash $S/init-kube.sh;"
        "mkdir -p '/var/lib/kubelet/pods/a b'; mkdir /srv/users; echo precious >/srv/users/data;"
        "mount --bind /srv/users '/var/lib/kubelet/pods/a b'; bash $S/uninstall-containerd.sh;"
        "cat /srv/users/data; ls -d /var/lib/kubelet || echo gone; rm -r /srv/users"
    )
    assert "precious" in output and "gone" in output


@pytest.mark.parametrize(("cri", "socket"), [
    ("docker", "unix:///var/run/cri-dockerd.sock"), ("containerd", "/run/containerd/containerd.sock"),
])  # fmt: skip
def test_the_socket_of_the_runtime_is_announced_without_a_newline(make_node: MakeNode, cri: str, socket: str) -> None:
    node = make_node(cri)
    node.script(f"{cri}.sh")
    assert node.read("/etc/sealerio/cri/socket-path") == socket
    assert f"runtime-endpoint: unix://{socket.removeprefix('unix://')}\n" in node.read("/etc/crictl.yaml")


def test_docker_below_kubernetes_1_24_announces_dockershim(make_node: MakeNode) -> None:
    node = make_node("docker", docker_needs_cri_dockerd=False, k8s="v1.22.15")
    node.script("docker.sh")
    assert node.read("/etc/sealerio/cri/socket-path") == "/var/run/dockershim.sock"
    assert not node.has("/usr/bin/cri-dockerd")


def test_containerd_gets_the_registry_and_cgroup_driver_of_the_cluster(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.script("containerd.sh", CUSTOM | {"CgroupDriver": "cgroupfs"})
    config = tomllib.loads(node.read("/etc/containerd/config.toml"))["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["sandbox_image"] == "hub.local:5001/pause:3.9"
    assert config["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False
    mirror = tomllib.loads(node.read("/etc/containerd/certs.d/_default/hosts.toml"))
    own = tomllib.loads(node.read("/etc/containerd/certs.d/hub.local:5001/hosts.toml"))
    host = {
        "capabilities": ["pull", "resolve"],
        "ca": "/etc/containerd/certs.d/hub.local:5001/hub.local.crt",
    }
    assert mirror == {"host": {"https://hub.local:5001": host}}
    assert own == {"server": "https://hub.local:5001"} | mirror


def test_a_registry_outside_or_without_tls_is_asked_without_our_certificate(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.script("containerd.sh", CUSTOM | {"ExternalRegistryURL": "hub.local:5001"})
    hosts = tomllib.loads(node.read("/etc/containerd/certs.d/_default/hosts.toml"))
    assert "ca" not in hosts["host"]["https://hub.local:5001"]
    node.script("uninstall-containerd.sh")
    node.script("containerd.sh", {"InsecureRegistry": "true"})
    hosts = tomllib.loads(node.read("/etc/containerd/certs.d/_default/hosts.toml"))
    assert hosts == {"host": {"http://sea.hub:5000": {"capabilities": ["pull", "resolve"]}}}


def test_docker_gets_the_registry_and_cgroup_driver_of_the_cluster(make_node: MakeNode) -> None:
    node = make_node("docker")
    node.script("docker.sh", CUSTOM | {"CgroupDriver": "cgroupfs", "InsecureRegistry": "true"})
    daemon = json.loads(node.read("/etc/docker/daemon.json"))
    assert daemon["registry-mirrors"] == ["http://hub.local:5001"]
    assert daemon["insecure-registries"] == ["hub.local:5001"]
    assert daemon["exec-opts"] == ["native.cgroupdriver=cgroupfs"]
    unit = node.read("/etc/systemd/system/cri-docker.service")
    assert "--pod-infra-container-image=hub.local:5001/pause:3.9\n" in unit


@pytest.mark.parametrize("cri", RUNTIMES)
def test_the_shipped_image_is_never_edited(make_node: MakeNode, cri: str) -> None:
    node = make_node(cri)
    before = {path: path.read_bytes() for path in node.rootfs.rglob("*") if path.is_file()}
    for call in (f"{cri}.sh", "init-kube.sh", f"uninstall-{cri}.sh"):
        node.script(call, CUSTOM)
    assert {path: path.read_bytes() for path in node.rootfs.rglob("*") if path.is_file()} == before


def test_the_certificate_that_the_image_holds_is_trusted(make_node: MakeNode) -> None:
    node = make_node("docker")
    (node.rootfs / "certs").mkdir()
    (node.rootfs / "certs/sea.hub.crt").write_text("certificate")
    node.script("docker.sh")
    assert node.read("/etc/docker/certs.d/sea.hub:5000/sea.hub.crt") == "certificate"


def test_a_node_that_runs_another_cluster_image_is_refused_by_name(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.run("mkdir -p /var/lib/clusterimage; cp /bin/true /usr/bin/containerd;"
             "printf 'file\\tx\\t/usr/bin/containerd\\n' >/var/lib/clusterimage/docker.files")  # fmt: skip
    assert "run its uninstall-docker.sh first" in node.script("containerd.sh", check=False)


# What dockerd, kube-proxy and flannel leave in the kernel when they end, and two rules that somebody else made.
LEFT_BEHIND = """
ip link add docker0 type bridge; ip link add cni0 type bridge
for tool in iptables ip6tables; do
    $tool -N DOCKER; $tool -N DOCKER-USER; $tool -A FORWARD -j DOCKER-USER; $tool -A FORWARD -o docker0 -j DOCKER
    $tool -A FORWARD -i docker0 ! -o docker0 -j ACCEPT; $tool -t nat -N DOCKER
    $tool -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER; $tool -t nat -A POSTROUTING -o docker0 -j ACCEPT
    $tool -N KUBE-FORWARD; $tool -A FORWARD -j KUBE-FORWARD; $tool -A KUBE-FORWARD -j ACCEPT
    for port in {1..900}; do echo "-A KUBE-FORWARD -p tcp --dport $port -j ACCEPT"; done >/tmp/many
    { echo "*filter"; cat /tmp/many; echo COMMIT; } | $tool-restore --noflush
    $tool -t nat -N FLANNEL-POSTRTG; $tool -t nat -A POSTROUTING -j FLANNEL-POSTRTG
done
"""
THEIRS = "iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -N MINE; iptables -A FORWARD -j MINE;"


@pytest.mark.skipif(not shutil.which("iptables"), reason="needs iptables")
def test_interfaces_and_chains_of_the_runtime_go_and_those_of_others_stay(make_node: MakeNode) -> None:
    node = make_node("docker")
    kernel = "mount -t sysfs sysfs /sys;"  # that of the node's own network
    look = "{ iptables-save; ip6tables-save; } | grep -E '^(:[^ ]+ -|-A)' | sed 's/ \\[.*//'; ls /sys/class/net"
    parts = (
        f"{kernel} {THEIRS} ({look}) >/tmp/before; bash {SCRIPTS}/docker.sh; bash {SCRIPTS}/init-kube.sh; {LEFT_BEHIND}"
    )

    output = node.run(f"{parts} bash {SCRIPTS}/uninstall-docker.sh; ({look}) >/tmp/after; diff /tmp/before /tmp/after")
    assert "docker is removed" in output and "failed and passed over" not in output

    kept = (
        f"{kernel} {THEIRS} {LEFT_BEHIND} ({look}) >/tmp/before; bash {SCRIPTS}/docker.sh; bash {SCRIPTS}/init-kube.sh;"
    )
    node.run(f"{kept} bash {SCRIPTS}/uninstall-docker.sh; ({look}) >/tmp/after; diff /tmp/before /tmp/after")


@pytest.mark.parametrize("cri", RUNTIMES)
def test_seautil_is_there_once_the_runtime_is(make_node: MakeNode, cri: str) -> None:
    # sealer v0.11.0 pkg/registry/local.go configureLvs runs it on workers right after the runtime's script.
    node = make_node(cri)
    assert "seautil ipvs" in node.run(f"bash {SCRIPTS}/{cri}.sh; seautil ipvs")
