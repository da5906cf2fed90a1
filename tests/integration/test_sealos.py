"""Images for sealos, read by the programs that will read them: skopeo, umoci, docker-registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builds import Builds
from tests.conftest import Project, run, tool
from tests.integration.conftest import ARCHES, registry

K8S = "v1.24.17"
NAMES = [f"{K8S}-docker-sealos", f"{K8S}-containerd-sealos"]


@pytest.fixture(scope="module")
def sealos(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Project:
    words = (f"k8s={K8S}", "cri=docker,containerd", "flavor=sealos")
    return builds.copy(tmp_path_factory.mktemp("sealos") / "project", *words)


@pytest.fixture(scope="module")
def roots(sealos: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The root of every image, unpacked by umoci: (image, arch) -> directory."""
    work, found = tmp_path_factory.mktemp("roots"), {}
    for name in NAMES:
        for arch in ARCHES:
            image = f"{sealos.root / 'dist/embedded' / name}:{K8S}-{arch}"
            run(tool("umoci"), "unpack", "--rootless", "--image", image, work / f"{name}-{arch}")
            found[name, arch] = work / f"{name}-{arch}" / "rootfs"
    return found


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", NAMES)
def test_skopeo_reads_labels_and_variables(sealos: Project, name: str, arch: str) -> None:
    layout = sealos.root / "dist/embedded" / name
    image = json.loads(run(tool("skopeo"), "inspect", "--override-arch", arch, f"oci:{layout}:{K8S}"))
    env = dict(line.split("=", 1) for line in image["Env"])

    assert image["Architecture"] == arch
    assert image["Labels"]["sealos.io.type"] == "rootfs"
    assert image["Labels"]["sealos.io.version"] == "v1beta1"
    assert image["Labels"]["version"] == K8S
    assert image["Labels"]["image"] == "ghcr.io/labring/lvscare:v4.3.7"
    assert image["Labels"]["init"] == "init-cri.sh $registryDomain $registryPort && bash init.sh"
    assert image["Labels"]["vip"] == "$defaultVIP" and env["defaultVIP"] == "10.103.97.2"
    assert env["sandboxImage"] == "pause:3.7"
    assert env["registryDomain"] == "sealos.hub"
    socket = "/var/run/cri-dockerd.sock" if "docker" in name else "/run/containerd/containerd.sock"
    assert env["SEALOS_SYS_CRI_ENDPOINT"] == socket


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", NAMES)
def test_a_stock_registry_serves_one_platform_s_manifest_for_every_tag(
    roots: dict[tuple[str, str], Path], name: str, arch: str, tmp_path: Path
) -> None:
    root = roots[name, arch]
    wanted = [line for path in (root / "images/shim").iterdir() for line in path.read_text().split()]
    assert len(wanted) == 8

    with registry(root / "registry", tmp_path) as address:
        for image in wanted:
            source = f"docker://{address}/{image.partition('/')[2]}"
            manifest = json.loads(run(tool("skopeo"), "inspect", "--raw", "--tls-verify=false", source))
            assert "layers" in manifest, image
            # No --override-arch: whoever asks gets the platform of the image.
            config = json.loads(run(tool("skopeo"), "inspect", "--config", "--tls-verify=false", source))
            assert config["architecture"] == arch
            run(tool("skopeo"), "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{tmp_path}/copy:x")


def test_the_blobs_of_the_index_are_not_carried_along(roots: dict[tuple[str, str], Path]) -> None:
    for root in roots.values():
        for path in (root / "registry/docker/registry/v2/blobs").rglob("data"):
            head = path.read_bytes()
            assert not (head.startswith(b"{") and b'"manifests"' in head), path


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_for_the_platform_and_executable(roots: dict[tuple[str, str], Path], name: str) -> None:
    for arch, machine in (("amd64", 62), ("arm64", 183)):
        for program in ("opt/sealctl", "cri/registry", "cri/image-cri-shim", "bin/kubeadm"):
            path = roots[name, arch] / program
            assert int.from_bytes(path.read_bytes()[18:20], "little") == machine
            assert path.stat().st_mode & 0o111


def test_run_time_templates_go_in_as_they_are(roots: dict[tuple[str, str], Path]) -> None:
    for (name, _), root in roots.items():
        config = "daemon.json" if "docker" in name else "dump-config.toml"
        for file in ("registry.yml", "registry_config.yml", "registry.service", "image-cri-shim.yaml", config):
            assert "{{ ." in (root / f"etc/{file}.tmpl").read_text()
            assert not (root / f"etc/{file}").exists()
