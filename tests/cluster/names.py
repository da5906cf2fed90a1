"""Knows what the real CoreDNS of a cluster is asked from a pod: the API server's name, and that of a service."""

from __future__ import annotations

from tests.cluster import consumer
from tests.cluster.node import Node, StepFailed
from tests.cluster.proof import BUSYBOX, KUBECTL, kubectl
from tests.cluster.transcript import Transcript

API = "kubernetes.default.svc.cluster.local"
SERVICE = "web.default.svc.cluster.local"
# The wget of this static busybox finds no resolver, and ends there even when it is given an address.
_PODS = f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 0
  tolerations: [{{operator: Exists}}]
  containers:
    - name: web
      image: {BUSYBOX}
      command: [sh, -c, "echo the page of $HOSTNAME >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]
---
apiVersion: v1
kind: Pod
metadata: {{name: asks}}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: OnFailure
  tolerations: [{{operator: Exists}}]
  containers:
    - name: asks
      image: {BUSYBOX}
      command:
        - sh
        - -ec
        - |
          nslookup {API}
          nslookup {SERVICE}
          printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 "$(nslookup {SERVICE} | sed -n 's/^Address: //p')" 80
"""


def are_answered(node: Node, tell: Transcript) -> None:
    """Let a pod ask for both names and fetch a page from the service; hold the answers against the services."""
    consumer.write(node, "/root/names.yaml", _PODS)
    kubectl(node, "apply --filename /root/names.yaml")
    log = f"{KUBECTL} logs asks; {KUBECTL} --namespace kube-system logs --selector k8s-app=kube-dns"
    with tell.step(f"CoreDNS answers a pod {API} and {SERVICE}", node, log):
        node.wait(f"{KUBECTL} get pod asks --output 'jsonpath={{.status.phase}}'", "Succeeded")
    said = kubectl(node, "logs asks")
    tell.quote("\n".join(line for line in said.splitlines() if line.strip()))
    addresses = [
        kubectl(node, f"get service {name} --output 'jsonpath={{.spec.clusterIP}}'") for name in ("kubernetes", "web")
    ]
    kubectl(node, "delete --filename /root/names.yaml")
    node.run("rm /root/names.yaml")
    for name, address in zip((API, SERVICE), addresses, strict=True):
        if f"Name:\t{name}\nAddress: {address}\n" not in said:
            raise StepFailed(f"{name} is not {address}")
    if "the page of web" not in said:
        raise StepFailed("the service's page was not fetched")
