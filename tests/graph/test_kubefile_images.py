"""Which container images an image of a user's own brings along, and what archives hold."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile

import zstandard

from clusterimage.upstream.images import base_layer, image
from clusterimage.values.digest import of_bytes
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


UNCLEAR = {
    "m.yaml": "image: quay.io/a/b:v1\n---\nspec: {image: {repository: quay.io/a/c, pullPolicy: Always}}\n",
    "notes.txt": "quay.io/a/d:v1\n",
}
LINES = (
    "manifests/m.yaml: 'quay.io/a/c' has no tag: not saved",
    "manifests/notes.txt: is not searched for images",
)


def test_what_may_name_an_image_is_said_and_strict_fails_on_it_every_time(project: Project) -> None:
    text = "FROM scratch\nCOPY m.yaml notes.txt manifests\n"
    result = good(package(project, text, **UNCLEAR))
    assert all(line in result.text for line in LINES)
    assert Built(project).tags() == ["a/b:v1"]

    for _ in range(2):
        result = package(project, text, "strict=yes", **UNCLEAR)
        assert result.code != 0 and "strict=yes: 2 places may name images that are not saved" in result.text
        assert all(line in result.text for line in LINES) and "Traceback" not in result.text


def test_places_that_a_user_has_looked_at_are_not_said_again(project: Project) -> None:
    ignored = "manifests/*.txt # ours\nmanifests/m.yaml\n"
    result = good(
        package(
            project,
            "FROM scratch\nCOPY m.yaml notes.txt manifests\n",
            "strict=yes",
            "ignore=app/ignored",
            ignored=ignored,
            **UNCLEAR,
        )
    )

    assert not any(line in result.text for line in LINES)
    assert Built(project).tags() == ["a/b:v1"]


def docker_archive(name: str, *tags: str) -> bytes:
    """Return an archive as `docker save` writes it, of one image for amd64."""
    layer = tar_of({"f": name.encode()})
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [str(of_bytes(layer))]}}
    entry = {"Config": "c.json", "RepoTags": list(tags) or None, "Layers": ["l.tar"]}
    members = {"manifest.json": json.dumps([entry]).encode(), "c.json": json.dumps(config).encode(), "l.tar": layer}
    return tar_of(members)


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_archives_are_imported_wherever_they_lie_and_however_they_are_packed(project: Project) -> None:
    files = {
        "images/plain.tar": docker_archive("plain", "quay.io/a/plain:v1"),
        "images/deep/er/x.tar.xz": lzma.compress(docker_archive("xz", "quay.io/a/xz:v1")),
        "images/amd64/b.tbz2": bz2.compress(docker_archive("bz2", "quay.io/a/bz2:v1")),
        "images/g.gz": gzip.compress(docker_archive("gz", "quay.io/a/gz:v1")),
        "images/z.tar.zst": zstandard.compress(docker_archive("zst", "quay.io/a/zst:v1", "quay.io/a/zst:v2")),
        "images/skopeo/n.tar": docker_archive("nameless"),
        "images/skopeo/tar.txt": b"docker-archive:n.tar@quay.io/a/named:v1\n",
    }
    good(package(project, "FROM scratch\nCOPY . .\n", "platform=amd64", **files))

    named = ("bz2:v1", "gz:v1", "named:v1", "plain:v1", "xz:v1", "zst:v1", "zst:v2")
    assert Built(project).tags() == [f"a/{name}" for name in named]
    work = project.root / "_build/embedded/cache-v1"
    assert [path for path in work.rglob("*.tmp")] == []


def test_a_damaged_archive_is_named(project: Project) -> None:
    packed = zstandard.compress(docker_archive("zst", "quay.io/a/zst:v1"))
    for data in (packed[:-9], lzma.compress(b"no tar"), b""):
        result = package(project, "FROM scratch\nCOPY . .\n", "platform=amd64", **{"images/z.tar.zst": data})

        assert result.code != 0 and "Traceback" not in result.text
        assert "images/z.tar.zst: is no archive of images: " in result.text
