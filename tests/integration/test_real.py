"""v1.20.2 on real binaries: built through TLS and a password, judged by programs that others wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run, tool
from tests.integration.conftest import ARCHES, registry
from tests.integration.real.project import K8S, RealProject

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
NAMES = [f"{K8S}-{cri}{cni}" for cri in ("docker", "containerd") for cni in ("", "-calico")]


def test_a_second_build_runs_nothing_and_asks_nobody(real: RealProject) -> None:
    before = len(real.upstream.requests())

    result = real.doit("build", "cri=docker,containerd")

    assert result.code == 0 and "\n0 tasks run" in result.out
    assert len(real.upstream.requests()) == before


def test_every_file_and_blob_was_fetched_once(real: RealProject) -> None:
    fetched = [
        request.path[request.path.rfind("sha256:") :] if "sha256:" in request.path else request.path
        for request in real.upstream.requests()
        if request.method == "GET" and request.status in (200, 206)
    ]
    # A tag is asked for once by the lock, and what it names is then known by its digest.
    assert sorted(fetched) == sorted(set(fetched))


def test_verify_agrees_with_the_real_kubeadm(real: RealProject) -> None:
    result = real.doit("verify", "cri=docker", "cni=none")

    assert result.code == 0, result.text
    log = (real.project.root / "_build/real/log/verify" / f"{K8S}-docker.log").read_text()
    assert "kubeadm v1.20.2 lists the same 7 images" in log


def test_no_secret_is_in_anything_that_was_written(real: RealProject) -> None:
    secret = real.upstream.password.encode()
    for place in ("_build/real/log", "_build/real/images-v1", "locks", "dist"):
        for path in sorted((real.project.root / place).rglob("*")):
            if path.is_file() and path.stat().st_size < 1 << 20:
                assert secret not in path.read_bytes(), path
    assert secret not in (real.project.root / "_build/real/state-v1.sqlite").read_bytes()


def test_a_wrong_password_is_a_clear_error(real: RealProject, tmp_path: Path) -> None:
    done = subprocess.run(
        real.project.command("lock", f"k8s={K8S}", "mirror=real"),
        cwd=real.project.root,
        env=os.environ | {"DOCKER_CONFIG": str(tmp_path), "NETRC": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "401" in done.stdout and "hint: log in" in done.stdout and "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", NAMES[1::2])
def test_skopeo_copies_every_image_out_of_a_stock_registry(
    roots: dict[tuple[str, str], Path], name: str, arch: str, tmp_path: Path
) -> None:
    root = roots[name, arch]
    with registry(root / "registry", tmp_path) as address:
        for image in (root / "manifests/imageList").read_text().split():
            path = image.partition("/")[2]
            source = f"docker://{address}/{path}"
            skopeo = (tool("skopeo"), "--override-arch", arch, "--override-os", "linux")
            text = run(*skopeo, "inspect", "--tls-verify=false", "--config", source)
            assert json.loads(text)["architecture"] == arch
            run(*skopeo, "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{tmp_path}/copies:{path}")


VERSIONS = [
    ("bin/kubeadm", ["version", "-o", "short"], "v1.20.2"),
    ("bin/kubelet", ["--version"], "Kubernetes v1.20.2"),
    ("bin/kubectl", ["version", "--client", "--short"], "v1.20.2"),
    ("bin/crictl", ["--version"], "1.20.0"),
    ("bin/nerdctl", ["--version"], "1.7.7"),
    ("bin/seautil", ["version"], '"gitVersion":'),  # built from its module, which no release script stamped
    ("cri/runc", ["--version"], "runc version 1.1.5"),
    ("cri/containerd.tar.gz:bin/containerd", ["--version"], "1.6.20"),
    ("cri/containerd.tar.gz:bin/ctr", ["--version"], "1.6.20"),
    ("cri/docker.tar.gz:docker/dockerd", ["--version"], "20.10.24"),
    ("cri/docker.tar.gz:docker/docker", ["--version"], "20.10.24"),
]


def interpreter(arch: str) -> list[str]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    if arch == machine:
        return []
    return [tool({"arm64": "qemu-aarch64-static", "amd64": "qemu-x86_64-static"}[arch])]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(("program", "words", "says"), VERSIONS, ids=lambda value: str(value).rpartition("/")[2])
def test_the_programs_in_the_image_run_and_say_their_version(
    roots: dict[tuple[str, str], Path], arch: str, program: str, words: list[str], says: str, tmp_path: Path
) -> None:
    name = "docker" if "docker" in program else "containerd"
    root = roots[f"{K8S}-{name}-calico", arch]
    path = root / program
    if ":" in program:
        archive, _, member = program.partition(":")
        run(tool("tar"), "--extract", "--file", root / archive, "--directory", tmp_path, member)
        path = tmp_path / member
    machine = int.from_bytes(path.read_bytes()[18:20], "little")
    assert machine == {"amd64": 62, "arm64": 183}[arch]
    if interpreter(arch) and b"/ld-linux-" in path.read_bytes()[:4096]:
        return  # linked to the C library of the other architecture: it cannot be run here
    assert says in run(*interpreter(arch), path, *words)


@pytest.mark.parametrize("cri", ["docker", "containerd"])
def test_the_real_kubeadm_reads_our_kubeadm_yml_and_lists_exactly_our_image_list(
    roots: dict[tuple[str, str], Path], real_kubeadm: Path, cri: str
) -> None:
    root = roots[f"{K8S}-{cri}-calico", "amd64"]
    ours = [line for line in (root / "manifests/imageList").read_text().split() if line.startswith("k8s.gcr.io/")]

    plain = run(real_kubeadm, "config", "images", "list", "--kubernetes-version", K8S).split()
    configured = subprocess.run(
        [real_kubeadm, "config", "images", "list", "--config", root / "etc/kubeadm.yml"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert sorted(plain) == sorted(ours)
    lines = [line for line in configured.stdout.splitlines() if line.startswith("sea.hub:5000/")]
    assert sorted(lines) == sorted(line.replace("k8s.gcr.io/", "sea.hub:5000/") for line in ours)
    assert "unknown field" not in configured.stderr


def test_dockerd_loads_the_packaged_image(real: RealProject, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root")
    dockerd, docker = tool("dockerd"), tool("docker")
    layout = real.dist / f"{K8S}-docker-calico"
    archive = tmp_path / "image.tar"
    run(
        *(tool("skopeo"), "copy", "--quiet", f"oci:{layout}:{K8S}-calico-amd64"),
        f"docker-archive:{archive}:docker.io/sealerio/kubernetes:{K8S}-calico",
    )
    socket = f"unix://{tmp_path}/d.sock"
    config = {"data-root": f"{tmp_path}/data", "exec-root": f"{tmp_path}/exec", "pidfile": f"{tmp_path}/d.pid"}
    config |= {"hosts": [socket], "iptables": False, "bridge": "none", "ip-forward": False, "storage-driver": "vfs"}
    (tmp_path / "d.json").write_text(json.dumps(config))
    with (tmp_path / "d.log").open("wb") as log:
        process = subprocess.Popen([dockerd, "--config-file", tmp_path / "d.json"], stdout=log, stderr=log)
    try:
        for _ in range(100):
            if subprocess.run([docker, "-H", socket, "version"], capture_output=True, check=False).returncode == 0:
                break
            assert process.poll() is None, (tmp_path / "d.log").read_text()[-2000:]
            subprocess.run(["sleep", "0.1"], check=True)
        loaded = run(docker, "-H", socket, "load", "--input", archive)
        inspected = json.loads(run(docker, "-H", socket, "image", "inspect", f"sealerio/kubernetes:{K8S}-calico"))
        node = run(docker, "-H", socket, "load", "--input", registry_archive(real, tmp_path))
    finally:
        process.terminate()
        process.wait(30)

    assert "Loaded image" in loaded
    assert inspected[0]["Architecture"] == "amd64"
    assert inspected[0]["Config"]["Labels"]["cluster.alpha.sealer.io/kube-cni-calico"] == "true"
    assert "registry:2.8.3" in node


def registry_archive(real: RealProject, work: Path) -> Path:
    """Return the archive that a node loads, taken out of the image's layers."""
    source = next((real.project.root / "_build/real/loadable-v1").rglob("*amd64*.tar.gz"))
    return Path(shutil.copy(source, work / "registry.tar.gz"))
