"""Knows what sealer 0.9.2 and later does with an image on a node, in its order.

The order is that of https://github.com/sealerio/sealer/blob/v0.11.0/pkg/cluster-runtime/installer.go; what sealer
forces into the kubeadm configuration that of pkg/runtime/kubernetes/kubeadm/kubeadm_config.go.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cluster import consumer
from tests.cluster.consumer import Document
from tests.cluster.node import Node
from tests.cluster.transcript import Transcript

DATA = "/var/lib/sealer"
ROOTFS = f"{DATA}/data/my-cluster/rootfs"
DOMAIN, PORT = "sea.hub", "5000"
URL = f"{DOMAIN}:{PORT}"
ENV = {"RegistryDomain": DOMAIN, "RegistryPort": PORT, "RegistryURL": URL,
       "LocalRegistryDomain": DOMAIN, "LocalRegistryPort": PORT, "LocalRegistryURL": URL}  # fmt: skip
API_SERVER = "apiserver.cluster.local"
# What sealer removes after kubeadm's reset (pkg/runtime/kubernetes/common.go), before it runs the image's script.
REMOVED = (
    *("/etc/kubernetes", "/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d", "/etc/cni"),
    *("/opt/cni", "/usr/bin/kube*", "/var/lib/kubelet/*", "/var/lib/etcd", "/root/.kube"),
)
IGNORED = "SystemVerification,Port-10250,DirAvailable--etc-kubernetes-manifests"


def install(node: Node, image: Path, cri: str, tell: Transcript) -> None:
    """Bring up a control plane on the node from the image's files at `image`."""
    here = node.root / ROOTFS.lstrip("/")
    environment = ENV | {"ContainerRuntime": cri}
    with tell.step(f"sealer: copies the image to {ROOTFS}"):
        shutil.copytree(image, here, symlinks=True)
        consumer.fill_templates(here, ("etc", "charts", "manifests"), environment)
    unit = "docker" if cri == "docker" else "containerd"
    with tell.step(f"bash scripts/{cri}.sh", node, f"journalctl -u {unit} --no-pager"):
        node.run(f"bash {ROOTFS}/scripts/{cri}.sh", environment)
    with tell.step(f"bash scripts/init-registry.sh {PORT} …/registry {DOMAIN}", node, registry_log(cri)):
        _make_certificate(here / "certs")
        node.run(f"cd {ROOTFS}/scripts && bash init-registry.sh {PORT} {ROOTFS}/registry {DOMAIN}", environment)
    with tell.step(f"sealer: {DOMAIN} and {API_SERVER} in /etc/hosts, the registry's CA to {cri}"):
        join_registry(node, node.address, cri, (here / f"certs/{DOMAIN}.crt").read_text())
    with tell.step("sealer: merges kubeadm.yml and places audit-policy.yml"):
        node.run(f"install -D -m 644 {ROOTFS}/statics/audit-policy.yml /etc/kubernetes/audit-policy.yml")
        consumer.write(node, "/etc/kubernetes/kubeadm.yaml", kubeadm_config(node, here))
    with tell.step("bash scripts/init-kube.sh", node, "journalctl -u kubelet --no-pager"):
        node.run(f"cd {ROOTFS}/scripts && bash init-kube.sh", environment)
    with tell.step("kubeadm init --config=/etc/kubernetes/kubeadm.yaml", node, consumer.KUBELET_LOG):
        init = "kubeadm init --config=/etc/kubernetes/kubeadm.yaml --upload-certs"
        node.run(f"{init} --ignore-preflight-errors={IGNORED}")


def join(node: Node, master: Node, image: Path, cri: str, tell: Transcript) -> None:
    """Let a worker join the cluster of `master`.

    sealer leads workers to the API servers by ipvs (seautil, lvscare); here /etc/hosts names the one that there is.
    """
    here = node.root / ROOTFS.lstrip("/")
    environment = ENV | {"ContainerRuntime": cri}
    with tell.step(f"sealer: copies the image to {node.name}, without the saved images"):
        shutil.copytree(image, here, symlinks=True, ignore=shutil.ignore_patterns("registry"))
        consumer.fill_templates(here, ("etc", "charts", "manifests"), environment)
    with tell.step(f"bash scripts/{cri}.sh on {node.name}", node, f"journalctl -u {cri} --no-pager"):
        node.run(f"bash {ROOTFS}/scripts/{cri}.sh", environment)
    with tell.step(f"sealer: {DOMAIN} and {API_SERVER} in /etc/hosts, the registry's CA, kubeadm.yml"):
        certificate = master.root / ROOTFS.lstrip("/") / f"certs/{DOMAIN}.crt"
        join_registry(node, master.address, cri, certificate.read_text())
        consumer.write(node, "/etc/kubernetes/kubeadm.yaml", _join_config(node, master, here))
    with tell.step(f"bash scripts/init-kube.sh on {node.name}", node, "journalctl -u kubelet --no-pager"):
        node.run(f"cd {ROOTFS}/scripts && bash init-kube.sh", environment)
    with tell.step(f"kubeadm join --config=/etc/kubernetes/kubeadm.yaml on {node.name}", node, consumer.KUBELET_LOG):
        node.run(f"kubeadm join --config=/etc/kubernetes/kubeadm.yaml --ignore-preflight-errors={IGNORED}")


def upgrade(node: Node, image: Path, changed: list[str], version: str, tell: Transcript) -> None:
    """Lay what another image has new or changed over the node's, and let the new kubeadm upgrade the cluster."""
    here = node.root / ROOTFS.lstrip("/")
    with tell.step(f"the {len(changed)} paths that differ are laid over {ROOTFS}"):
        for path in changed:
            (here / path).parent.mkdir(parents=True, exist_ok=True)
            consumer.replace(image / path, here / path)
        consumer.fill_templates(here, ("etc", "charts", "manifests"), ENV)
    with tell.step("bash scripts/init-kube.sh", node, "journalctl -u kubelet --no-pager"):
        node.run(f"cd {ROOTFS}/scripts && bash init-kube.sh", ENV)
    with tell.step(f"kubeadm upgrade apply {version} --yes", node, consumer.KUBELET_LOG):
        node.run(f"kubeadm upgrade apply {version} --yes --ignore-preflight-errors=SystemVerification")


def uninstall(node: Node, cri: str, tell: Transcript) -> None:
    """Take the cluster away again: kubeadm's part, the image's script, and sealer's own files."""
    with tell.step("kubeadm reset --force; sealer removes what belongs to Kubernetes", node, "journalctl -u kubelet"):
        node.run(f"kubeadm reset --force; rm -rf {' '.join(REMOVED)}")
    with tell.step(f"bash scripts/uninstall-{cri}.sh", node, "journalctl -n 60 --no-pager"):
        node.run(f"bash {ROOTFS}/scripts/uninstall-{cri}.sh", ENV)
    with tell.step("sealer: removes its folder and its lines in /etc/hosts"):
        node.run(f"rm -rf {DATA}; sed -i '/ {DOMAIN}$/d; / {API_SERVER}$/d' /etc/hosts")


def registry_log(cri: str) -> str:
    """Return the command that prints the log of the private registry."""
    return "docker logs sealer-registry" if cri == "docker" else "journalctl -u sealer-registry --no-pager"


def join_registry(node: Node, registry: str, cri: str, certificate: str) -> None:
    """Let a node find the registry and the API server, which are at `registry`, and trust the registry."""
    hosts = f"{registry} {DOMAIN}\n{registry} {API_SERVER}\n"
    node.run(f"printf '{hosts}' >>/etc/hosts")
    consumer.write(node, f"/etc/{cri}/certs.d/{URL}/{DOMAIN}.crt", certificate)


def kubeadm_config(node: Node, rootfs: Path) -> str:
    """Return the configuration that sealer writes: of the image, over its own, and what it forces."""
    found = consumer.merged(consumer.documents((rootfs / "etc/kubeadm.yml").read_text()), _built_in())
    cluster, init = found["ClusterConfiguration"], found["InitConfiguration"]
    cluster["controlPlaneEndpoint"] = f"{API_SERVER}:6443"
    server = cluster["apiServer"]
    server["certSANs"] = [*server.get("certSANs", []), "127.0.0.1", API_SERVER, node.address, "10.103.97.2"]
    server["extraArgs"]["etcd-servers"] = f"https://{node.address}:2379"
    cluster["dns"].setdefault("imageRepository", f"{URL}/coredns")
    init["localAPIEndpoint"]["advertiseAddress"] = node.address
    init["nodeRegistration"]["criSocket"] = node.run("cat /etc/sealerio/cri/socket-path")
    found["KubeletConfiguration"]["cgroupDriver"] = "systemd"
    return consumer.dumped(found)


def _join_config(node: Node, master: Node, rootfs: Path) -> str:
    """Return the image's JoinConfiguration with the token that sealer takes from the first master."""
    words = master.run("kubeadm token create --print-join-command").split()
    found = consumer.documents((rootfs / "etc/kubeadm.yml").read_text())["JoinConfiguration"]
    del found["controlPlane"]  # of a master that joins
    found["discovery"] = {
        "bootstrapToken": {
            "apiServerEndpoint": f"{API_SERVER}:6443",
            "token": words[words.index("--token") + 1],
            "caCertHashes": [words[words.index("--discovery-token-ca-cert-hash") + 1]],
        }
    }
    found["nodeRegistration"]["criSocket"] = node.run("cat /etc/sealerio/cri/socket-path")
    return consumer.dumped({"JoinConfiguration": found})


def _built_in() -> dict[str, Document]:
    """Return what sealer fills in where an image says nothing: the parts that could do harm."""
    gates = {"feature-gates": "TTLAfterFinished=true,EphemeralContainers=true"}
    signing = {"experimental-cluster-signing-duration": "876000h"}
    cluster = {
        "imageRepository": URL,
        "apiServer": {"extraArgs": gates},
        "controllerManager": {"extraArgs": gates | signing},
        "scheduler": {"extraArgs": gates},
        "dns": {},
        "networking": {"podSubnet": "100.64.0.0/10", "serviceSubnet": "10.96.0.0/22"},
    }
    return {"ClusterConfiguration": cluster, "InitConfiguration": {"localAPIEndpoint": {"bindPort": 6443}}}


def _make_certificate(folder: Path) -> None:
    """Make the registry's certificate, which is its own CA."""
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500", "-subj", f"/CN={DOMAIN}",
         "-addext", f"subjectAltName=DNS:{DOMAIN}", "-keyout", folder / f"{DOMAIN}.key",
         "-out", folder / f"{DOMAIN}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
