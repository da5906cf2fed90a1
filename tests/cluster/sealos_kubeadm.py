"""Knows what sealos makes of an image's etc/kubeadm.yml: its own defaults, mergo's rules, and what it forces.

Sources, of https://github.com/labring/sealos v5.1.1, lifecycle/pkg/runtime/kubernetes: DEFAULTS is
types/default_kubeadm_config.go, `merged` is mergo.Merge with the options of types/kubeadm_config.go:69-72, `forced` is
CompleteKubeadmConfig of kubeadm.go:486-508. It merges into Go structs, so a false or 0 cannot be told from nothing.
"""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass
from typing import Any

import yaml

from clusterimage.values.version import Version

Document = dict[str, Any]
API_SERVER, PORT = "apiserver.cluster.local", 6443
# Fields that are a map in Go and not a struct: there an empty value outranks what is built in (mergo 0.3.13,
# merge.go, deepMerge, case reflect.Map).
MAPS = ("featureGates", "evictionHard", "evictionSoft", "systemReserved", "kubeReserved", "extraArgs")
# Feature gates that are taken away again: the first version without the gate (types/kubeadm_config.go:262-266).
GATES_UNTIL = {"TTLAfterFinished": Version.parse("v1.24.0"), "EphemeralContainers": Version.parse("v1.26.0")}
DEFAULTS = """
kind: InitConfiguration
localAPIEndpoint: {bindPort: 6443}
---
kind: ClusterConfiguration
networking: {podSubnet: 100.64.0.0/10, serviceSubnet: 10.96.0.0/22}
apiServer:
  extraArgs:
    audit-log-format: json
    audit-log-maxage: "7"
    audit-log-maxbackup: "10"
    audit-log-maxsize: "100"
    audit-log-path: /var/log/kubernetes/audit.log
    audit-policy-file: /etc/kubernetes/audit-policy.yml
    enable-aggregator-routing: "true"
    feature-gates: ""
  extraVolumes:
    - {name: audit, hostPath: /etc/kubernetes, mountPath: /etc/kubernetes, pathType: DirectoryOrCreate}
    - {name: audit-log, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, pathType: DirectoryOrCreate}
    - &localtime {name: localtime, hostPath: /etc/localtime, mountPath: /etc/localtime, readOnly: true, pathType: File}
controllerManager:
  extraArgs: {bind-address: 0.0.0.0, cluster-signing-duration: 876000h, feature-gates: ""}
  extraVolumes: [*localtime]
scheduler:
  extraArgs: {bind-address: 0.0.0.0, feature-gates: ""}
  extraVolumes: [*localtime]
etcd: {local: {extraArgs: {listen-metrics-urls: "http://0.0.0.0:2381"}}}
---
kind: KubeProxyConfiguration
mode: ipvs
metricsBindAddress: 0.0.0.0
# A 0 of the image became this default again when the real sealos ran; it is not of the file above.
conntrack: {maxPerCore: 32768, min: 131072}
---
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 2m0s, enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization: {mode: Webhook, webhook: {cacheAuthorizedTTL: 5m0s, cacheUnauthorizedTTL: 30s}}
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
evictionHard: {imagefs.available: 10%, memory.available: 100Mi, nodefs.available: 10%, nodefs.inodesFree: 5%}
failSwapOn: true
healthzBindAddress: 0.0.0.0
healthzPort: 10248
maxPods: 110
rotateCertificates: true
serializeImagePulls: false
staticPodPath: /etc/kubernetes/manifests
featureGates: {TTLAfterFinished: true, EphemeralContainers: true}
"""


@dataclass(frozen=True, slots=True)
class Host:
    """What sealos knows of the host, of the image's labels and ENV, when it writes the configuration."""

    address: str
    vip: str
    version: str
    cri_socket: str
    image_socket: str
    cgroup_driver: str


def cgroup_driver(containerd_config: str) -> str:
    """Return what `sealctl cri cgroup-driver` reads out of containerd's file (image-cri-shim pkg/cri/cri.go:165-211).

    Only the runtime that default_runtime_name names is looked at, only where configuration version 2 has it.
    """
    plugins = tomllib.loads(containerd_config).get("plugins", {})
    found = plugins.get("io.containerd.grpc.v1.cri", {}).get("containerd", {})
    runtime = found.get("runtimes", {}).get(found.get("default_runtime_name", ""), {})
    return "systemd" if runtime.get("options", {}).get("SystemdCgroup") else "cgroupfs"


def documents(text: str) -> dict[str, Document]:
    """Return the documents of a YAML text by their kind."""
    return {document["kind"]: document for document in yaml.safe_load_all(text) if document}


def merged(under: Any, over: Any, key: str = "") -> Any:
    """Return `over` merged into `under` as mergo does: maps are merged, lists appended, empty values dropped."""
    if isinstance(under, dict) and isinstance(over, dict):
        both = dict(under)
        for name, value in over.items():
            if key in MAPS or name not in under:
                both[name] = copy.deepcopy(value)
            else:
                both[name] = merged(under[name], value, name)
        return both
    if isinstance(under, list) and isinstance(over, list):
        return under + over
    return copy.deepcopy(over) if over else under


def configuration(image: str, host: Host) -> dict[str, Document]:
    """Return the documents that sealos hands to `kubeadm init`."""
    found, defaults = documents(image), documents(DEFAULTS)
    if found["ClusterConfiguration"]["apiVersion"].endswith("v1beta4"):
        _as_lists(defaults)
    both = {kind: merged(document, found.get(kind, {})) for kind, document in defaults.items()}
    _force(both, host)
    return both


def _as_lists(found: dict[str, Document]) -> None:
    """Turn arguments into the lists of v1beta4."""
    cluster = found["ClusterConfiguration"]
    for part in (cluster["apiServer"], cluster["controllerManager"], cluster["scheduler"], cluster["etcd"]["local"]):
        part["extraArgs"] = [{"name": name, "value": value} for name, value in part["extraArgs"].items()]


def _force(found: dict[str, Document], host: Host) -> None:
    """Set what no image can set otherwise (kubeadm.go:117-123 and 486-570)."""
    cluster, init, kubelet = (found[f"{kind}Configuration"] for kind in ("Cluster", "Init", "Kubelet"))
    api = cluster["apiVersion"].rpartition("/")[2]
    cluster["kubernetesVersion"] = host.version
    cluster["controlPlaneEndpoint"] = f"{API_SERVER}:{PORT}"
    names = ["127.0.0.1", API_SERVER, host.vip, host.address, *cluster["apiServer"].get("certSANs", [])]
    cluster["apiServer"]["certSANs"] = list(dict.fromkeys(names))
    init["apiVersion"] = cluster["apiVersion"]
    init["localAPIEndpoint"]["advertiseAddress"] = host.address
    node = init.setdefault("nodeRegistration", {})
    node.setdefault("criSocket", f"unix://{host.cri_socket}")
    node.setdefault("taints", [])  # a single host takes pods
    # Each list or map is replaced, not merged.
    node["kubeletExtraArgs"] = (
        [{"name": "node-ip", "value": host.address}] if api == "v1beta4" else {"node-ip": host.address}
    )
    if api not in ("v1beta1", "v1beta2"):  # a field since v1beta3
        node["imagePullPolicy"] = "Never"
    kubelet["cgroupDriver"] = host.cgroup_driver
    kubelet.setdefault("containerRuntimeEndpoint", f"unix://{host.cri_socket}")
    kubelet["imageServiceEndpoint"] = f"unix://{host.image_socket}"
    version = Version.parse(host.version)
    kubelet["featureGates"] = {
        gate: value for gate, value in kubelet["featureGates"].items() if _has_gate(gate, version)
    }
    ipvs = found["KubeProxyConfiguration"].setdefault("ipvs", {})
    ipvs["excludeCIDRs"] = list(dict.fromkeys([*ipvs.get("excludeCIDRs", []), f"{host.vip}/32"]))


def _has_gate(gate: str, version: Version) -> bool:
    return gate not in GATES_UNTIL or version < GATES_UNTIL[gate]
