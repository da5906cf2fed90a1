"""Knows what is asked of a cluster that came up: its pods, where their images came from, that nothing got out."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import consumer
from tests.cluster.consumer import KUBELET_LOG
from tests.cluster.node import Node, StepFailed
from tests.cluster.transcript import Transcript
from tests.integration.real.release import Release

BUSYBOX = "docker.io/library/busybox:1.35.0"  # of the user's own context/imageList
CONF = "/etc/cni/net.d/10-user.conflist"
# The network that a user brings to an image without one: the plugins that the image put into /opt/cni/bin.
_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "user",
    "plugins": [{"type": "ptp", "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}]}}],
}
_POD = f"""
apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  tolerations: [{{operator: Exists}}]
  containers:
    - name: hello
      image: {BUSYBOX}
      command:
        - sh
        - -c
        - |
          echo "hello from $HOSTNAME"
          ip -o -4 addr show eth0
          nc -w 3 $KUBERNETES_SERVICE_HOST 443 && echo "the API server answers at its service address"
"""
# Where clouds tell a machine about itself: the kubelet asks there by itself, and no router passes it on (RFC 3927).
METADATA = "169.254.169.254"
# What a pod sends to a service before kube-proxy has led it to an endpoint: no router has a route there.
SERVICES = ipaddress.ip_network("10.96.0.0/22")  # service_subnet of versions.toml
_NODE = ",".join(
    f"{name}:.status.{field}"
    for name, field in (
        ("ADDRESS", "addresses[0].address"),
        ("KUBELET", "nodeInfo.kubeletVersion"),
        ("OS", "nodeInfo.osImage"),
        ("RUNTIME", "nodeInfo.containerRuntimeVersion"),
    )
)
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"


def containers(node: Node) -> set[str]:
    """Return the containers of Kubernetes that run on a node with containerd."""
    return set(node.run("ctr --namespace k8s.io tasks list | awk '$3 == \"RUNNING\" { print $1 }'").split())


def kubectl(node: Node, words: str) -> str:
    """Run kubectl on a master and return what it printed."""
    return node.run(f"{KUBECTL} {words}")


def pods(node: Node) -> list[dict[str, Any]]:
    """Return all pods of the cluster."""
    found: list[dict[str, Any]] = json.loads(kubectl(node, "get pods --all-namespaces --output json"))["items"]
    return found


def bring_network(node: Node, subnet: str) -> None:
    """Give a node the user's network: what a CNI provider's pods would write, and the routes between nodes."""
    network = json.loads(json.dumps(_NETWORK))
    network["plugins"][0]["ipam"]["ranges"] = [[{"subnet": subnet}]]
    consumer.write(node, CONF, json.dumps(network))


def nodes_ready(node: Node, count: int, tell: Transcript) -> None:
    """Wait until so many nodes are Ready, and show them."""
    with tell.step(f"{count} node{'s'[: count > 1]} Ready", node, "journalctl -u kubelet --no-pager"):
        node.wait(f"{KUBECTL} get nodes --no-headers | awk '$2 == \"Ready\"' | wc -l", str(count))
    tell.quote(kubectl(node, f"get nodes --output 'custom-columns=NAME:.metadata.name,{_NODE}'"))


def control_plane_runs(node: Node, count: int, tell: Transcript) -> None:
    """Wait until so many pods of kube-system are ready, and show them."""
    ready = f'{KUBECTL} --namespace kube-system get pods --no-headers | awk \'$2 == "1/1" && $3 == "Running"\' | wc -l'
    with tell.step(f"{count} pods of kube-system run and are ready", node, f"{KUBECTL} get pods -A; {KUBELET_LOG}"):
        node.wait(ready, str(count))
    tell.quote(kubectl(node, "get pods --all-namespaces --output wide | cut -c-105"))


def version_is(node: Node, version: str, tell: Transcript) -> None:
    """Wait until kubelet, API server and kube-proxy are of a version, and show them."""
    asked = f"{KUBECTL} get nodes --output 'jsonpath={{.items[0].status.nodeInfo.kubeletVersion}}'"
    with tell.step(f"the kubelet and every pod of Kubernetes are {version}", node, KUBELET_LOG):
        node.wait(asked, version)
        images = (
            f"{KUBECTL} --namespace kube-system get pods --output 'jsonpath={{.items[*].spec.containers[*].image}}'"
        )
        node.wait(f"{images} | tr ' ' '\\n' | grep -c '/kube-.*:{version}$'", "4")
    tell.quote(node.run(f"{KUBECTL} version --output yaml | grep -E '^[a-z]|gitVersion'"))


def pod_succeeds(node: Node, tell: Transcript, where: str = "") -> None:
    """Run a pod from an image of the user's own list to its end, on the node that is named, and read its log back."""
    consumer.write(node, "/root/hello.yaml", _POD + (f"  nodeName: {where}\n" if where else ""))
    kubectl(node, "apply --filename /root/hello.yaml")
    with tell.step(
        f"a pod of {BUSYBOX} succeeds{' on ' if where else ''}{where}", node, f"{KUBECTL} describe pod hello"
    ):
        node.wait(f"{KUBECTL} get pod hello --output 'jsonpath={{.status.phase}}'", "Succeeded")
    log = kubectl(node, "logs hello")
    tell.quote(log)
    kubectl(node, "delete --filename /root/hello.yaml")
    node.run("rm /root/hello.yaml")
    for wanted in ("hello from hello", "the API server answers"):
        if wanted not in log:
            raise StepFailed(f"the pod's log lacks {wanted!r}")


def images_came_from(registry: Path, log: str, found: list[dict[str, Any]], tell: Transcript) -> None:
    """Hold every image that a pod runs against the saved registry, and against what its access log says was pulled."""
    asked = pulled(log)
    seen: dict[str, str] = {}
    for pod in found:
        for status in pod["status"]["containerStatuses"]:
            seen[status["image"]] = status["imageID"].rpartition("@")[2]
    for image, digest in sorted(seen.items()):
        path, _, tag = saved_as(image).rpartition(":")
        link = registry / f"docker/registry/v2/repositories/{path}/_manifests/revisions" / digest.replace(":", "/")
        if not (link / "link").exists():
            raise StepFailed(f"{image} runs as {digest}, which is not saved in the image's registry")
        if f"{path}:{tag}" not in asked:
            raise StepFailed(f"{image} runs, but the private registry was not asked for {path}:{tag}\n{log[-3000:]}")
    tell.say(
        f"          all {len(seen)} images that pods run are saved in the image, and were pulled from its registry"
    )


def sandbox_image_came_from(url: str, release: Release, node: Node, log: str, cri: str, tell: Transcript) -> None:
    """Hold the image of the pods' sandboxes against the private registry."""
    name = f"pause:{release.pause}"
    if cri == "docker":
        used = node.run("docker ps --filter name=k8s_POD --format '{{.Image}}'").split()
    else:
        used = re.findall(release.sandbox, node.run("containerd config dump"))
    if set(used) != {f"{url}/{name}"} or name not in pulled(log):
        raise StepFailed(f"sandboxes run {set(used)}, not {url}/{name}, or it was not pulled")
    tell.say(f"          every sandbox runs {url}/{name}, pulled from the private registry")


def nothing_escaped(node: Node, tell: Transcript) -> None:
    """Raise StepFailed if a node tried to reach anything outside of its sandbox."""
    heard = node.sandbox.escaped()
    escaped = [line for line in heard if f" {METADATA} " not in line and not _to_a_service(line)]
    if escaped:
        tell.say(f"FAILED  {len(escaped)} packets were sent to addresses outside of the sandbox")
        raise StepFailed("\n".join(f"{escaped.count(line)} times {line}" for line in sorted(set(escaped))))
    looked = f" (the kubelet looked for a cloud at {METADATA}, on its own link)" if METADATA in " ".join(heard) else ""
    tell.say(f"          0 packets were sent to anywhere else{looked}")


def _to_a_service(line: str) -> bool:
    """Tell whether a packet, as listener.py describes it, went to the address of a service."""
    return ipaddress.ip_address(line.split()[2]) in SERVICES


def tree_is_as_before(before: Mapping[str, str], after: Mapping[str, str], tell: Transcript) -> None:
    """Raise StepFailed if the node's disk differs from what it was."""
    changed = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    if changed:
        lines = [f"{path}: {before.get(path, 'absent')} -> {after.get(path, 'absent')}" for path in changed[:40]]
        tell.say(f"FAILED  {len(changed)} paths of the node are not as they were")
        raise StepFailed("\n".join(lines))
    tell.say(f"          all {len(before)} files and folders of the node are as they were before")


def kernel(node: Node) -> list[str]:
    """Return what a node's kernel holds of interfaces and netfilter rules, without built-in chains and counters."""
    rules = node.run("{ iptables-save; ip6tables-save; } | grep -E '^(:[^ ]+ -|-A)' | sed 's/ \\[.*//' || true")
    return [*node.run("ls /sys/class/net").splitlines(), *rules.splitlines()]


def kernel_is_as_before(before: list[str], after: list[str], tell: Transcript) -> None:
    """Raise StepFailed if interfaces or netfilter rules of a node are not what they were."""
    if changed := sorted({*before} ^ {*after}):
        tell.say(f"FAILED  {len(changed)} interfaces or netfilter rules of the node are not as they were")
        raise StepFailed("\n".join(f"{'left' if one in after else 'gone'}: {one}" for one in changed[:40]))
    tell.say(f"          interfaces and netfilter rules of the node are as they were before ({len(before)})")


def saved_as(image: str) -> str:
    """Return the path and tag that an image is saved under: no host, one-word names of Docker Hub in library/."""
    host, slash, rest = image.partition("/")
    if not slash or not any(sign in host for sign in ".:"):
        host, rest = "docker.io", image
    return rest if "/" in rest or host != "docker.io" else f"library/{rest}"


def pulled(log: str) -> set[str]:
    """Return the `path:tag` that were asked for and found, from the registry's access log."""
    return {
        f"{match[1]}:{match[2]}"
        for match in re.finditer(r'"(?:GET|HEAD) /v2/(\S+)/manifests/([^ ?:]+)(?:\?\S*)? HTTP/\S+" 200', log)
    }
