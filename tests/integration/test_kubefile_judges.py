"""Images of users' Kubefiles, read by skopeo, umoci and a stock docker-registry; archives are made by skopeo."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from clusterimage.upstream import Upstream
from tests.conftest import Project, Result, run, tool
from tests.integration.conftest import registry
from tests.unit.conftest import plant

MYSQL = "docker.io/library/mysql:8"
ARCHES = ("amd64", "arm64")


def save(dest: str, arch: str = "amd64", name: str = MYSQL) -> None:
    """Have skopeo write an image of the embedded upstream to an archive."""
    with Upstream([], [name]) as upstream:
        platform = () if arch == "all" else ("--override-os=linux", f"--override-arch={arch}")
        every = ("--all",) if arch == "all" else ()
        source = f"docker://{upstream.registry}/{name}"
        run(tool("skopeo"), *platform, "copy", "--quiet", *every, "--src-tls-verify=false", source, dest)


def package(project: Project, *words: str) -> Result:
    return project.doit("package", "mirror=embedded", "kubefile=app", "name=me/app:v1", *words)


def unpack(project: Project, work: Path, arch: str) -> Path:
    layout = project.root / "dist/embedded/me+app+v1"
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:v1-{arch}", work / arch)
    return work / arch / "rootfs"


def served(root: Path, work: Path, name: str, arch: str) -> dict[str, object]:
    """Pull an image out of a saved registry that a stock server serves; return its config."""
    shutil.rmtree(work / "copy", ignore_errors=True)
    with registry(root / "registry", work) as address:
        platform = ("--override-os=linux", f"--override-arch={arch}")
        source = f"docker://{address}/{name}"
        run(tool("skopeo"), *platform, "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{work}/copy:x")
    found: dict[str, object] = json.loads(run(tool("skopeo"), "inspect", "--config", f"oci:{work}/copy:x"))
    return found


@pytest.mark.parametrize("kind", ["docker-archive", "docker-archive.gz", "oci-archive", "oci-archive-all"])
def test_a_stock_registry_serves_what_an_archive_held(project: Project, tmp_path: Path, kind: str) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY mysql.tar* images\nCOPY x.yaml manifests\n"})
    plant(project.root / "app", {"x.yaml": "image: nginx:1.25\n"})
    archive = project.root / "app" / "mysql.tar"
    transport = "docker-archive" if kind.startswith("docker") else "oci-archive"
    save(f"{transport}:{archive}:mysql:8", "all" if kind.endswith("all") else "amd64")
    if kind.endswith(".gz"):
        archive.with_suffix(".tar.gz").write_bytes(gzip.compress(archive.read_bytes()))
        archive.unlink()

    platforms = ARCHES if kind.endswith("all") else ARCHES[:1]
    result = package(project, f"platform={','.join(platforms)}")

    assert result.code == 0, result.text
    assert "mysql-8" not in result.out  # it was not pulled
    for arch in platforms:
        root = unpack(project, tmp_path, arch)
        assert served(root, tmp_path, "library/mysql:8", arch)["architecture"] == arch
        assert served(root, tmp_path, "library/nginx:1.25", arch)["architecture"] == arch
        assert list((root / "images").iterdir())


def test_archives_of_two_platforms_become_one_index(project: Project, tmp_path: Path) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY ${ARCH}/*.tar images\n"})
    for arch in ARCHES:
        (project.root / "app" / arch).mkdir()
        save(f"docker-archive:{project.root}/app/{arch}/mysql.tar:mysql:8", arch)

    result = package(project)

    assert result.code == 0, result.text
    roots = [unpack(project, tmp_path, arch) for arch in ARCHES]
    for root in roots:  # as sealer does on the node
        shutil.copytree(root / "registry", tmp_path / "both" / "registry", dirs_exist_ok=True)
    for arch in ARCHES:
        assert served(tmp_path / "both", tmp_path, "library/mysql:8", arch)["architecture"] == arch


def test_an_archive_without_one_of_the_platforms_is_named(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY mysql.tar images\n"})
    save(f"docker-archive:{project.root}/app/mysql.tar:mysql:8")

    result = package(project)

    assert f"mysql.tar: {MYSQL} is for linux/amd64 only" in result.text


def test_archives_that_disagree_about_a_name_are_both_named(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY *.tar images\n"})
    save(f"docker-archive:{project.root}/app/one.tar:mysql:8")
    save(f"docker-archive:{project.root}/app/two.tar:mysql:8", name="docker.io/library/other:1")

    result = package(project, "platform=amd64")

    assert "one.tar and " in result.text
    assert f"two.tar both hold {MYSQL}, with different content" in result.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no tar", "is no archive of images"), (None, "its images have no name"), (b"", "is no archive of images")],
)
def test_an_archive_that_is_none_or_has_no_name_is_named(project: Project, content: bytes | None, problem: str) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY mysql.tar images\n"})
    if content is None:
        save(f"docker-archive:{project.root}/app/mysql.tar")
    else:
        (project.root / "app" / "mysql.tar").write_bytes(content)

    result = package(project, "platform=amd64")

    assert result.code != 0
    assert "mysql.tar" in result.text and problem in result.text
    assert "Traceback" not in result.text


def test_a_damaged_archive_is_mended_by_its_owner_only(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY mysql.tar images\n"})
    archive = project.root / "app" / "mysql.tar"
    save(f"docker-archive:{archive}:mysql:8")
    archive.write_bytes(archive.read_bytes()[:40000])

    result = package(project, "platform=amd64")

    assert result.code != 0
    assert "mysql.tar: is no archive of images" in result.text


def test_base_layers_keep_their_digests_and_umoci_sees_both(built: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(built.root, project.root, symlinks=True)
    text = "FROM docker.io/sealerio/kubernetes:v1.22.15-calico\nCOPY daemon.json etc/\n"
    plant(project.root / "app", {"Kubefile": text, "daemon.json": '{"mine": true}\n'})

    result = package(project)

    assert result.code == 0, result.text
    base = project.root / "dist/embedded/v1.22.15-docker-calico"
    for arch in ARCHES:
        below = json.loads(run(tool("skopeo"), "inspect", f"oci:{base}:v1.22.15-calico-{arch}"))
        image = json.loads(run(tool("skopeo"), "inspect", f"oci:{project.root}/dist/embedded/me+app+v1:v1-{arch}"))
        assert image["Layers"][:-1] == below["Layers"]
        assert image["Labels"] == below["Labels"]
        root = unpack(project, tmp_path, arch)
        assert (root / "etc/daemon.json").read_text() == '{"mine": true}\n'
        assert (root / "etc/docker.service").exists() and (root / "bin/kubeadm").exists()
        assert served(root, tmp_path, "pause:3.5", arch)["architecture"] == arch
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=project.root / "dist/embedded/me+app+v1")
    assert package(project, "offline=yes").code == 0


def test_a_damaged_base_is_named_and_nothing_is_built(built: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(built.root, project.root, symlinks=True)
    plant(project.root / "app", {"Kubefile": "FROM kubernetes:v1.22.15\nCOPY x etc/\n", "x": "1"})
    layout = project.root / "dist/embedded/v1.22.15-docker"
    layers = json.loads(run(tool("skopeo"), "inspect", f"oci:{layout}:v1.22.15-amd64"))["Layers"]
    victim = layout / "blobs/sha256" / layers[0][7:]
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes()[:-10] + b"0123456789")

    result = package(project, "platform=amd64")

    assert result.code != 0
    assert layers[0][7:] in result.text
    assert "Traceback" not in result.text
    assert not (project.root / "dist/embedded/me+app+v1").exists()
