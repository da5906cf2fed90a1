"""Layouts of images: every descriptor resolves, and the same image gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.oci import image, layer
from clusterimage.oci.image import BaseImage, BuiltLayer, Image
from clusterimage.oci.layer import Layer, Member
from clusterimage.storage import compression
from clusterimage.values.digest import of_file
from clusterimage.values.reference import Reference
from tests.unit.conftest import error_of
from tests.unit.oracle import judge

NAME = Reference.parse("docker.io/sealerio/kubernetes:v1.22.15")


def built(root: Path, name: str, part: str = "config") -> BuiltLayer:
    root.mkdir(exist_ok=True)
    members = (Member(name, 0o644, len(name), data=name.encode()),)
    return BuiltLayer(layer.write(Layer(members), compression.installed("gzip"), root / name), root / name, part)


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


def base_of(root: Path) -> BaseImage:
    judged = judge(root)["amd64"]
    return BaseImage(judged.config, judged.manifest, root / "blobs" / "sha256")


@pytest.fixture
def derived(images: tuple[Image, ...], tmp_path: Path) -> Image:
    """An image of one layer over the two of amd64."""
    image.write(images[:1], NAME, tmp_path / "base")
    own = built(tmp_path / "layers", "more", "overlay")
    return Image("amd64", (own,), (("x", "y"),), (), 0, ("A=b",), "Jane", base_of(tmp_path / "base"))


def test_an_image_lies_over_the_layers_of_its_base(derived: Image, tmp_path: Path) -> None:
    image.write((derived,), NAME, tmp_path / "dest")

    found, base = judge(tmp_path / "dest")["amd64"], judge(tmp_path / "base")["amd64"]
    assert [layer.name for layer in found.layers[:2]] == [layer.name for layer in base.layers]
    assert found.config["history"][:2] == base.config["history"]
    assert found.layers[0].samefile(base.layers[0])
    assert (found.config["config"], found.config["author"]) == ({"Labels": {"x": "y"}, "Env": ["A=b"]}, "Jane")


@pytest.mark.parametrize("data", [None, b"damaged"])
def test_a_base_whose_layer_is_damaged_or_gone_is_refused(derived: Image, tmp_path: Path, data: bytes | None) -> None:
    assert derived.base is not None
    layer_of_base = derived.base.blobs / derived.base.manifest["layers"][0]["digest"].removeprefix("sha256:")
    layer_of_base.unlink()
    if data is not None:
        layer_of_base.write_bytes(data)

    error = error_of(image.write, (derived,), NAME, tmp_path / "dest")

    assert error.problem == f"{layer_of_base}: is not sha256:{layer_of_base.name}"
    assert error.hint == "build or pull the base image again"


def test_a_layer_of_docker_s_type_gets_its_oci_name(derived: Image, tmp_path: Path) -> None:
    assert derived.base is not None
    docker = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    layers = [{**each, "mediaType": docker} for each in derived.base.manifest["layers"]]
    base = replace(derived.base, manifest={**derived.base.manifest, "layers": layers})

    image.write((replace(derived, base=base),), NAME, tmp_path / "dest")

    assert len(judge(tmp_path / "dest")["amd64"].layers) == 3
