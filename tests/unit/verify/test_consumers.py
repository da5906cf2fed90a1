"""What a consumer of an image would stumble over at its time is found before.

Who says what a consumer does is beside the rules, in catalog/contract.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clusterimage.verify import conformance
from clusterimage.verify.rootfs import Rootfs
from tests.unit.verify.breaking import CALICO, SEALER, SEALOS, SHEBANG, SHIMMED, Images, broken, edit, put

INIT = "init-cri.sh $registryDomain $registryPort && bash init.sh"


def document(kind: str, text: str) -> Callable[[Rootfs], object]:
    """Say more in one of the documents of etc/kubeadm.yml."""
    return edit("etc/kubeadm.yml", f"kind: {kind}\n", f"kind: {kind}\n{text}\n")


def kubelet(text: str) -> Callable[[Rootfs], object]:
    name = text.partition(":")[0]

    def act(root: Rootfs) -> None:
        path = "etc/kubeadm.yml"
        lines = [line for line in root.files[path].text.splitlines() if not line.startswith(f"{name}:")]
        put(path, "\n".join(lines) + "\n", 0o644)(root)
        document("KubeletConfiguration", text)(root)

    return act


def volume(part: str, name: str) -> Callable[[Rootfs], object]:
    return edit(
        "etc/kubeadm.yml", f"{part}:\n", f"{part}:\n  extraVolumes: [{{name: {name}, hostPath: /x, mountPath: /x}}]\n"
    )


# A function that nobody calls installs nothing.
UNCALLED = (
    SHEBANG + 'install_seautil() {\n    install "$ROOTFS/bin/seautil" /usr/bin\n}\n# install_seautil\n'
    'start() { install "$ROOTFS/bin/kubectl" /usr/bin; }\nstart\n'
)
CONSUMED = [
    (
        SEALER,
        edit("scripts/docker.sh", "\ninstall_seautil\n", "\n"),
        ["docker.sh: does not install seautil (sealer lea"],
    ),
    (CALICO, put("scripts/containerd.sh", UNCALLED), ["containerd.sh: does not install seautil ("]),
    (CALICO, put("scripts/containerd.sh", UNCALLED + 'cp "$ROOTFS"/bin/seautil /usr/bin\n'), []),
    (
        SEALER,
        edit("scripts/init-kube.sh", "\ninstall_programs\n", "\n"),
        [f"docker.sh init-kube.sh: does not install {name} (" for name in ("crictl", "kubeadm", "kubelet")],
    ),
    (
        SEALOS,
        edit("scripts/init.sh", 'bash "$SCRIPTS/init-kube.sh"', ""),
        [f"{INIT}: does not install {name} (" for name in ("crictl", "kubeadm", "kubelet")],
    ),
    (
        CALICO,
        edit("etc/dump-config.toml", "SystemdCgroup = true", "SystemdCgroup = false"),
        ["etc/dump-config.toml: the"],
    ),
    (
        SHIMMED,
        edit("etc/dump-config.toml.tmpl", 'default_runtime_name = "runc"', ""),
        ["etc/dump-config.toml.tmpl: sealctl reads cgroupfs out of it, containerd systemd"],
    ),
    (
        SHIMMED,
        edit("etc/dump-config.toml.tmpl", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"),
        ["etc/dump-config.toml.tmpl: sealctl reads cgroupfs out of it, containerd systemd"],
    ),
    (SHIMMED, edit("etc/dump-config.toml.tmpl", "SystemdCgroup = true", ""), []),  # both are cgroupfs then
    (SEALER, edit("etc/daemon.json", "systemd", "cgroupfs"), ["etc/daemon.json: exec-opts lacks native.cgroupdriver="]),
    (
        SEALOS,
        edit("etc/image-cri-shim.yaml.tmpl", "debug:", "version: v1\ndebug:"),
        ["etc/image-cri-shim.yaml: version is"],
    ),
    (SEALOS, kubelet("failSwapOn: false"), ["etc/kubeadm.yml: failSwapOn: false is without effect"]),
    (SEALER, kubelet("failSwapOn: false"), []),
    (SEALOS, kubelet("healthzBindAddress: 127.0.0.1"), ["etc/kubeadm.yml: healthzBindAddress hides the kubelet"]),
    (SEALOS, kubelet("healthzBindAddress: 0.0.0.0"), []),
    (
        SEALOS,
        volume("scheduler", "localtime"),
        ["etc/kubeadm.yml: scheduler has the volume localtime of sealos itself"],
    ),
    (SEALOS, volume("scheduler", "audit"), []),
]


@pytest.mark.parametrize(("name", "act", "expected"), CONSUMED)
def test_what_a_consumer_would_stumble_over_is_found(
    images: Images, name: str, act: Callable[[Rootfs], object], expected: list[str]
) -> None:
    findings = broken(images, name, act)

    assert len(findings) == len(expected), findings
    for line, start in zip(findings, expected, strict=True):
        assert line.startswith(start), findings


def test_an_application_that_sealos_would_not_launch_is_found(images: Images) -> None:
    root, _ = images[CALICO]  # launches calico for sealer, and its tags are indexes
    launched = "config.Cmd: is empty, and sealos runs nothing else; sealer.image.extension launches for sealer"

    assert list(conformance.check_application(root, for_sealos=False)) == []
    findings = list(conformance.check_application(root, for_sealos=True))
    assert findings[-1] == launched
    assert {line.partition(": ")[2] for line in findings[:-1]} == {
        "is an index, this flavor serves one platform's manifest"
    }
    assert launched not in conformance.check_application(replace(root, command=("bash a.sh",)), for_sealos=True)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/dump-config.toml.tmpl", 'plugins = "none"\n'),
        (
            "etc/kubeadm.yml",
            "kind: KubeletConfiguration\n---\nkind: ClusterConfiguration\nscheduler: {extraVolumes: }\n",
        ),
        ("etc/image-cri-shim.yaml.tmpl", "[]"),
    ],
)
def test_what_has_another_shape_is_no_traceback(images: Images, path: str, text: str) -> None:
    broken(images, SHIMMED, put(path, text))
