"""Packages: layers by part and content, the same bytes every time, and damage that is found."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from clusterimage import __version__
from clusterimage.image import package
from clusterimage.image.package import Package
from clusterimage.storage import compression, files, manifest
from clusterimage.values.reference import Reference
from tests.unit.conftest import error_of, plant
from tests.unit.oracle import Judged, judge

KUBEFILE = """FROM scratch
COPY rootfs .
COPY ${ARCH} .
COPY imageList manifests
LABEL "runtime"="docker" "a"="kubefile"
CNI calico local://calico.sh
LAUNCH ["calico"]
"""
CONTEXT = {
    "Kubefile": ("config", KUBEFILE),
    "imageList": ("config", "k8s.gcr.io/pause:3.5\n"),
    "calico.sh": ("cni", "#!/bin/sh\n"),
    "rootfs/Kubefile": ("config", KUBEFILE),
    "rootfs/etc/kubeadm.yml": ("config", "kind: ClusterConfiguration\n"),
    "rootfs/lib/gperf.tar.gz": ("lib", "gperf"),
    "amd64/bin/kubectl": ("kubernetes", "amd64 kubectl"),
    "arm64/bin/kubectl": ("kubernetes", "arm64 kubectl"),
    "amd64/cri/docker.tar.gz": ("cri", "amd64 docker"),
    "arm64/cri/docker.tar.gz": ("cri", "arm64 docker"),
}
REGISTRY = "docker/registry/v2"
CONFIG = "sealer.image.extension", "sealer.image.container.images"


def context(root: Path, changes: dict[str, tuple[str, str]] | None = None) -> Path:
    """Write a build context and its manifest."""
    parts = {**CONTEXT, **(changes or {})}
    plant(root, {name: text for name, (_, text) in reversed(parts.items())})
    entries = [replace(entry, part=parts[entry.path][0]) for entry in manifest.scan(root)]
    empty = manifest.Entry("rootfs/manifests", 0o755, part="config")
    manifest.write(root.with_name(f"{root.name}.manifest"), [*entries, empty])
    return root


def registry(root: Path, name: str, *blobs: str) -> Path:
    plant(root / name, {f"{REGISTRY}/blobs/{blob}/data": blob for blob in blobs})
    manifest.write(root / f"{name}.manifest", manifest.scan(root / name, part=f"images-{name}"))
    return root / name


def describe(root: Path, changes: dict[str, tuple[str, str]] | None = None) -> Package:
    base, kubernetes = registry(root, "base", "one", "shared"), registry(root, "kubernetes", "two", "shared")
    return Package(
        reference=Reference.parse("docker.io/sealerio/kubernetes:v1.22.15"),
        context=context(root / "context", changes),
        registries=tuple((arch, (base, kubernetes)) for arch in ("amd64", "arm64")),
        images=(("amd64", ("k8s.gcr.io/pause:3.5",)), ("arm64", ("k8s.gcr.io/pause:3.5",))),
        compressor=compression.installed("gzip"),
        labels=(("a", "package"),),
    )


def write(described: Package, root: Path) -> dict[str, Judged]:
    package.write(described, root / "layers", root / "dest", root / "dest.manifest")
    return judge(root / "dest")


def content(judged: Judged) -> dict[str, str]:
    """Return the files of an image, by text; directories without files as name/."""
    found: dict[str, str] = {}
    for layer in judged.layers:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.read_bytes()))) as tar:
            for info in tar:
                stream = tar.extractfile(info)
                found[info.name if stream else f"{info.name}/"] = stream.read().decode() if stream else ""
    return {name: text for name, text in found.items() if not any(o != name and o.startswith(name) for o in found)}


def parts(judged: Judged) -> list[str]:
    return [step["created_by"].removeprefix("clusterimage ") for step in judged.config["history"]]


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files.walk(root)}


def inodes(root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in root.glob("*.gz")}


def test_an_image_holds_the_context_and_the_saved_registries(tmp_path: Path) -> None:
    judged = write(describe(tmp_path), tmp_path)

    assert content(judged["arm64"]) == {
        "Kubefile": KUBEFILE,
        "application/apps/calico/calico.sh": "#!/bin/sh\n",
        "bin/kubectl": "arm64 kubectl",
        "cri/docker.tar.gz": "arm64 docker",
        "etc/kubeadm.yml": "kind: ClusterConfiguration\n",
        "lib/gperf.tar.gz": "gperf",
        "manifests/imageList": "k8s.gcr.io/pause:3.5\n",
        f"registry/{REGISTRY}/blobs/one/data": "one",
        f"registry/{REGISTRY}/blobs/shared/data": "shared",
        f"registry/{REGISTRY}/blobs/two/data": "two",
    }


def test_every_part_is_a_layer_and_what_changes_least_comes_first(tmp_path: Path) -> None:
    changes = {"rootfs/x": ("overlay", "x"), "rootfs/y": ("tools", "y"), "rootfs/z": ("zebra", "z")}

    judged = write(describe(tmp_path, changes), tmp_path)

    assert parts(judged["amd64"]) == [
        "lib",
        "tools",
        "cri",
        "kubernetes",
        "cni",
        "images-base",
        "images-kubernetes",
        "zebra",
        "config",
        "overlay",
    ]


def test_what_is_the_same_for_both_platforms_is_one_blob(tmp_path: Path) -> None:
    judged = write(describe(tmp_path), tmp_path)

    shared = set(judged["amd64"].layers) & set(judged["arm64"].layers)
    assert len(shared) == 5
    assert len(judged["amd64"].layers) == 7


def test_labels_are_the_kubefile_s_and_then_the_package_s(tmp_path: Path) -> None:
    judged = write(describe(tmp_path), tmp_path)

    assert judged["amd64"].config["config"]["Labels"] == {
        "a": "package",
        "runtime": "docker",
        "cluster.alpha.sealer.io/kube-cni-calico": "true",
    }


def test_annotations_are_what_sealer_reads(tmp_path: Path) -> None:
    annotations = write(describe(tmp_path), tmp_path)["arm64"].manifest["annotations"]

    assert tuple(sorted(annotations)) == tuple(sorted(CONFIG))
    assert json.loads(annotations[CONFIG[0]])["buildClient"]["sealerVersion"] == f"clusterimage {__version__}"
    assert json.loads(annotations[CONFIG[0]])["launch"] == {"app_names": ["calico"]}
    assert json.loads(annotations[CONFIG[1]]) == [
        {"image": "k8s.gcr.io/pause:3.5", "platform": {"architecture": "arm64", "os": "linux"}}
    ]


def test_what_the_kubefile_copies_comes_before_the_saved_registry(tmp_path: Path) -> None:
    own = f"rootfs/registry/{REGISTRY}/blobs/one/data"

    judged = write(describe(tmp_path, {own: ("config", "own")}), tmp_path)

    assert content(judged["amd64"])[own.removeprefix("rootfs/")] == "own"


def test_the_manifest_describes_the_package(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)

    assert manifest.read(tmp_path / "dest.manifest") == manifest.scan(tmp_path / "dest")


def test_a_wrong_kubefile_leaves_the_old_package_without_its_manifest(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)
    before = snapshot(tmp_path / "dest")

    error = error_of(write, describe(tmp_path, {"Kubefile": ("config", "FROM scratch\nCOPY none .")}), tmp_path)

    assert error.problem == f"{tmp_path}/context/Kubefile:2: COPY: 'none' is not in the build context"
    assert snapshot(tmp_path / "dest") == before
    assert not (tmp_path / "dest.manifest").exists()


# ------------------------------------------------------------------------------------------------------- same bytes


def test_the_same_package_gives_the_same_bytes(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)
    first = snapshot(tmp_path / "dest")

    write(describe(tmp_path), tmp_path)

    assert snapshot(tmp_path / "dest") == first


@pytest.mark.parametrize("cores", [1, 4])
def test_neither_the_directory_nor_the_cores_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    write(describe(tmp_path), tmp_path)
    elsewhere = tmp_path / "else" / "where"
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    write(describe(elsewhere), elsewhere)

    assert snapshot(elsewhere / "dest") == snapshot(tmp_path / "dest")


@pytest.mark.parametrize(
    "change", [{"epoch": 1}, {"labels": (("a", "b"),)}, {"images": ()}, {"reference": Reference.parse("x:1")}]
)
def test_whatever_the_package_says_shows(tmp_path: Path, change: dict[str, object]) -> None:
    described = describe(tmp_path)
    write(described, tmp_path)
    first = snapshot(tmp_path / "dest")

    write(replace(described, **change), tmp_path)  # type: ignore[arg-type]

    assert snapshot(tmp_path / "dest") != first


# ------------------------------------------------------------------------------------------------------------ reuse


def test_a_change_makes_the_layer_of_its_part_anew_and_no_other(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)
    before = inodes(tmp_path / "layers")

    write(describe(tmp_path, {"rootfs/etc/kubeadm.yml": ("config", "changed")}), tmp_path)

    after = inodes(tmp_path / "layers")
    assert before.items() < after.items()
    assert len(after) == len(before) + 1


def test_a_layer_whose_time_changed_is_reused(tmp_path: Path) -> None:
    write(describe(tmp_path), tmp_path)
    before = inodes(tmp_path / "layers")
    for path in files.walk(tmp_path / "layers"):
        os.utime(path, (1, 1))

    write(describe(tmp_path), tmp_path)

    assert inodes(tmp_path / "layers") == before


def filled(data: bytes) -> Callable[[Path], object]:
    return partial(Path.write_bytes, data=data)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".gz", Path.unlink),
        (".gz", filled(b"garbage")),
        (".json", Path.unlink),
        (".json", filled(b"garbage")),
        (".json", filled(b"{}")),
    ],
)
def test_a_layer_that_is_damaged_is_made_anew(tmp_path: Path, suffix: str, damage: Callable[[Path], object]) -> None:
    write(describe(tmp_path), tmp_path)
    first = snapshot(tmp_path / "dest")
    files.remove(tmp_path / "dest")
    for path in (tmp_path / "layers").glob(f"*{suffix}"):
        damage(path)

    write(describe(tmp_path), tmp_path)

    assert snapshot(tmp_path / "dest") == first
