"""What indexes and manifests do not say, and what lies in registries beside images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterimage.oci import archive_images
from clusterimage.transport.store import Store
from clusterimage.values import media_types as media
from clusterimage.values.digest import of_bytes
from tests.unit.conftest import HEX_A, Page, Pages, tar_of
from tests.unit.oci.test_remote import (
    AMD64,
    ARM64,
    LAYER,
    NAME,
    descriptor,
    index,
    paths,
    pin,
    publish,
    put,
    put_json,
    refused,
    registry,
)

__all__ = ["registry"]  # the fixture


@pytest.mark.parametrize("order", [1, -1])
def test_an_entry_without_a_platform_is_the_one_of_its_config(registry: Pages, tmp_path: Path, order: int) -> None:
    entries = [publish(registry, p) for p in (AMD64, ARM64, {"os": "windows", "architecture": "amd64"})][::order]
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX, "1")

    found = {platform.arch: platform.manifest for platform in pin(registry, tmp_path).platforms}

    by_arch = dict(zip(("amd64", "arm64"), [one for one in entries[::order]][:2], strict=True))
    assert found == {arch: descriptor(entry) for arch, entry in by_arch.items()}


def test_where_a_platform_is_named_no_config_is_asked(registry: Pages, tmp_path: Path) -> None:
    entries = [publish(registry, {"n": "1"}), *({**publish(registry, p), "platform": p} for p in (AMD64, ARM64))]
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX, "1")

    pin(registry, tmp_path)

    assert not [path for path in paths(registry) if path.startswith("blobs/") or entries[0]["digest"] in path]


def test_no_more_than_some_configs_are_asked(registry: Pages, tmp_path: Path) -> None:
    entries = [publish(registry, {"os": "linux", "architecture": f"a{n}"}) for n in range(40)]
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX, "1")

    assert refused(registry, tmp_path).problem == f"{NAME}: has no image for amd64 or arm64"
    assert len([path for path in paths(registry) if path.startswith("blobs/")]) == 16


@pytest.mark.parametrize("platform", [AMD64, None])
def test_an_index_of_indexes_is_told_as_that(registry: Pages, tmp_path: Path, platform: Any) -> None:
    inner = index(registry, AMD64)
    entry = {**inner, "platform": platform} if platform else inner
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": [entry]}, media.OCI_INDEX, "1")

    error = refused(registry, tmp_path)

    assert error.problem.startswith(f"{NAME}: is an index of indexes")
    assert error.hint == "name one of its images by its digest: NAME@sha256:…"


def test_a_variant_that_is_not_taken_is_said(registry: Pages, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index(registry, {**AMD64, "variant": "v3"}, ARM64)

    assert [platform.arch for platform in pin(registry, tmp_path).platforms] == ["arm64"]
    assert f"{NAME}: has no linux/amd64, only linux/amd64/v3, linux/arm64/v8" in caplog.text
    assert [getattr(record, "notice", False) for record in caplog.records] == [True]


EMPTY = "application/vnd.oci.empty.v1+json"
# Manifests as these tools write them: helm push, cosign sign and attest, oras, notation, docker plugin push.
ARTIFACTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a Helm chart": (
        "",
        "application/vnd.cncf.helm.config.v1+json",
        ("application/vnd.cncf.helm.chart.provenance.v1.prov", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    ),
    "a signature of cosign": ("", media.OCI_CONFIG, ("application/vnd.dev.cosign.simplesigning.v1+json",)),
    "an attestation": ("", media.OCI_CONFIG, ("application/vnd.dsse.envelope.v1+json",)),
    "a signature of Notation": ("application/vnd.cncf.notary.signature", EMPTY, ("application/jose+json",)),
    "a bill of materials (SBOM)": ("application/spdx+json", EMPTY, (EMPTY,)),
    "a WebAssembly module": ("", "application/vnd.wasm.config.v0+json", ("application/wasm",)),
    "a plugin of Docker": ("", "application/vnd.docker.plugin.v1+json", (media.DOCKER_LAYER_GZIP,)),
    "an artifact of the type example/thing": ("example/thing", EMPTY, (EMPTY,)),
    "an artifact of the type application/vnd.unknown.config.v1+json": (
        "",
        "application/vnd.unknown.config.v1+json",
        ("text/plain",),
    ),
}


@pytest.mark.parametrize("what", ARTIFACTS)
def test_what_is_no_image_is_told_as_what_it_is(registry: Pages, tmp_path: Path, what: str) -> None:
    artifact, config, layers = ARTIFACTS[what]
    document: dict[str, Any] = {"mediaType": media.OCI_MANIFEST, "schemaVersion": 2}
    document["config"] = put(registry, "blobs", b"{}", config)
    document["layers"] = [put(registry, "blobs", LAYER, layer) for layer in layers]
    put_json(registry, document | ({"artifactType": artifact} if artifact else {}), media.OCI_MANIFEST, "1")

    error = refused(registry, tmp_path)

    assert error.problem == f"{NAME}: is {what}, and no image"
    assert error.hint == "drop it from imageList"


def test_an_attestation_under_the_name_of_a_platform_is_told(registry: Pages, tmp_path: Path) -> None:
    config = put(registry, "blobs", b"{}", media.OCI_CONFIG)
    statement = put(registry, "blobs", LAYER, "application/vnd.in-toto+json")
    child = put_json(registry, {"config": config, "layers": [statement]}, media.OCI_MANIFEST)
    entry = {**child, "platform": AMD64}
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": [entry]}, media.OCI_INDEX, "1")

    assert refused(registry, tmp_path).problem == f"{NAME}: is an attestation for linux/amd64, and no image"


def test_a_config_without_a_platform_is_told(registry: Pages, tmp_path: Path) -> None:
    publish(registry, {}, "1")

    assert refused(registry, tmp_path).problem == f"{NAME}: its config names no platform"


@pytest.mark.parametrize(
    "told", ["", "application/json", "text/plain; charset=utf-8", "binary/octet-stream", "text/html"]
)
@pytest.mark.parametrize("config", [media.OCI_CONFIG, media.DOCKER_CONFIG])
def test_a_file_server_s_manifest_is_known_by_its_form(registry: Pages, tmp_path: Path, told: str, config: str) -> None:
    described = put(registry, "blobs", json.dumps(AMD64).encode(), config)
    document = {"schemaVersion": 2, "config": described, "layers": None}
    top = put_json(registry, document, told, "1")

    image = pin(registry, tmp_path)

    kind = media.OCI_MANIFEST if config == media.OCI_CONFIG else media.DOCKER_MANIFEST
    assert image.top == descriptor({**top, "mediaType": kind})


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 2, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 3, "manifests": []},
        {"schemaVersion": 2, "config": 7, "layers": []},
    ],
)
def test_what_could_be_two_things_is_neither(registry: Pages, tmp_path: Path, document: dict[str, Any]) -> None:
    put_json(registry, document, "application/json", "1")

    assert refused(registry, tmp_path).problem == f"{NAME}: unknown media type 'application/json'"


@pytest.mark.parametrize("where", ["header", "document"])
@pytest.mark.parametrize(
    ("media_type", "what"),
    [
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "an image in Docker's old format (schema 1)"),
        ("application/vnd.docker.distribution.manifest.v1+json", "an image in Docker's old format (schema 1)"),
        ("application/vnd.oci.artifact.manifest.v1+json", "an artifact"),
    ],
)
def test_a_document_of_another_kind_is_told(
    registry: Pages, tmp_path: Path, media_type: str, what: str, where: str
) -> None:
    in_header = where == "header"
    put_json(registry, {} if in_header else {"mediaType": media_type}, media_type if in_header else "", "1")

    error = refused(registry, tmp_path)

    assert error.problem == f"{NAME}: is {what}" and error.hint


def test_a_web_page_is_told_as_that(registry: Pages, tmp_path: Path) -> None:
    put(registry, "manifests", b"<html>log in</html>", "text/html; charset=utf-8", "1")

    error = refused(registry, tmp_path)

    assert error.problem == f"{NAME}: is a web page" and "login page" in error.hint


def test_an_entry_that_is_not_there_is_passed_over(registry: Pages, tmp_path: Path) -> None:
    gone = {"mediaType": media.OCI_MANIFEST, "digest": f"sha256:{HEX_A}", "size": 7}
    other = put_json(registry, {"config": 7}, media.OCI_MANIFEST)
    entries = [gone, other, {**publish(registry, AMD64), "platform": AMD64}, publish(registry, ARM64)]
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX, "1")

    assert [platform.arch for platform in pin(registry, tmp_path).platforms] == ["amd64", "arm64"]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_an_entry_that_may_come_later_is_not_passed_over(registry: Pages, tmp_path: Path, status: int) -> None:
    entry = publish(registry, AMD64)
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": [entry]}, media.OCI_INDEX, "1")
    registry.pages[f"/v2/a/b/manifests/{entry['digest']}"] = Page(b"", status)

    assert f": {status} " in refused(registry, tmp_path).problem


def test_an_archive_s_entry_without_a_platform_is_the_one_of_its_config(tmp_path: Path) -> None:
    members: dict[str, bytes] = {"oci-layout": b"{}"}

    def put(document: object, media_type: str) -> dict[str, Any]:
        data = json.dumps(document).encode()
        members[f"blobs/sha256/{of_bytes(data).hex}"] = data
        return {"mediaType": media_type, "digest": str(of_bytes(data)), "size": len(data)}

    config = put(ARM64, media.OCI_CONFIG)
    child = put({"config": config, "layers": []}, media.OCI_MANIFEST)
    top = put({"manifests": [child]}, media.OCI_INDEX)
    named = {**top, "annotations": {"io.containerd.image.name": NAME}}
    members["index.json"] = json.dumps({"manifests": [named]}).encode()
    (tmp_path / "one.tar").write_bytes(tar_of(*members.items()))

    images = archive_images.read([(tmp_path / "one.tar", ())], ["arm64"], Store(tmp_path / "store"))

    assert [(str(image.reference), image.platforms[0].arch) for image in images] == [(NAME, "arm64")]
