"""The private registry on real runtimes: Debian's containerd and Docker run Debian's registry, others pull from it."""

import functools
import gzip
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts import image
from tests.scripts.conftest import MakeNode
from tests.scripts.node import IMAGE, Node

SCRIPTS = f"{IMAGE}/scripts"
TOOLS = ("containerd", "ctr", "dockerd", "docker", "runc", "docker-registry", "skopeo", "openssl", "htpasswd", "curl")
REAL = {"REAL_UNITS": "yes", "CgroupDriver": "cgroupfs"}
DISK = "echo '127.0.0.1 sea.hub' >>/etc/hosts; mkdir -p /var/lib/{0}; mount -t tmpfs disk /var/lib/{0};"
START = DISK + " bash {1}/{0}.sh"
SERVE = f"bash {SCRIPTS}/init-registry.sh 5000 {IMAGE}/registry sea.hub"
CERTS = "sea.hub:5000/sea.hub.crt"  # sealer brings it there

pytestmark = pytest.mark.skipif(
    any(not shutil.which(tool) for tool in TOOLS), reason=f"needs all of {', '.join(TOOLS)}"
)


def which(name: str) -> Path:
    """Find a program of this machine."""
    found = shutil.which(name)
    assert found
    return Path(found)


def libraries(program: Path) -> dict[str, bytes | Path]:
    """List the shared libraries of a program by their place in an image."""
    lines = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines()
    paths = [word for line in lines for word in line.split() if word.startswith("/")]
    return {path.lstrip("/"): Path(path) for path in paths}


def save_images(root: Path, work: Path) -> None:
    """Save two images into registry/ as clusterimage does, by a registry on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config, archive = work / "registry.yml", work / "registry.tar"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}/registry}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    archive.write_bytes(gzip.decompress((root / "images/registry.tar.gz").read_bytes()))
    copy = ("skopeo", "copy", "--quiet", "--insecure-policy", "--retry-times=5", "--dest-tls-verify=false")
    serve = ("docker-registry", "serve", config)
    with subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for name in ("pause:3.9", "kube-apiserver:v1.28.4"):
                target = f"docker://127.0.0.1:{port}/{name}"
                subprocess.run([*copy, f"docker-archive:{archive}", target], check=True, timeout=60)
        finally:
            server.terminate()


def make_certificate(folder: Path) -> None:
    """Make the self-signed certificate that sealer would make."""
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-keyout", folder / "sea.hub.key",
         "-out", folder / "sea.hub.crt", "-subj", "/CN=registry-ca", "-addext", "subjectAltName=DNS:sea.hub"],
        check=True, capture_output=True,
    )  # fmt: skip


Parts = Callable[[str], Path]


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Make what a real image holds besides stand-ins, once for each runtime: packing takes longer than any test."""

    @functools.cache
    def make(cri: str) -> Path:
        work = tmp_path_factory.mktemp(cri)
        root, registry = work / "rootfs", which("docker-registry")
        for folder in ("cri", "images"):
            (root / folder).mkdir(parents=True)
        programs = {name: which(name) for name in ("containerd", "containerd-shim-runc-v2", "ctr")}
        if cri == "docker":
            programs |= {name: which(name) for name in ("docker", "dockerd", "docker-init", "docker-proxy", "runc")}
        else:
            shutil.copy(which("runc"), root / "cri/runc")
        image.pack(root / f"cri/{cri}.tar.gz", {f"x/{name}": path for name, path in programs.items()})
        image.registry_archive(root / "images/registry.tar.gz", libraries(registry) | {"bin/registry": registry})
        save_images(root, work)
        make_certificate(root / "certs")
        return root

    return make


@pytest.fixture
def real_node(make_node: MakeNode, parts: Parts) -> MakeNode:
    """Make a node whose image holds real runtimes and a real registry with two images."""

    def make(cri: str, **changes: object) -> Node:
        node = make_node(cri, docker_needs_cri_dockerd=False, **changes)
        shutil.copytree(parts(cri), node.rootfs, dirs_exist_ok=True)
        return node

    return make


def test_containerd_serves_and_pulls_by_the_registrys_name_and_as_mirror_of_all_others(real_node: MakeNode) -> None:
    node = real_node("containerd")
    pull = "ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d"
    output = node.run(
        f"{START.format('containerd', SCRIPTS)}; {SERVE};"
        f"cp {IMAGE}/certs/sea.hub.crt /etc/containerd/certs.d/{CERTS};"
        f"{pull} sea.hub:5000/pause:3.9 >/dev/null; {pull} registry.k8s.io/kube-apiserver:v1.28.4 >/dev/null;"
        f"ctr -n k8s.io images ls -q; pgrep -x registry; {SERVE}; pgrep -x registry;"
        f"bash {SCRIPTS}/uninstall-containerd.sh; pgrep '^(registry|containerd)' || echo all gone",
        REAL,
    )
    assert "sea.hub:5000/pause:3.9\n" in output and "registry.k8s.io/kube-apiserver:v1.28.4\n" in output
    first, second = output.split("clusterimage: the registry serves already\n")
    assert first.split()[-1] == second.split()[0], "the second run made another container"
    assert "all gone" in output


def test_docker_serves_and_pulls_with_passwords(real_node: MakeNode) -> None:
    node = real_node("docker")
    htpasswd = subprocess.run(["htpasswd", "-Bbn", "admin", "s3cr3t"], capture_output=True, check=True)
    (node.rootfs / "etc/registry_htpasswd").write_bytes(htpasswd.stdout)
    output = node.run(
        f"{START.format('docker', SCRIPTS)}; {SERVE};"
        f"cp {IMAGE}/certs/sea.hub.crt /etc/docker/certs.d/{CERTS};"
        "docker pull --quiet sea.hub:5000/pause:3.9 || echo refused;"
        "echo s3cr3t | docker login --username admin --password-stdin sea.hub:5000 >/dev/null 2>&1;"
        "docker pull --quiet sea.hub:5000/pause:3.9; docker inspect --format '{{.Id}}' sea.hub:5000/pause:3.9;"
        f"docker ps --quiet --no-trunc; {SERVE}; docker ps --quiet --no-trunc;"
        f"bash {SCRIPTS}/uninstall-docker.sh; pgrep '^(registry|containerd|dockerd)' || echo all gone",
        REAL,
    )
    assert "refused" in output and "all gone" in output
    first, second = output.split("clusterimage: the registry serves already\n")
    assert first.split()[-1] == second.split()[0], "the second run made another container"


@pytest.mark.parametrize("cri", ["docker", "containerd"])
def test_a_registry_without_certificate_speaks_http_and_shows_no_debug_port(real_node: MakeNode, cri: str) -> None:
    node = real_node(cri)
    shutil.rmtree(node.rootfs / "certs")
    output = node.run(
        f"{START.format(cri, SCRIPTS)}; {SERVE};"
        "curl -sS http://sea.hub:5000/v2/_catalog; awk '$4 == \"0A\" && $2 !~ /^0100007F/ {print $2}' /proc/net/tcp*",
        REAL,
    )
    assert '{"repositories":["kube-apiserver","pause"]}' in output
    assert output.split("}\n")[-1].split() == [f"{0:032X}:1388"]


def test_a_taken_port_is_told(real_node: MakeNode) -> None:
    node = real_node("containerd")
    output = node.run(
        f"{START.format('containerd', SCRIPTS)};"
        f"python3 -m http.server 5000 & sleep 1; {SERVE}", REAL, check=False,
    )  # fmt: skip
    assert "port 5000 is taken by another program" in output and "exit 1" in output
