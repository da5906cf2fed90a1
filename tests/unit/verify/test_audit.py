"""Auditing what was built: its files, saved blobs, what every tag leads to, and kubeadm's own list."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.contract import FACTS, PROGRAM, RULES, SCRIPT, Expected
from clusterimage.image import package
from clusterimage.image.package import Package
from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.oci import saved_registry
from clusterimage.oci.saved_registry import Saved
from clusterimage.storage import compression, manifest
from clusterimage.transport.store import Store
from clusterimage.values import media_types
from clusterimage.values.digest import Digest, of_bytes
from clusterimage.values.errors import FindingsError
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version
from clusterimage.verify import audit
from clusterimage.verify.audit import Kubeadm
from tests.unit.conftest import error_of, plant, tar_of

NAME = "k8s.gcr.io/pause:3.5"
LAYER = b"layer"
BLOBS = "docker/registry/v2/blobs/sha256"
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
MACHINES = {"amd64": 62, "arm64": 183}
EXPECTED = Expected(
    kubernetes=Version.parse("v1.22.15"),
    cri="docker",
    cni="none",
    cni_files=(),
    flavor="sealer",
    client="sealer >=0.9.2",
    arches=("amd64",),
    images=(NAME,),
    kubeadm_api="kubeadm.k8s.io/v1beta2",
)
KUBEADM_YML = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.22.15\n"


class Pause:
    """The pause image as a registry has it: an index over `platforms`, each with a config and a layer."""

    def __init__(self, root: Path, *platforms: Any) -> None:
        self.root = root
        self.store = Store(root / "cache")
        self.layer = self.put(LAYER, media_types.OCI_LAYER_GZIP)
        children = [(platform, *self.publish(platform, number)) for number, platform in enumerate(platforms)]
        entries = [{**self.json(found), "platform": platform} for platform, found, _ in children]
        self.top = self.put({"mediaType": media_types.OCI_INDEX, "manifests": entries}, media_types.OCI_INDEX)
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

    def publish(self, platform: Any, number: int) -> tuple[Descriptor, Descriptor]:
        config = self.put({**(platform or {}), "number": number}, media_types.OCI_CONFIG)
        document = {"config": self.json(config), "layers": [self.json(self.layer)]}
        return self.put(document, media_types.OCI_MANIFEST), config

    def save(self, arch: str, top: Descriptor | None = None) -> Path:
        """Save the image for `arch` and return the registry's directory."""
        image = LockedImage(Reference.parse(NAME), top or self.top, self.platforms)
        dest = self.root / f"registry-{arch}"
        saved_registry.save((Saved(image, (("pause", "3.5"),)),), arch, "images-base", self.store, dest)
        return dest

    def platform(self, arch: str) -> LockedPlatform:
        return next(platform for platform in self.platforms if platform.arch == arch)


def content(kind: str, path: str, arch: str) -> bytes:
    """Return the least that the contract takes for a file."""
    if kind == PROGRAM:
        return b"\x7fELF".ljust(18, b"\0") + MACHINES[arch].to_bytes(2, "little")
    if kind == SCRIPT:
        return b'#!/bin/sh\nfor one in "$ROOTFS"/bin/*; do install "$one" /usr/bin; done\n'
    if path == "etc/daemon.json":
        return b'{"exec-opts": ["native.cgroupdriver=systemd"]}'
    if path.endswith(".tar.gz"):
        return tar_of(mode="w:gz")
    return KUBEADM_YML.encode() if path.startswith("etc/kubeadm.yml") else b""


def build(root: Path, **registries: Path) -> Path:
    """Package the registries, which are by architecture, with all that sealer's contract names; return the package."""
    rules = [rule for rule in RULES if rule.holds(EXPECTED) and rule.path != "registry"]
    facts = [fact for fact in FACTS if fact.flavor == "sealer"]
    known = {"cri": "docker", "kubernetes": "v1.22.15", "pause": "", "client": EXPECTED.client}
    labels = [f'LABEL {fact.key}="{fact.value.format(**known)}"' for fact in facts]
    kubefile = "\n".join(["FROM scratch", "COPY ${ARCH} .", *labels])
    context = plant(root / "context", {"Kubefile": kubefile})
    for arch in registries:
        for rule in rules:
            path = rule.path.format(cri="docker")
            plant(context / arch, {path: content(rule.kind, path, arch), "registry/": ""})
            (context / arch / path).chmod(0o755 if rule.kind in (PROGRAM, SCRIPT) else 0o644)
    manifest.write(root / "context.manifest", manifest.scan(context, part="config"))
    saved = tuple((arch, (registry,)) for arch, registry in registries.items())
    names = tuple((arch, (NAME,)) for arch in registries)
    described = Package(Reference.parse("k:1"), context, saved, names, compression.installed("gzip"))
    package.write(described, root / "layers", root / "dest", root / "dest.manifest")
    return root / "dest"


def findings(dest: Path, kubeadm: Kubeadm | None = None) -> tuple[str, ...]:
    """Return what an audit finds; it says how much that is, and what to do."""
    with pytest.raises(FindingsError) as raised:
        audit.audit(dest, EXPECTED, kubeadm)
    found = raised.value.findings
    assert raised.value.problem == f"{dest}: {len(found)} finding{'s' if len(found) > 1 else ''}"
    assert raised.value.hint == "mend it in context/ or versions.toml, or run doit build again"
    assert not any("\n" in line for line in found)
    return found


def drop(registry: Path, digest: Digest) -> Path:
    """Take a blob out of a saved registry."""
    listing = registry.with_name(f"{registry.name}.manifest")
    manifest.write(listing, [entry for entry in manifest.read(listing) if f"/{digest.hex}/data" not in entry.path])
    return registry


def test_a_whole_image_passes(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64, ARM64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64"), arm64=pause.save("arm64")), EXPECTED, None)


def test_an_image_for_one_platform_only_passes(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64", pause.platform("amd64").manifest)), EXPECTED, None)


def test_an_image_with_nothing_saved_passes(tmp_path: Path) -> None:
    saved_registry.save((), "amd64", "images-base", Store(tmp_path), tmp_path / "registry")

    audit.audit(build(tmp_path, amd64=tmp_path / "registry"), replace(EXPECTED, images=()), None)


@pytest.mark.parametrize("others", [[{**AMD64, "variant": "v3"}], [{**AMD64, "os": "windows"}], [None], [{}]], ids=str)
def test_the_manifest_is_looked_for_that_was_pulled(tmp_path: Path, others: list[Any]) -> None:
    pause = Pause(tmp_path, *others, AMD64)

    audit.audit(build(tmp_path, amd64=pause.save("amd64")), EXPECTED, None)


def test_damage_outside_of_the_registry_is_found_too(tmp_path: Path) -> None:
    dest = build(tmp_path, amd64=Pause(tmp_path, AMD64).save("amd64"))
    (dest / "index.json").unlink()

    assert findings(dest) == ("index.json: is missing",)


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    error = error_of(audit.audit, tmp_path, EXPECTED, None)

    assert (error.problem, error.hint) == (f"{tmp_path}: is not a built image", "run doit build")


def test_a_saved_blob_of_other_content_is_named(tmp_path: Path) -> None:
    registry = Pause(tmp_path, AMD64).save("amd64")
    blob = registry / BLOBS / of_bytes(LAYER).hex[:2] / of_bytes(LAYER).hex / "data"
    blob.unlink()
    blob.write_bytes(b"LAYER")

    found = findings(build(tmp_path, amd64=registry))

    path = f"registry/{blob.relative_to(registry).as_posix()}"
    assert found == (f"{path}: its content is {of_bytes(b'LAYER')} [amd64]",)


def test_a_blob_that_is_not_saved_is_named_with_its_tag(tmp_path: Path) -> None:
    registry = drop(Pause(tmp_path, AMD64).save("amd64"), of_bytes(LAYER))

    found = findings(build(tmp_path, amd64=registry))

    assert found == (f"pause:3.5: blob {of_bytes(LAYER)} is not in the saved registry [amd64]",)


def test_an_index_that_is_not_saved_is_named_with_its_tag(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64)
    registry = drop(pause.save("amd64"), pause.top.digest)

    found = findings(build(tmp_path, amd64=registry))

    assert found == (f"pause:3.5: manifest {pause.top.digest} is not in the saved registry [amd64]",)


def test_the_registry_of_another_platform_is_noticed(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64, ARM64)

    found = findings(build(tmp_path, arm64=pause.save("amd64")))

    missing = pause.platform("arm64").manifest.digest
    assert found == (f"pause:3.5: manifest {missing} is not in the saved registry [arm64]",)


def test_an_index_without_the_platform_is_noticed(tmp_path: Path) -> None:
    found = findings(build(tmp_path, arm64=Pause(tmp_path, AMD64).save("amd64")))

    assert found == ("pause:3.5: its index has no linux/arm64 [arm64]",)


def test_what_several_platforms_lack_is_told_once_with_their_names(tmp_path: Path) -> None:
    pause = Pause(tmp_path, AMD64, ARM64)
    registries = {arch: drop(pause.save(arch), of_bytes(LAYER)) for arch in ("amd64", "arm64")}

    found = findings(build(tmp_path, **registries))

    assert found == (f"pause:3.5: blob {of_bytes(LAYER)} is not in the saved registry [amd64, arm64]",)


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

    audit.audit(dest, EXPECTED, kubeadm(tmp_path, f'test "$*" = "{expected}" && echo {NAME}'))


def test_what_kubeadm_says_besides_does_not_count(dest: Path, tmp_path: Path) -> None:
    audit.audit(dest, EXPECTED, kubeadm(tmp_path, f'echo "W0101 could not fetch a/b"; echo {NAME}; echo I/O >&2'))


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
    found = findings(dest, kubeadm(tmp_path, f"cat <<X\n{listed}\nX", *known))

    assert found == (f"{problem} (data/kubeadm-images.toml)",)


def test_a_kubeadm_that_fails_is_quoted(dest: Path, tmp_path: Path) -> None:
    found = findings(dest, kubeadm(tmp_path, "echo first >&2; echo no such version >&2; exit 1"))

    assert found == (f"{tmp_path}/kubeadm: no such version",)


def test_a_kubeadm_that_fails_in_silence_is_named(dest: Path, tmp_path: Path) -> None:
    assert findings(dest, kubeadm(tmp_path, "exit 3")) == (f"{tmp_path}/kubeadm: exit status 3",)


def test_a_kubeadm_that_does_not_run_here_is_named(dest: Path, tmp_path: Path) -> None:
    broken = kubeadm(tmp_path, "")
    broken.path.write_bytes(b"\x7fELF")

    (found,) = findings(dest, broken)

    assert found.startswith(f"{tmp_path}/kubeadm: does not run: ")


def test_a_damaged_image_does_not_hide_what_kubeadm_says(dest: Path, tmp_path: Path) -> None:
    (dest / "oci-layout").unlink()

    found = findings(dest, kubeadm(tmp_path, "exit 3"))

    assert found == ("oci-layout: is missing", f"{tmp_path}/kubeadm: exit status 3")
