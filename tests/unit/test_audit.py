"""Auditing what was built: saved blobs, what every tag leads to, and kubeadm's own list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterimage import audit, manifest, package
from clusterimage.audit import Kubeadm
from clusterimage.digest import Digest, of_bytes
from clusterimage.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import layer, media, storage
from clusterimage.oci.reference import Reference
from clusterimage.oci.storage import Saved
from clusterimage.package import Package
from clusterimage.store import Store
from tests.unit.conftest import error_of, plant

NAME = "k8s.gcr.io/pause:3.5"
LAYER = b"layer"
BLOBS = "docker/registry/v2/blobs/sha256"
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}


class Pause:
    """The pause image as a registry has it: an index over `platforms`, each with a config and a layer."""

    def __init__(self, root: Path, *platforms: Any) -> None:
        self.root = root
        self.store = Store(root / "cache")
        self.layer = self.put(LAYER, media.OCI_LAYER_GZIP)
        children = [(platform, *self.publish(number)) for number, platform in enumerate(platforms)]
        entries = [{**self.json(found), "platform": platform} for platform, found, _ in children]
        self.top = self.put({"mediaType": media.OCI_INDEX, "manifests": entries}, media.OCI_INDEX)
        self.platforms = tuple(
            LockedPlatform(platform["architecture"], found, (config, self.layer))
            for platform, found, config in reversed(children)
            if platform
        )

    def put(self, content: object, media_type: str) -> Descriptor:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        return Descriptor(self.store.put(data), len(data), media_type)

    def json(self, found: Descriptor) -> dict[str, Any]:
        return {"mediaType": found.media_type, "digest": str(found.digest), "size": found.size}

    def publish(self, number: int) -> tuple[Descriptor, Descriptor]:
        config = self.put({"number": number}, media.OCI_CONFIG)
        document = {"config": self.json(config), "layers": [self.json(self.layer)]}
        return self.put(document, media.OCI_MANIFEST), config

    def save(self, arch: str, top: Descriptor | None = None) -> Path:
        """Save the image for `arch` and return the registry's directory."""
        image = LockedImage(Reference.parse(NAME), top or self.top, self.platforms)
        dest = self.root / f"registry-{arch}"
        storage.save((Saved(image, (("pause", "3.5"),)),), arch, "images-base", self.store, dest)
        return dest

    def platform(self, arch: str) -> LockedPlatform:
        return next(platform for platform in self.platforms if platform.arch == arch)


def build(root: Path, **registries: Path) -> Path:
    """Package the registries, which are by architecture, and return the package."""
    context = plant(root / "context", {"Kubefile": "FROM scratch\nCOPY Kubefile .\n"})
    manifest.write(root / "context.manifest", manifest.scan(context, part="config"))
    saved = tuple((arch, (registry,)) for arch, registry in registries.items())
    described = Package(Reference.parse("k:1"), context, saved, (NAME,), layer.compressor())
    package.write(described, root / "layers", root / "dest", root / "dest.manifest")
    return root / "dest"


def drop(registry: Path, digest: Digest) -> Path:
    """Take a blob out of a saved registry."""
    listing = registry.with_name(f"{registry.name}.manifest")
    manifest.write(listing, [entry for entry in manifest.read(listing) if f"/{digest.hex}/data" not in entry.path])
    return registry


def test_a_whole_image_passes(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64, ARM64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64"), arm64=pause.save("arm64")), None)


def test_an_image_for_one_platform_only_passes(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64", pause.platform("amd64").manifest)), None)


def test_an_image_with_nothing_saved_passes(tmp_path: Path) -> None:
    storage.save((), "amd64", "images-base", Store(tmp_path), tmp_path / "registry")

    audit.audit(build(tmp_path, amd64=tmp_path / "registry"), None)


@pytest.mark.parametrize("others", [[{**AMD64, "variant": "v3"}], [{**AMD64, "os": "windows"}], [None], [{}]], ids=str)
def test_the_manifest_is_looked_for_that_was_pulled(tmp_path: Path, others: list[Any]) -> None:
    pause = Pause(tmp_path, *others, AMD64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64")), None)


def test_damage_outside_of_the_registry_is_found_too(tmp_path: Path) -> None:
    dest = build(tmp_path, amd64=Pause(tmp_path, AMD64).save("amd64"))
    (dest / "index.json").unlink()

    assert error_of(audit.audit, dest, None).problem == f"{dest}/index.json: is missing"


def test_a_saved_blob_of_other_content_is_named(tmp_path: Path) -> None:
    registry = Pause(tmp_path, AMD64).save("amd64")
    blob = registry / BLOBS / of_bytes(LAYER).hex[:2] / of_bytes(LAYER).hex / "data"
    blob.unlink()
    blob.write_bytes(b"LAYER")

    error = error_of(audit.audit, build(tmp_path, amd64=registry), None)

    assert error.problem == (f"registry/{blob.relative_to(registry).as_posix()}: its content is {of_bytes(b'LAYER')}")
    assert error.hint == "run doit build again"


def test_a_blob_that_is_not_saved_is_named_with_its_tag(tmp_path: Path) -> None:
    registry = drop(Pause(tmp_path, AMD64).save("amd64"), of_bytes(LAYER))

    error = error_of(audit.audit, build(tmp_path, amd64=registry), None)

    assert error.problem == f"pause:3.5: blob {of_bytes(LAYER)} is not in the saved registry"


def test_an_index_that_is_not_saved_is_named_with_its_tag(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64)
    registry = drop(pause.save("amd64"), pause.top.digest)

    error = error_of(audit.audit, build(tmp_path, amd64=registry), None)

    assert error.problem == f"pause:3.5: manifest {pause.top.digest} is not in the saved registry"


def test_the_registry_of_another_platform_is_noticed(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64, ARM64)

    error = error_of(audit.audit, build(tmp_path, arm64=pause.save("amd64")), None)

    missing = pause.platform("arm64").manifest.digest
    assert error.problem == f"pause:3.5: manifest {missing} is not in the saved registry"


def test_an_index_without_the_platform_is_noticed(tmp_path: Path) -> None:
    error = error_of(audit.audit, build(tmp_path, arm64=Pause(tmp_path, AMD64).save("amd64")), None)

    assert error.problem == "pause:3.5: its index has no linux/arm64"
    assert error.hint == "run doit lock, then build again"


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return build(tmp_path, amd64=Pause(tmp_path, AMD64).save("amd64"))


def kubeadm(root: Path, script: str, *images: str) -> Kubeadm:
    path = root / "kubeadm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Kubeadm(path, "v1.22.15", images or (NAME,))


def test_kubeadm_is_asked_for_the_images_of_its_version(dest: Path, tmp_path: Path) -> None:
    expected = "config images list --kubernetes-version v1.22.15"

    audit.audit(dest, kubeadm(tmp_path, f'test "$*" = "{expected}" && echo {NAME}'))


def test_what_kubeadm_says_besides_does_not_count(dest: Path, tmp_path: Path) -> None:
    audit.audit(dest, kubeadm(tmp_path, f'echo "W0101 could not fetch a/b"; echo {NAME}; echo I/O >&2'))


@pytest.mark.parametrize(
    ("listed", "known", "problem"),
    [
        (NAME, (NAME, "k8s.gcr.io/etcd:1"), "k8s.gcr.io/etcd:1: we list it, kubeadm does not"),
        (f"{NAME}\nk8s.gcr.io/etcd:1", (NAME,), "k8s.gcr.io/etcd:1: kubeadm lists it, we do not"),
    ],
)
def test_a_list_that_differs_from_kubeadm_s_is_named(
    dest: Path, tmp_path: Path, listed: str, known: tuple[str, ...], problem: str
) -> None:
    error = error_of(audit.audit, dest, kubeadm(tmp_path, f"cat <<X\n{listed}\nX", *known))

    assert error.problem == problem
    assert error.hint == "mend the row of that release in data/kubeadm-images.toml"


def test_a_kubeadm_that_fails_is_quoted(dest: Path, tmp_path: Path) -> None:
    error = error_of(audit.audit, dest, kubeadm(tmp_path, "echo first >&2; echo no such version >&2; exit 1"))

    assert (error.problem, error.hint) == (f"{tmp_path}/kubeadm: no such version", "run it by hand")


def test_a_kubeadm_that_fails_in_silence_is_named(dest: Path, tmp_path: Path) -> None:
    assert error_of(audit.audit, dest, kubeadm(tmp_path, "exit 3")).problem == f"{tmp_path}/kubeadm: exit status 3"


def test_a_kubeadm_that_does_not_run_here_is_named(dest: Path, tmp_path: Path) -> None:
    broken = kubeadm(tmp_path, "")
    broken.path.write_bytes(b"\x7fELF")

    error = error_of(audit.audit, dest, broken)

    assert error.problem.startswith(f"{tmp_path}/kubeadm: does not run: ")
    assert error.hint == "is it for this machine?"
