"""Which container images an image of a user's own brings along, and what archives hold."""

from __future__ import annotations

import io
import tarfile

from clusterimage.upstream.images import base_layer, image
from tests.conftest import Project
from tests.graph.user_image import POD, Built, good, package


def test_add_takes_an_archive_apart(project: Project) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("manifests/x.yaml")
        info.size = len(POD)
        tar.addfile(info, io.BytesIO(POD.encode()))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "manifests"
        tar.addfile(link)
    good(package(project, "FROM scratch\nADD all.tgz .\n", **{"all.tgz": buffer.getvalue()}))

    assert Built(project).tags() == ["a/b:v1", "library/nginx:1.25"]
    assert "manifests/x.yaml" in Built(project).files()


def test_ignored_images_are_not_saved_however_they_are_spelled(project: Project) -> None:
    files = {"x.yaml": POD, "ignored": "docker.io/library/nginx:1.25 # too large\n"}
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", "ignore=app/ignored", **files))

    assert Built(project).tags() == ["a/b:v1"]


def test_two_images_of_one_name_are_an_error_that_names_both(project: Project) -> None:
    result = package(project, "FROM scratch\nCOPY imageList manifests\n", imageList="a.io/x/y:1\nb.io/x/y:1\n")

    assert result.code != 0
    assert (
        "a.io/x/y:1 (manifests/imageList) and b.io/x/y:1 (manifests/imageList) would be saved under one" in result.text
    )


def test_an_image_that_cannot_be_fetched_names_itself(project: Project) -> None:
    name = f"quay.io/a/b@sha256:{'0' * 64}"
    result = package(project, "FROM scratch\nCOPY imageList manifests\n", imageList=f"{name}\n")

    assert result.code != 0
    assert f"manifests/imageList: {name}" in result.text
    assert not (project.root / "dist").exists()


def test_a_reference_by_digest_is_saved_by_tag_and_digest(project: Project) -> None:
    bases = {arch: base_layer(arch, 1) for arch in ("amd64", "arm64", "s390x")}
    digest = image("quay.io/a/b", "quay.io/a/b:v1", bases, 1).index.blob.digest
    listed = f"quay.io/a/b:v1@{digest}\n"
    good(package(project, "FROM scratch\nCOPY imageList manifests\n", imageList=listed))

    built = Built(project)
    assert built.tags() == ["a/b:v1"]
    assert built.images == [listed.strip()]


def test_a_platform_gets_the_images_of_its_own_files(project: Project) -> None:
    files = {"amd64/x.yaml": "image: only/amd:1\n", "arm64/x.yaml": "image: only/arm:1\n"}
    good(package(project, "FROM scratch\nCOPY ${ARCH} manifests\n", "platform=amd64,arm64", **files))

    assert Built(project, arch="amd64").tags() == ["only/amd:1"]
    assert Built(project, arch="arm64").tags() == ["only/arm:1"]
