"""Pinning and pulling: whatever a registry says is checked against its digest, and named when it makes no sense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import remote
from clusterimage.storage import manifest
from clusterimage.transport.store import Store
from clusterimage.values import media_types as media
from clusterimage.values.digest import of_bytes
from clusterimage.values.errors import ClusterImageError, DigestMismatch, FetchError
from clusterimage.values.reference import Reference
from tests.unit.conftest import HEX_A, Page, Pages, error_of, serve

NAME = "quay.io/a/b:1"
BASE = "/v2/a/b"
LAYER = b"layer"
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


@pytest.fixture
def registry() -> Iterator[Pages]:
    with serve({}) as pages:
        yield pages


def put(registry: Pages, kind: str, data: bytes, media_type: str, *tags: str) -> dict[str, Any]:
    """Publish `data` under its digest and `tags`; return its descriptor."""
    page = Page(data, 200, {"Content-Type": media_type})
    digest = str(of_bytes(data))
    for name in (digest, *tags):
        registry.pages[f"{BASE}/{kind}/{name}"] = page
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def put_json(registry: Pages, document: object, media_type: str, *tags: str) -> dict[str, Any]:
    return put(registry, "manifests", json.dumps(document).encode(), media_type, *tags)


def publish(registry: Pages, platform: dict[str, str], *tags: str, kind: str = media.OCI_MANIFEST) -> dict[str, Any]:
    """Publish an image for one platform; return the descriptor of its manifest."""
    config = put(registry, "blobs", json.dumps(platform).encode(), media.OCI_CONFIG)
    layer = put(registry, "blobs", LAYER, media.OCI_LAYER_GZIP)
    return put_json(registry, {"mediaType": kind, "config": config, "layers": [layer, layer]}, kind, *tags)


def index(registry: Pages, *platforms: Any, kind: str = media.OCI_INDEX) -> dict[str, Any]:
    """Publish an index over images for those platforms as tag 1."""
    entries = [{**publish(registry, platform), "platform": platform} for platform in platforms]
    return put_json(registry, {"mediaType": kind, "manifests": entries}, kind, "1")


def pin(registry: Pages, root: Path, name: str = NAME) -> LockedImage:
    return remote.pin(registry.network(), Reference.parse(name), Store(root))


def refused(registry: Pages, root: Path, name: str = NAME) -> ClusterImageError:
    return error_of(pin, registry, root, name)


def descriptor(values: dict[str, Any]) -> Descriptor:
    return Descriptor.parse(f"{values['digest']} {values['size']} {values['mediaType']}")


def paths(registry: Pages) -> list[str]:
    return [name.removeprefix(f"GET {BASE}/") for name, _ in registry.asked]


@pytest.mark.parametrize(
    ("top", "child"),
    [(media.OCI_INDEX, media.OCI_MANIFEST), (media.DOCKER_INDEX, media.DOCKER_MANIFEST)],
    ids=["oci", "docker"],
)
def test_an_index_is_pinned_with_every_platform_that_we_build_for(
    registry: Pages, tmp_path: Path, top: str, child: str
) -> None:
    entries = [{**publish(registry, p, kind=child), "platform": p} for p in (ARM64, AMD64, UNKNOWN)]
    listed = put_json(registry, {"mediaType": top, "manifests": entries}, top, "1")
    configs = [descriptor(put(registry, "blobs", json.dumps(p).encode(), media.OCI_CONFIG)) for p in (AMD64, ARM64)]
    layer = descriptor(put(registry, "blobs", LAYER, media.OCI_LAYER_GZIP))

    assert pin(registry, tmp_path) == LockedImage(
        Reference.parse(NAME),
        descriptor(listed),
        (
            LockedPlatform("amd64", descriptor(entries[1]), (configs[0], layer, layer)),
            LockedPlatform("arm64", descriptor(entries[0]), (configs[1], layer, layer)),
        ),
    )


def test_documents_are_kept_and_layers_are_not_fetched(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)

    image = pin(registry, tmp_path)

    store = Store(tmp_path)
    assert store.has(image.top.digest) and store.has(image.platforms[0].manifest.digest)
    assert paths(registry) == ["manifests/1", f"manifests/{image.platforms[0].manifest.digest}"]
    assert all(media.OCI_INDEX in accept for accept in registry.header("Accept"))


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        ([AMD64], {"amd64": 0}),
        ([{**ARM64, "variant": ""}], {"arm64": 0}),
        ([{"os": "linux", "architecture": "arm64"}], {"arm64": 0}),
        ([{**AMD64, "variant": "v1"}], {"amd64": 0}),
        ([{**AMD64, "variant": "v3"}, AMD64], {"amd64": 1}),
        ([{**ARM64, "variant": "v7"}, ARM64], {"arm64": 1}),
        ([UNKNOWN, AMD64, UNKNOWN], {"amd64": 1}),
        ([{"os": "windows", "architecture": "amd64"}, AMD64], {"amd64": 1}),
        ([{"os": "linux", "architecture": "arm", "variant": "v8"}, ARM64], {"arm64": 1}),
        ([None, {}, AMD64], {"amd64": 2}),
        ([AMD64, {**AMD64, "os.version": "2"}], {"amd64": 0}),
    ],
)
def test_the_manifest_of_a_platform_is_the_first_that_fits(
    registry: Pages, tmp_path: Path, platforms: list[Any], chosen: dict[str, int]
) -> None:
    entries = [{**publish(registry, {"n": str(n)}), "platform": p} for n, p in enumerate(platforms)]
    put_json(registry, {"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX, "1")

    found = {platform.arch: platform.manifest for platform in pin(registry, tmp_path).platforms}

    assert found == {arch: descriptor(entries[n]) for arch, n in chosen.items()}


def test_an_index_without_our_platforms_is_refused(registry: Pages, tmp_path: Path) -> None:
    index(registry, {"os": "linux", "architecture": "s390x"}, UNKNOWN)

    error = refused(registry, tmp_path)

    assert error.problem == f"{NAME}: has no image for amd64 or arm64, only for linux/s390x"
    assert error.hint == "drop it from imageList"


@pytest.mark.parametrize("platform", [AMD64, ARM64])
def test_an_image_without_an_index_is_for_the_platform_of_its_config(
    registry: Pages, tmp_path: Path, platform: dict[str, str]
) -> None:
    top = descriptor(publish(registry, platform, "1"))

    image = pin(registry, tmp_path)

    assert image.top == image.platforms[0].manifest == top
    assert [found.arch for found in image.platforms] == [platform["architecture"]]


@pytest.mark.parametrize(
    ("platform", "what"),
    [
        ({"os": "windows", "architecture": "amd64"}, "windows/amd64"),
        ({"os": "linux", "architecture": "s390x"}, "linux/s390x"),
        ({"os": "linux", "architecture": "x86_64"}, "linux/x86_64"),
        ({"os": "linux", "architecture": "\x1b[31m"}, r"linux/\x1b[31m"),
    ],
)
def test_an_image_for_another_platform_only_is_refused(
    registry: Pages, tmp_path: Path, platform: dict[str, str], what: str
) -> None:
    publish(registry, platform, "1")

    assert refused(registry, tmp_path).problem == f"{NAME}: is for {what} only"


@pytest.mark.parametrize("name", ["quay.io/a/b", "quay.io/a/b:never-asked"])
def test_a_digest_is_asked_for_instead_of_its_tag(registry: Pages, tmp_path: Path, name: str) -> None:
    top = index(registry, AMD64)

    image = pin(registry, tmp_path, f"{name}@{top['digest']}")

    assert image.top.digest == Reference.parse(f"x@{top['digest']}").digest
    assert paths(registry)[0] == f"manifests/{top['digest']}"


def test_an_index_that_is_not_the_digest_asked_for_is_refused(registry: Pages, tmp_path: Path) -> None:
    registry.pages[f"{BASE}/manifests/sha256:{HEX_A}"] = Page(b"{}")

    error = refused(registry, tmp_path, f"quay.io/a/b@sha256:{HEX_A}")

    assert isinstance(error, DigestMismatch)
    assert error.problem.startswith(f"quay.io/a/b@sha256:{HEX_A}: expected sha256:{HEX_A}, got sha256:")


def test_a_manifest_that_is_not_the_digest_of_its_index_is_refused(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)
    child = publish(registry, AMD64)["digest"]
    registry.pages[f"{BASE}/manifests/{child}"] = registry.pages[f"{BASE}/manifests/1"]

    error = refused(registry, tmp_path)

    assert isinstance(error, DigestMismatch)
    assert error.problem.startswith(f"{NAME}: expected {child}, got ")


def test_a_manifest_that_never_ends_is_not_read_to_its_end(registry: Pages, tmp_path: Path) -> None:
    registry.pages[f"{BASE}/manifests/1"] = Page(b" " * (5 << 20), 200, {"Content-Length": str(50 << 20)})

    error = refused(registry, tmp_path)

    assert isinstance(error, FetchError) and not error.retryable
    assert error.problem == f"{NAME}: its manifest is larger than {4 << 20} bytes"


def test_an_image_that_is_not_there_is_named(registry: Pages, tmp_path: Path) -> None:
    assert refused(registry, tmp_path).problem == f"{registry.url}{BASE}/manifests/1: 404 Not Found"


@pytest.mark.parametrize(
    ("body", "media_type", "problem"),
    [
        (b"<html>", media.OCI_INDEX, "its manifest is not JSON: "),
        (b"\xff", media.OCI_INDEX, "its manifest is not JSON: "),
        (b"[]", media.OCI_INDEX, "its manifest is not an object"),
        (b"[" * 100_000, media.OCI_INDEX, "its manifest is not JSON: "),
        (b'{"mediaType": "\\u001b[2J"}', media.OCI_INDEX, r"unknown media type '\x1b[2J'"),
        (b"{}", "", "unknown media type ''"),
        (b'{"mediaType": "application/json"}', media.OCI_INDEX, "unknown media type 'application/json'"),
        (b"{}", media.OCI_MANIFEST, "its manifest lacks 'config'"),
        (b'{"config": 7, "layers": []}', media.DOCKER_MANIFEST, "its manifest makes no sense: "),
        (b'{"config": {}, "layers": []}', media.OCI_MANIFEST, "its manifest lacks 'digest'"),
        (b"{}", media.OCI_INDEX, "its index lacks 'manifests'"),
        (b'{"manifests": null}', media.OCI_INDEX, "its index makes no sense: "),
        (b'{"manifests": [7]}', media.OCI_INDEX, "its index makes no sense: "),
    ],
)
def test_what_is_no_image_is_named(registry: Pages, tmp_path: Path, body: bytes, media_type: str, problem: str) -> None:
    put(registry, "manifests", body, media_type, "1")

    assert refused(registry, tmp_path).problem.startswith(f"{NAME}: {problem}")


@pytest.mark.parametrize("change", [{"digest": "sha256:abc"}, {"size": "many"}, {"digest": 7}, {"digest": None}])
@pytest.mark.parametrize("key", ["config", "layers"])
def test_a_descriptor_that_makes_no_sense_is_named(
    registry: Pages, tmp_path: Path, key: str, change: dict[str, Any]
) -> None:
    good = {"mediaType": media.OCI_CONFIG, "digest": f"sha256:{HEX_A}", "size": 1}
    document = {"config": good, "layers": [good]}
    document[key] = {**good, **change} if key == "config" else [{**good, **change}]
    put_json(registry, document, media.OCI_MANIFEST, "1")

    assert refused(registry, tmp_path).problem.startswith(f"{NAME}: its manifest makes no sense: ")


def test_a_media_type_may_stand_in_the_header_alone(registry: Pages, tmp_path: Path) -> None:
    child = publish(registry, AMD64)
    entry = {**child, "platform": AMD64}
    put_json(registry, {"manifests": [entry]}, f"{media.OCI_INDEX}; charset=utf-8", "1")

    assert pin(registry, tmp_path).top.media_type == media.OCI_INDEX


def pull(registry: Pages, root: Path, image: LockedImage, arch: str = "amd64") -> list[manifest.Entry]:
    remote.pull(registry.network(), image, arch, Store(root), root / "listing")
    return list(manifest.read(root / "listing"))


@pytest.mark.parametrize("single", [False, True])
def test_every_blob_is_brought_and_listed_once(registry: Pages, tmp_path: Path, single: bool) -> None:
    publish(registry, AMD64, "1") if single else index(registry, AMD64, ARM64)
    image = pin(registry, tmp_path / "lock")
    platform = image.platform("amd64")

    entries = pull(registry, tmp_path, image)

    wanted = {blob.digest: blob.size for blob in (image.top, platform.manifest, *platform.blobs)}
    assert {(entry.path, entry.sha256, entry.size) for entry in entries} == {
        (f"sha256/{digest.hex}", digest.hex, size) for digest, size in wanted.items()
    }
    assert len(entries) == len(wanted)
    assert all(Store(tmp_path).has(digest) for digest in wanted)


def test_what_is_in_the_store_is_not_pulled_again(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)
    image = pin(registry, tmp_path)
    pull(registry, tmp_path, image)
    registry.asked.clear()

    pull(registry, tmp_path, image)

    assert registry.asked == []


def test_a_tag_is_not_asked_for_when_pulling(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)
    image = pin(registry, tmp_path / "lock")
    registry.asked.clear()

    pull(registry, tmp_path, image)

    assert all("/sha256:" in path for path in paths(registry))
    asked = zip(paths(registry), registry.header("Accept"), strict=True)
    assert sorted((path.startswith("manifests/"), media.OCI_INDEX in accept) for path, accept in asked) == [
        (False, False),
        (False, False),
        (True, True),
        (True, True),
    ]


def test_a_layer_of_other_bytes_is_refused_and_nothing_is_listed(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)
    image = pin(registry, tmp_path)
    registry.pages[f"{BASE}/blobs/{of_bytes(LAYER)}"] = Page(b"LAYER")

    error = error_of(pull, registry, tmp_path, image)

    assert isinstance(error, DigestMismatch)
    assert error.problem.startswith(f"{NAME} {of_bytes(LAYER)}: expected {of_bytes(LAYER)}, got ")
    assert not (tmp_path / "listing").exists()


def test_an_image_without_the_platform_is_not_pulled(registry: Pages, tmp_path: Path) -> None:
    index(registry, AMD64)
    image = pin(registry, tmp_path)

    assert error_of(pull, registry, tmp_path, image, "arm64").problem == f"{NAME}: has no image for linux/arm64"
