"""init-kube.sh, check.sh and calico.sh as sealer runs them."""

import struct

import pytest

from tests.scripts.conftest import MakeNode
from tests.scripts.node import IMAGE
from tests.scripts.test_repair import MERGED, arguments

SCRIPTS = f"{IMAGE}/scripts"


def test_the_configuration_that_sealer_wrote_is_repaired_before_kubeadm_reads_it(make_node: MakeNode) -> None:
    node = make_node("containerd")
    (node.rootfs / "merged.yaml").write_text(MERGED)
    call = f"mkdir -p /etc/kubernetes; install -m 600 {IMAGE}/merged.yaml /etc/kubernetes/kubeadm.yaml;"
    assert "no longer knows" in node.run(f"{call} cd {SCRIPTS}; RegistryURL=sea.hub:5000 bash init-kube.sh")
    assert "TTLAfterFinished" not in str(arguments(node.read("/etc/kubernetes/kubeadm.yaml")))
    assert (node.upper / "etc/kubernetes/kubeadm.yaml").stat().st_mode & 0o777 == 0o600
    assert not node.has("/etc/kubernetes/kubeadm.yaml.new")


def test_the_kubelet_is_enabled_but_left_for_kubeadm_to_start(make_node: MakeNode) -> None:
    node = make_node("containerd")
    calls = node.run(f"bash {SCRIPTS}/init-kube.sh; cat /run/systemctl")
    assert "enable --quiet kubelet.service" in calls
    assert " start kubelet" not in calls and " restart kubelet" not in calls


def test_the_kernel_is_prepared_at_each_start_of_the_kubelet_and_no_file_changes(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.script("init-kube.sh")
    once = node.changes()
    output = node.run(
        "cd /proc/sys/net/ipv4; echo 0 >ip_forward; echo 2 >conf/all/rp_filter;"
        "/usr/bin/kubelet-pre-start.sh 2>/dev/null; cat ip_forward conf/all/rp_filter"
    )
    assert output == "1\n0\n"
    assert node.changes() == once


def test_ipv6_is_forwarded_only_where_the_cluster_uses_it(make_node: MakeNode) -> None:
    node = make_node("containerd")
    node.script("containerd.sh")
    assert "ipv6" not in node.read("/etc/sysctl.d/99-clusterimage.conf")
    node.script("containerd.sh", {"HostIPFamily": "6"})
    assert "net.ipv6.conf.all.forwarding = 1\n" in node.read("/etc/sysctl.d/99-clusterimage.conf")
    node.script("init-kube.sh")  # to which sealer does not tell the family
    assert "net.ipv6.conf.all.forwarding = 1\n" in node.read("/etc/sysctl.d/99-clusterimage.conf")


def elf(machine: int) -> bytes:
    """Return the first bytes of a program for a machine."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine)


def test_an_image_of_another_platform_is_refused_before_anything_is_changed(make_node: MakeNode) -> None:
    node = make_node("containerd")
    before = node.changes()
    (node.rootfs / "bin/kubeadm").write_bytes(elf(183))
    output = node.script("containerd.sh", check=False)
    assert "the image is for aarch64 but this node is x86_64" in output and "exit 1" in output
    assert node.changes() == before
    (node.rootfs / "bin/kubeadm").write_bytes(elf(62))
    node.script("check.sh")


def test_every_problem_is_one_line(make_node: MakeNode) -> None:
    node = make_node("containerd")
    output = node.run(
        "rmdir /run/systemd/system; python3 -m http.server 10250 >/dev/null & sleep 1;"
        f"rm {IMAGE}/bin/kubeadm; bash {SCRIPTS}/check.sh", check=False,
    )  # fmt: skip
    assert [line.split(":")[1].split(" ")[1] for line in output.splitlines() if line.startswith("clusterimage")] == [
        "systemd", f"{IMAGE}/bin/kubeadm", "port",
    ]  # fmt: skip
    assert "exit 1" in output


OPERATOR = """\
      - name: tigera-operator
        image: quay.io/tigera/operator:v1.30.9
        env:
        - name: TIGERA_OPERATOR_INIT_IMAGE_VERSION
"""


def test_calico_comes_from_the_registry_that_the_cluster_names(make_node: MakeNode) -> None:
    node = make_node("containerd")
    (node.rootfs / "applications/tigera-operator.yaml").write_text(OPERATOR)
    kubectl = (
        "case $* in *configmap*) printf 'dns:\\n  imageRepository: x/coredns\\nimageRepository: hub.local:5001\\n' ;;"
        " apply*) echo apply; cat ;; *) echo $* ;; esac"
    )
    output = node.run(
        "rm -f /usr/bin/kubectl; printf '%s\\n' '#!/bin/sh' \"$KUBECTL\" >/usr/bin/kubectl; chmod 755 /usr/bin/kubectl;"
        f"cd {IMAGE}; bash application/apps/calico/calico.sh", {"KUBECTL": kubectl},
    )  # fmt: skip
    assert "image: hub.local:5001/tigera/operator:v1.30.9\n" in output
    assert '  registry: "hub.local:5001/"\n' in output and "cidr: 100.64.0.0/10" in output
    assert output.index("operator:v1") < output.index("wait --for=condition=Established") < output.index("Installation")
    assert (node.rootfs / "applications/tigera-operator.yaml").read_text() == OPERATOR


NO_KERNEL = (
    "mount -t tmpfs tmpfs /proc/net 2>/dev/null || true; printf '#!/bin/sh\\nexit 1\\n' >/usr/local/bin/modprobe;"
    "printf '#!/bin/sh\\necho tmpfs\\n' >/usr/local/bin/stat; chmod 755 /usr/local/bin/modprobe /usr/local/bin/stat;"
)
AUTHORIZATION = "authorization:\n  mode: Webhook\n"  # of the kubelet: another mode


@pytest.mark.parametrize(
    ("kubernetes", "more", "says"),
    [
        ("v1.25.16", "mode: ipvs\n", []),
        ("v1.26.0", "mode: ipvs\n", ["no module ip_vs,"]),
        ("v1.26.0", 'mode: "ipvs"\n', ["no module ip_vs,"]),
        ("v1.34.4", "mode: iptables\n", []),
        ("v1.35.0", "mode: iptables\n", ["this node has cgroup v1, with which a kubelet v1.35.0 does not start"]),
        ("v1.37.2", "mode: nftables\nfailCgroupV1: false\n", []),
    ],
)
def test_what_the_kernel_lacks_is_said_before_kubeadm_waits_for_it(
    make_node: MakeNode, kubernetes: str, more: str, says: list[str]
) -> None:
    node = make_node("containerd")
    (node.rootfs / "etc/kubeadm.yml").write_text(f"kubernetesVersion: {kubernetes}\n{AUTHORIZATION}{more}")

    output = node.run(f"{NO_KERNEL} bash {SCRIPTS}/check.sh", check=False)

    lines = [line for line in output.splitlines() if line.startswith("clusterimage: this ")]
    assert len(lines) == len(says) and all(word in line for word, line in zip(says, lines, strict=True))
    assert ("exit 1" in output) == bool(says)
    ignored = node.run(f"{NO_KERNEL} bash {SCRIPTS}/check.sh", {"IgnoreChecks": "true"}, check=False)
    assert "exit 0" in ignored and all(line in ignored for line in lines)
