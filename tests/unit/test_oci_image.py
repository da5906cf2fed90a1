"""Layouts of images: every descriptor resolves, and the same image gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.digest import of_file
from clusterimage.oci import image, layer
from clusterimage.oci.image import BuiltLayer, Image
from clusterimage.oci.layer import Layer, Member
from clusterimage.oci.reference import Reference
from tests.unit.oracle import judge

NAME = Reference.parse("docker.io/sealerio/kubernetes:v1.22.15")


def built(root: Path, name: str, part: str = "config") -> BuiltLayer:
    root.mkdir(exist_ok=True)
    members = (Member(name, 0o644, len(name), data=name.encode()),)
    return BuiltLayer(layer.write(Layer(members), layer.compressor(), root / name), root / name, part)


@pytest.fixture
def images(tmp_path: Path) -> tuple[Image, ...]:
    shared, own = built(tmp_path / "layers", "shared", "tools"), built(tmp_path / "layers", "own")
    labels, annotations = (("b", "2"), ("a", "ä")), (("sealer.image.extension", "{}"),)
    amd64 = Image("amd64", (shared, own), labels, annotations, 86_400)
    return amd64, Image("arm64", (shared,), (), (), 0)


def texts(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_descriptor_resolves(images: tuple[Image, ...], tmp_path: Path) -> None:
    image.write(images, NAME, tmp_path / "dest")

    assert list(judge(tmp_path / "dest")) == ["amd64", "arm64"]


def test_the_digest_is_that_of_the_index(images: tuple[Image, ...], tmp_path: Path) -> None:
    digest = image.write(images, NAME, tmp_path / "dest")

    index = tmp_path / "dest" / "blobs" / "sha256" / digest.hex
    assert of_file(index) == digest
    assert [each["platform"] for each in json.loads(index.read_text())["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
    ]


def test_the_index_and_every_platform_have_a_name(images: tuple[Image, ...], tmp_path: Path) -> None:
    digest = image.write(images, NAME, tmp_path / "dest")

    listing = json.loads((tmp_path / "dest" / "index.json").read_text())["manifests"]
    assert listing[0]["digest"] == str(digest)
    assert [each["annotations"] for each in listing] == [
        {
            "org.opencontainers.image.ref.name": tag,
            "io.containerd.image.name": f"docker.io/sealerio/kubernetes:{tag}",
        }
        for tag in ("v1.22.15", "v1.22.15-amd64", "v1.22.15-arm64")
    ]


def test_labels_annotations_and_history_are_in_it(images: tuple[Image, ...], tmp_path: Path) -> None:
    image.write(images, NAME, tmp_path / "dest")

    amd64 = judge(tmp_path / "dest")["amd64"]
    assert amd64.config["config"] == {"Labels": {"a": "ä", "b": "2"}}
    assert amd64.config["created"] == "1970-01-02T00:00:00Z"
    assert amd64.config["history"] == [
        {"created": "1970-01-02T00:00:00Z", "created_by": f"clusterimage {part}"} for part in ("tools", "config")
    ]
    assert amd64.manifest["annotations"] == {"sealer.image.extension": "{}"}


def test_a_shared_layer_is_there_once_and_is_no_copy(images: tuple[Image, ...], tmp_path: Path) -> None:
    image.write(images, NAME, tmp_path / "dest")

    shared = images[0].layers[0]
    assert (tmp_path / "dest" / "blobs" / "sha256" / shared.written.digest.hex).samefile(shared.path)


def test_the_same_image_gives_the_same_bytes(images: tuple[Image, ...], tmp_path: Path) -> None:
    turned = (replace(images[0], labels=images[0].labels[::-1]), images[1])

    image.write(images, NAME, tmp_path / "one")
    image.write(turned, NAME, tmp_path / "two")

    assert texts(tmp_path / "one") == texts(tmp_path / "two")


def test_json_has_one_spelling() -> None:
    assert image.canonical({"b": [1, {"ü": None}], "a": "x"}) == '{"a":"x","b":[1,{"ü":null}]}'.encode()
