"""Knows what sealos 4.3 and later does with an image on a node, in its order, as the labels and ENV of the image say.

The order is that of https://github.com/labring/sealos lifecycle/pkg/bootstrap/bootstrap.go. Certificates, which sealos
makes itself, are left to kubeadm.
"""

from __future__ import annotations

import shutil
import string
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import consumer
from tests.cluster.node import Node
from tests.cluster.transcript import Transcript

DATA = "/var/lib/sealos"
ROOTFS = f"{DATA}/data/default/rootfs"
API_SERVER = "apiserver.cluster.local"
KUBEADM = f"{DATA}/data/default/etc/kubeadm-init.yaml"
# What sealos removes once kubeadm has reset a node (pkg/runtime/kubernetes/reset.go), before what the labels say.
REMOVED = ("/etc/kubernetes", "/etc/cni", "/opt/cni", "/var/lib/etcd", "/root/.kube")
# What sealos has built in and appends to what the image says (types/default_kubeadm_config.go).
_VOLUMES = [
    *({"name": name, "hostPath": path, "mountPath": path, "pathType": "DirectoryOrCreate"}
      for name, path in (("audit", "/etc/kubernetes"), ("audit-log", "/var/log/kubernetes"))),
    {"name": "localtime", "hostPath": "/etc/localtime", "mountPath": "/etc/localtime", "readOnly": True,
     "pathType": "File"},
]  # fmt: skip
REGISTRY_LOG = "journalctl -u registry --no-pager"


def install(node: Node, image: Path, labels: Mapping[str, str], env: Mapping[str, str], tell: Transcript) -> None:
    """Bring up a control plane on the node from the image's files at `image`, its labels and ENV."""
    here = node.root / ROOTFS.lstrip("/")
    data, domain = env["registryData"], env["registryDomain"]
    with tell.step(f"sealos: copies the image to {ROOTFS}"):
        shutil.copytree(image, here, symlinks=True)
        consumer.fill_templates(here, ("etc", "scripts", "manifests"), env)
        node.run(f"chmod -R 0755 {ROOTFS}")
    with tell.step(f"bash {labels['check']}", node):
        _run(node, labels["check"], env)
    with tell.step(f"sealos: {domain} in /etc/hosts, {data} a link to the saved images, registry_htpasswd"):
        node.run(f"echo '{node.address} {domain}' >>/etc/hosts; rm -rf {data}; ln -s {ROOTFS}/registry {data}")
        consumer.write(node, f"{ROOTFS}/etc/registry_htpasswd", _htpasswd(env))
    with tell.step(f"bash {labels['init-registry']}", node, REGISTRY_LOG):
        _run(node, labels["init-registry"], env)
    with tell.step(f"sealos: {API_SERVER} in /etc/hosts"):
        node.run(f"echo '{node.address} {API_SERVER}' >>/etc/hosts")
    with tell.step(f"bash {labels['init']}", node, "journalctl -u containerd -u image-cri-shim --no-pager"):
        _run(node, labels["init"], env)
    with tell.step("sealos: merges kubeadm.yml and places audit-policy.yml"):
        node.run(f"install -D -m 644 {ROOTFS}/statics/audit-policy.yml /etc/kubernetes/audit-policy.yml")
        consumer.write(node, KUBEADM, _kubeadm_config(node, here))
    with tell.step(f"kubeadm init --config={KUBEADM}", node, consumer.KUBELET_LOG):
        node.run(f"kubeadm init --config={KUBEADM} --ignore-preflight-errors=SystemVerification")


def uninstall(node: Node, labels: Mapping[str, str], env: Mapping[str, str], tell: Transcript) -> None:
    """Take the cluster away again: kubeadm's part, what the labels say, and sealos' own files."""
    with tell.step("kubeadm reset --force; sealos removes what belongs to Kubernetes", node, "journalctl -u kubelet"):
        node.run(f"kubeadm reset --force; rm -rf {' '.join(REMOVED)}")
    for label in ("clean", "clean-registry"):
        with tell.step(f"bash {labels[label]}", node, "journalctl -n 60 --no-pager"):
            _run(node, labels[label], env)
    with tell.step("sealos: removes its folder and its lines in /etc/hosts"):
        node.run(f"rm -rf {DATA}; sed -i '/ {env['registryDomain']}$/d; / {API_SERVER}$/d' /etc/hosts")


def _run(node: Node, label: str, env: Mapping[str, str]) -> None:
    """Run a label of the image in its folder of scripts, its variables filled in."""
    node.run(f"cd {ROOTFS}/scripts && bash {string.Template(label).substitute(env)}", env)


def _htpasswd(env: Mapping[str, str]) -> str:
    words = ["htpasswd", "-Bbn", env["registryUsername"], env["registryPassword"]]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _kubeadm_config(node: Node, rootfs: Path) -> str:
    """Return the configuration that sealos writes: the image's, and what sealos forces."""
    found = consumer.documents((rootfs / "etc/kubeadm.yml").read_text())
    cluster, init = found["ClusterConfiguration"], found["InitConfiguration"]
    cluster["controlPlaneEndpoint"] = f"{API_SERVER}:6443"
    for part in ("apiServer", "controllerManager", "scheduler"):
        cluster[part]["extraVolumes"] = [
            *cluster[part].get("extraVolumes", []),
            *_VOLUMES[-3 if part == "apiServer" else -1 :],
        ]
    cluster["apiServer"]["certSANs"] = ["127.0.0.1", API_SERVER, node.address, "10.103.97.2"]
    init.setdefault("localAPIEndpoint", {})["advertiseAddress"] = node.address
    init.setdefault("nodeRegistration", {})["criSocket"] = "/run/containerd/containerd.sock"
    return consumer.dumped(found)
