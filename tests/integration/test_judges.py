"""What we wrote, read by the programs that will read it: docker-registry, skopeo, umoci, dockerd, containerd."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Project, run, tool
from tests.integration.conftest import registry
from tests.integration.ports import free_port, wait_for

IMAGES = ["v1.22.15-docker", "v1.22.15-docker-calico", "v1.22.15-containerd", "v1.22.15-containerd-calico"]
ARCHES = ["amd64", "arm64"]


def tag(name: str) -> str:
    return name.replace("-docker", "")


@pytest.mark.parametrize("name", IMAGES)
def test_skopeo_finds_every_platform_in_the_index(built: Project, name: str) -> None:
    layout = built.root / "dist" / "embedded" / name

    for arch in ARCHES:
        text = run(tool("skopeo"), "inspect", "--override-arch", arch, f"oci:{layout}:{tag(name)}")
        image = json.loads(text)

        assert image["Architecture"] == arch
        assert image["Labels"]["cluster.alpha.sealer.io/cluster-runtime-version"] == "v1.22.15"
        assert image["Labels"]["io.clusterimage.stand-in"] == "true"


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", IMAGES)
def test_a_stock_registry_serves_every_saved_image(
    unpacked: dict[tuple[str, str], Path], name: str, arch: str, tmp_path: Path
) -> None:
    root = unpacked[name, arch]
    wanted = (root / "manifests" / "imageList").read_text().split()

    with registry(root / "registry", tmp_path) as address:
        for image in wanted:
            source = f"docker://{address}/{image.partition('/')[2]}"
            run(
                *(tool("skopeo"), "copy", "--quiet", "--src-tls-verify=false", "--override-arch", arch),
                *("--override-os", "linux", source, f"oci:{tmp_path}/copy:x"),
            )
            text = run(tool("skopeo"), "inspect", "--config", "--override-arch", arch, f"oci:{tmp_path}/copy:x")
            assert json.loads(text)["architecture"] == arch


def test_the_saved_tag_is_the_original_index(built: Project, unpacked: dict[tuple[str, str], Path]) -> None:
    import tomllib

    lock = tomllib.loads((built.root / "_build/embedded/locks/v1.22.15.toml").read_text())
    pins = {image["reference"]: image["digest"].split()[0] for image in lock["image"]}

    for root in unpacked.values():
        link = root / "registry/docker/registry/v2/repositories/pause/_manifests/tags/3.5/current/link"
        assert link.read_text() == f"sha256:{pins['k8s.gcr.io/pause:3.5']}"


def test_both_platforms_laid_over_each_other_serve_both(unpacked: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    for arch in ARCHES:
        run("cp", "-r", f"{unpacked['v1.22.15-docker', arch]}/registry/.", tmp_path / "registry/")

    with registry(tmp_path / "registry", tmp_path) as address:
        for kind in ("pause:3.5", "coredns/coredns:v1.8.4"):
            run(
                *(tool("skopeo"), "copy", "--quiet", "--src-tls-verify=false", "--multi-arch=index-only"),
                *(f"docker://{address}/{kind}", f"oci:{tmp_path}/index:x"),
            )
            for arch in ARCHES:
                run(
                    *(tool("skopeo"), "copy", "--quiet", "--src-tls-verify=false", "--override-arch", arch),
                    *(f"docker://{address}/{kind}", f"oci:{tmp_path}/{arch}:x"),
                )


@pytest.mark.parametrize("name", IMAGES)
def test_the_image_survives_a_push_and_comes_back_with_its_digest(built: Project, name: str, tmp_path: Path) -> None:
    layout = built.root / "dist" / "embedded" / name
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/storage}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen([tool("docker-registry"), "serve", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        target = f"docker://127.0.0.1:{port}/sealerio/kubernetes:x"
        run(tool("skopeo"), "copy", "--quiet", "--all", "--dest-tls-verify=false", f"oci:{layout}:{tag(name)}", target)
        digest = run(tool("skopeo"), "inspect", "--tls-verify=false", "--format", "{{.Digest}}", target).strip()
    finally:
        process.terminate()
        process.wait(10)

    assert digest == json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]


def test_sha256sum_agrees_with_sha256sums(built: Project) -> None:
    for layout in (built.root / "dist" / "embedded").iterdir():
        run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=layout)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_registry_image_is_an_archive_that_skopeo_reads(
    unpacked: dict[tuple[str, str], Path], arch: str, tmp_path: Path
) -> None:
    # Debian's skopeo 1.9 reads no gzip-compressed docker-archive, not even one of its own making: gunzip first.
    archive = tmp_path / "registry.tar"
    with archive.open("wb") as plain:
        packed = unpacked["v1.22.15-docker", arch] / "images" / "registry.tar.gz"
        subprocess.run(["gunzip", "-c", packed], stdout=plain, check=True)

    run(tool("skopeo"), "copy", "--quiet", f"docker-archive:{archive}", f"oci:{tmp_path}/x:y")

    text = run(tool("skopeo"), "inspect", "--config", "--override-arch", arch, f"oci:{tmp_path}/x:y")
    assert json.loads(text)["architecture"] == arch
