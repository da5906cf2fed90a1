"""The saved registry, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import saved_registry
from clusterimage.oci.saved_registry import Saved
from clusterimage.storage import manifest
from clusterimage.transport.store import Store
from clusterimage.values import media_types as media
from clusterimage.values.digest import of_bytes
from clusterimage.values.reference import Reference
from tests.unit.conftest import error_of, plant

V2 = "docker/registry/v2"
AMD64, ARM64 = b"amd64 manifest", b"arm64 manifest"
INDEX, CONFIG, LAYER = b"index", b"config", b"layer"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "cache")
    for data in (AMD64, ARM64, INDEX, CONFIG, LAYER):
        made.put(data)
    return made


def blob(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(of_bytes(data), len(data), media_type)


def image(name: str = "k8s.gcr.io/a/pause:3.5") -> LockedImage:
    blobs = (
        blob(CONFIG, media.OCI_CONFIG),
        blob(LAYER, media.OCI_LAYER_GZIP),
        blob(LAYER, media.OCI_LAYER_GZIP),
    )
    platforms = tuple(
        LockedPlatform(arch, blob(data, media.OCI_MANIFEST), blobs)
        for arch, data in (("amd64", AMD64), ("arm64", ARM64))
    )
    return LockedImage(Reference.parse(name), blob(INDEX, media.OCI_INDEX), platforms)


def single() -> LockedImage:
    top = blob(AMD64, media.DOCKER_MANIFEST)
    platform = LockedPlatform("amd64", top, (blob(CONFIG, media.OCI_CONFIG), blob(LAYER, media.OCI_LAYER_GZIP)))
    return LockedImage(Reference.parse("quay.io/one:1"), top, (platform,))


def data(*contents: bytes) -> dict[str, bytes]:
    """Return the blobs of a registry, by path."""
    return {f"{V2}/blobs/sha256/{of_bytes(c).hex[:2]}/{of_bytes(c).hex}/data": c for c in contents}


def link(place: str, content: bytes) -> dict[str, bytes]:
    return {f"{V2}/repositories/{place}/link": str(of_bytes(content)).encode()}


def saved(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if not path.is_dir()}


def repository(name: str, top: bytes, *documents: bytes) -> dict[str, bytes]:
    """Return what every repository holds of an image, without tags."""
    found: dict[str, bytes] = {}
    for content in (CONFIG, LAYER):
        found |= link(f"{name}/_layers/sha256/{of_bytes(content).hex}", content)
    for content in (top, *documents):
        found |= link(f"{name}/_manifests/revisions/sha256/{of_bytes(content).hex}", content)
    return found


def tag(name: str, word: str, top: bytes) -> dict[str, bytes]:
    return {
        **link(f"{name}/_manifests/tags/{word}/current", top),
        **link(f"{name}/_manifests/tags/{word}/index/sha256/{of_bytes(top).hex}", top),
    }


def save(store: Store, root: Path, *images: Saved, arch: str = "arm64") -> dict[str, bytes]:
    saved_registry.save(images, arch, "images-base", store, root / "dest")
    return saved(root / "dest")


def test_an_image_is_saved_with_its_index_and_one_platform(store: Store, tmp_path: Path) -> None:
    found = save(store, tmp_path, Saved(image(), (("a/pause", "3.5"),)))

    assert found == {
        **data(INDEX, ARM64, CONFIG, LAYER),
        **repository("a/pause", INDEX, ARM64),
        **tag("a/pause", "3.5", INDEX),
    }


def test_an_image_without_an_index_is_saved_with_its_manifest(store: Store, tmp_path: Path) -> None:
    found = save(store, tmp_path, Saved(single(), (("one", "1"),)), arch="amd64")

    assert found == {**data(AMD64, CONFIG, LAYER), **repository("one", AMD64), **tag("one", "1", AMD64)}


def test_every_alias_is_a_repository_or_tag_over_the_same_blobs(store: Store, tmp_path: Path) -> None:
    found = save(store, tmp_path, Saved(image(), (("pause", "3.5"), ("other/pause", "3.5"), ("pause", "latest"))))

    assert found == {
        **data(INDEX, ARM64, CONFIG, LAYER),
        **repository("pause", INDEX, ARM64),
        **repository("other/pause", INDEX, ARM64),
        **tag("pause", "3.5", INDEX),
        **tag("pause", "latest", INDEX),
        **tag("other/pause", "3.5", INDEX),
    }


def test_an_image_by_digest_only_has_no_tag(store: Store, tmp_path: Path) -> None:
    found = save(store, tmp_path, Saved(image(), (("pause", ""),)))

    assert found == {**data(INDEX, ARM64, CONFIG, LAYER), **repository("pause", INDEX, ARM64)}


def test_images_that_share_blobs_hold_them_once(store: Store, tmp_path: Path) -> None:
    found = save(store, tmp_path, Saved(image(), (("pause", "1"),)), Saved(single(), (("one", "1"),)), arch="amd64")

    assert {name: c for name, c in found.items() if name.endswith("/data")} == data(INDEX, AMD64, CONFIG, LAYER)


def test_blobs_are_links_out_of_the_store(store: Store, tmp_path: Path) -> None:
    save(store, tmp_path, Saved(image(), (("pause", "3.5"),)))

    place = next(iter(data(LAYER)))
    assert (tmp_path / "dest" / place).samefile(store.path(of_bytes(LAYER)))


def test_the_manifest_says_what_is_there(store: Store, tmp_path: Path) -> None:
    save(store, tmp_path, Saved(image(), (("pause", "3.5"),)))

    entries = manifest.read(tmp_path / "dest.manifest")
    scanned = manifest.scan(tmp_path / "dest", part="images-base")
    assert [(entry.path, entry.size, entry.sha256, entry.part) for entry in entries] == [
        (entry.path, entry.size, entry.sha256, entry.part) for entry in scanned
    ]
    assert {entry.mode for entry in entries} == {0o644}


def test_nothing_to_save_is_an_empty_registry(store: Store, tmp_path: Path) -> None:
    assert save(store, tmp_path) == {}
    assert manifest.read(tmp_path / "dest.manifest") == ()


def test_an_older_registry_goes(store: Store, tmp_path: Path) -> None:
    plant(tmp_path / "dest", {"old": "x"})

    assert "old" not in save(store, tmp_path, Saved(image(), (("pause", "3.5"),)))


def test_a_name_that_leaves_the_registry_is_refused(store: Store, tmp_path: Path) -> None:
    error = error_of(save, store, tmp_path, Saved(image(), (("../../../../../out", "1"),)))

    assert "leaves the tree that it is written to" in error.problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


def test_an_image_without_the_platform_is_refused(store: Store, tmp_path: Path) -> None:
    error = error_of(save, store, tmp_path, Saved(single(), (("one", "1"),)))

    assert error.problem == "quay.io/one:1: has no image for linux/arm64"
