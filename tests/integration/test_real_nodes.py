"""The scripts of a real image, run as sealer runs them: a node's runtime serves and pulls what the image brought."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import tool
from tests.integration.real.project import K8S
from tests.scripts.node import IMAGE, Node
from tests.scripts.test_registry import REAL, SERVE, START, make_certificate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
SCRIPTS = f"{IMAGE}/scripts"
# One call of the CRI without a client of its own: gRPC is HTTP/2 with a length before a protobuf message.
# https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto (PullImageRequest.image.image)
CRI_PULL = """
cri_pull() {
    local spec request
    spec=$(printf '\\n'; printf "\\\\x$(printf %02x ${#1})"; printf %s "$1")
    request=$(printf '\\n'; printf "\\\\x$(printf %02x ${#spec})"; printf %s "$spec")
    { printf '\\0\\0\\0\\0'; printf "\\\\x$(printf %02x ${#request})"; printf %s "$request"; } >/tmp/request
    curl --silent --show-error --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock \
        --header 'content-type: application/grpc' --header 'te: trailers' --data-binary @/tmp/request \
        --dump-header /tmp/headers --output /tmp/answer "http://cri/runtime.v1.ImageService/PullImage"
    echo "cri $1: $(grep -i '^grpc-status' /tmp/headers | tr -d '\\r') $(tr -dc '[:print:]' </tmp/answer)"
}
"""


@pytest.fixture
def make_real_node(roots: dict[tuple[str, str], Path]) -> Iterator[object]:
    if os.geteuid() != 0 or not os.path.ismount("/dev/shm"):
        pytest.skip("a throw-away node needs root and /dev/shm")
    for name in ("unshare", "curl", "openssl", "conntrack"):
        tool(name)
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))

    def make(cri: str) -> Node:
        root = roots[f"{K8S}-{cri}-calico", "amd64"]
        copy = root.parent / "node"
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--link", root, copy], check=True)
        make_certificate(copy / "certs")
        return Node(folder, copy)

    yield make
    shutil.rmtree(folder)


def test_containerd_pulls_through_our_hosts_toml_and_cri_configuration(make_real_node) -> None:  # type: ignore[no-untyped-def]
    node = make_real_node("containerd")
    pull = "ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d"
    output = node.run(
        f"{START.format('containerd', SCRIPTS)}; {SERVE}; {CRI_PULL}"
        f"cp {IMAGE}/certs/sea.hub.crt /etc/containerd/certs.d/sea.hub:5000/sea.hub.crt;"
        # By the private registry's name, and by names of other hosts, which _default sends to it.
        f"{pull} sea.hub:5000/pause:3.2 >/dev/null; {pull} k8s.gcr.io/etcd:3.4.13-0 >/dev/null;"
        f"{pull} --platform linux/amd64 docker.io/library/busybox:1.35.0 >/dev/null;"
        "ctr -n k8s.io images ls -q;"
        "cri_pull sea.hub:5000/kube-apiserver:v1.20.2; cri_pull k8s.gcr.io/coredns:1.7.0;"
        "cri_pull sea.hub:5000/coredns/coredns:1.7.0; cri_pull sea.hub:5000/none:1;"
        "containerd config dump | grep -E 'sandbox_image|SystemdCgroup|config_path' | head -4",
        REAL,
    )

    for name in ("sea.hub:5000/pause:3.2", "k8s.gcr.io/etcd:3.4.13-0", "docker.io/library/busybox:1.35.0"):
        assert f"{name}\n" in output, output
    for name in ("sea.hub:5000/kube-apiserver:v1.20.2", "k8s.gcr.io/coredns:1.7.0"):
        assert f"cri {name}: grpc-status: 0" in output, output
    assert "cri sea.hub:5000/coredns/coredns:1.7.0: grpc-status: 0" in output, output
    assert "cri sea.hub:5000/none:1: grpc-status: 2" in output, output  # Unknown: there is no such image


def test_docker_pulls_from_the_registry_that_the_image_brought(make_real_node) -> None:  # type: ignore[no-untyped-def]
    node = make_real_node("docker")
    output = node.run(
        f"{START.format('docker', SCRIPTS)}; {SERVE};"
        f"cp {IMAGE}/certs/sea.hub.crt /etc/docker/certs.d/sea.hub:5000/sea.hub.crt;"
        "docker pull --quiet sea.hub:5000/pause:3.2; docker pull --quiet sea.hub:5000/kube-proxy:v1.20.2;"
        "docker pull --quiet busybox:1.35.0; docker version --format '{{.Server.Version}}';"
        f"bash {SCRIPTS}/uninstall-docker.sh; pgrep '^(registry|containerd|dockerd)' || echo all gone",
        REAL,
    )

    assert "sea.hub:5000/pause:3.2" in output and "sea.hub:5000/kube-proxy:v1.20.2" in output, output
    assert "20.10.24" in output and "all gone" in output, output
