"""An image as a docker-archive, as `docker load` and `ctr images import` read it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import docker_archive
from clusterimage.storage import compression
from clusterimage.transport.store import Store
from clusterimage.values import media_types
from clusterimage.values.digest import of_bytes
from clusterimage.values.reference import Reference
from tests.unit.conftest import HEX_A, error_of

CONFIG, BASE, OWN = b'{"os":"linux"}', gzip.compress(b"base", mtime=0), gzip.compress(b"own", mtime=0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "cache")
    for data in (CONFIG, BASE, OWN):
        made.put(data)
    return made


def blob(data: bytes, media_type: str = media_types.OCI_LAYER_GZIP) -> Descriptor:
    return Descriptor(of_bytes(data), len(data), media_type)


def image(name: str = "registry:2.8.3", *layers: bytes) -> LockedImage:
    top = Descriptor(of_bytes(b"manifest"), 8, media_types.OCI_MANIFEST)
    blobs = (blob(CONFIG, media_types.OCI_CONFIG), *map(blob, layers or (BASE, OWN)))
    return LockedImage(Reference.parse(name), top, (LockedPlatform("amd64", top, blobs),))


def save(locked: LockedImage, store: Store, root: Path) -> dict[str, bytes]:
    docker_archive.save(locked, "amd64", store, compression.installed("gzip"), root / "image.tar.gz")
    plain = gzip.decompress((root / "image.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {info.name: b"".join(tar.extractfile(info) or ()) for info in tar}


def test_the_archive_holds_config_layers_and_their_order(store: Store, tmp_path: Path) -> None:
    config, base, own = (of_bytes(data).hex for data in (CONFIG, BASE, OWN))

    found = save(image(), store, tmp_path)

    assert json.loads(found.pop("manifest.json")) == [
        {
            "Config": f"{config}.json",
            "RepoTags": ["registry:2.8.3"],
            "Layers": [f"{base}.tar.gz", f"{own}.tar.gz"],
        }
    ]
    assert found == {f"{config}.json": CONFIG, f"{base}.tar.gz": BASE, f"{own}.tar.gz": OWN}


def test_a_layer_that_comes_twice_is_there_once(store: Store, tmp_path: Path) -> None:
    found = save(image("registry:2.8.3", BASE, OWN, BASE), store, tmp_path)

    assert len(json.loads(found["manifest.json"])[0]["Layers"]) == 3
    assert len(found) == 4


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("registry:2.8.3", "registry:2.8.3"),
        ("docker.io/sealerio/x:1", "sealerio/x:1"),
        ("quay.io/library/x:1", "quay.io/library/x:1"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        (f"quay.io/a/x:1@sha256:{HEX_A}", "quay.io/a/x:1"),
        (f"quay.io/a/x@sha256:{HEX_A}", f"quay.io/a/x:{of_bytes(b'manifest').hex[:12]}"),
    ],
)
def test_the_image_is_tagged_as_docker_spells_it(store: Store, tmp_path: Path, name: str, tag: str) -> None:
    assert json.loads(save(image(name), store, tmp_path)["manifest.json"])[0]["RepoTags"] == [tag]


def test_the_same_image_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    save(image(), store, tmp_path)
    save(image(), store, tmp_path / "again")

    assert (tmp_path / "image.tar.gz").read_bytes() == (tmp_path / "again" / "image.tar.gz").read_bytes()


def test_an_image_without_the_platform_is_refused(store: Store, tmp_path: Path) -> None:
    error = error_of(save, replace(image(), platforms=()), store, tmp_path)

    assert error.problem == "docker.io/library/registry:2.8.3: has no image for linux/amd64"
