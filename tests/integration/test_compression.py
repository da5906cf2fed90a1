"""A layer of stored and compressed pieces, by every compressor, as the programs read it that nodes have."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
from pathlib import Path

import pytest

from clusterimage.oci import image, layer
from clusterimage.oci.image import BuiltLayer, Image
from clusterimage.oci.layer import PIECE, Layer, Member
from clusterimage.storage import compression
from clusterimage.values.reference import Reference
from tests.conftest import ROOT, Project, run, tool

NAME = "registry.example.com/team/pieces:v1"
HOST = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
NOISE = hashlib.shake_256(b"noise").digest(3 * PIECE + 17)
CONTENT = {
    "bin/program": b"some text of a program " * 200_000,
    "images/layer.tar.gz": b"\x1f\x8b" + NOISE,
    "images/small.tar.zst": b"\x28\xb5\x2f\xfd" + NOISE[:9000],
    "scripts/run.sh": b"#!/bin/sh\n",
}


WRITES = """
import hashlib, sys
from pathlib import Path
from clusterimage.oci import layer
from clusterimage.storage import compression
data = Path(sys.argv[1]).read_bytes()
for choice in compression.CHOICES:
    name = compression.installed(choice)
    layer.write(layer.Layer((layer.Member("a", 0o644, len(data), data=data),)), name, Path(sys.argv[2]))
    with open(sys.argv[2], "rb") as stream:
        assert data in compression.opened(stream).read()
    print(choice, "/", name, "/", hashlib.sha256(Path(sys.argv[2]).read_bytes()).hexdigest())
"""


@pytest.fixture
def layout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """An image of one layer, made by the compressor that the test is called with."""
    choice = request.param
    members = []
    for place, data in CONTENT.items():
        source = tmp_path / "sources" / place
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(data)
        members.append(Member(place, 0o755, len(data), source=source))
    name, path = compression.installed(choice), tmp_path / "layer"
    written = layer.write(Layer(tuple(members)), name, path)
    built = BuiltLayer(written, path, "config", compression.media_type(name))
    dest = tmp_path / "layout"
    image.write((Image(HOST, (built,), (), (), 0),), Reference.parse(NAME), dest)
    return dest


def holds(root: Path) -> bool:
    return all((root / place).read_bytes() == data for place, data in CONTENT.items())


@pytest.mark.skipif(HOST != "amd64", reason="emulates CPUs of this architecture")
def test_a_cpu_that_makes_other_bytes_has_another_name_for_its_compressor(tmp_path: Path) -> None:
    text = b"".join(b"%x %d\n" % (number * number, number) for number in range(200_000))
    (tmp_path / "text").write_bytes(text)

    def written(cpu: str) -> dict[str, tuple[str, str]]:
        words = (tool("qemu-x86_64-static"), "-cpu", cpu, Path(sys.executable).resolve(), "-c", WRITES)
        where = {"PYTHONPATH": ":".join([str(ROOT), *sys.path])}
        said = run(*words, tmp_path / "text", tmp_path / cpu, env={**os.environ, **where})
        return {choice: (name, digest) for choice, name, digest in (line.split(" / ") for line in said.splitlines())}

    old, early, late = written("qemu64"), written("Nehalem"), written("Haswell")

    assert early == late and (early["gzip"], early["zstd"]) == (old["gzip"], old["zstd"])
    assert early["isal"][0] != old["isal"][0] and early["isal"][1] != old["isal"][1]


@pytest.mark.parametrize("layout", compression.CHOICES, indirect=True)
def test_skopeo_copies_it_and_keeps_its_digest(layout: Path, tmp_path: Path) -> None:
    run(tool("skopeo"), "copy", "--all", f"oci:{layout}:v1", f"oci:{tmp_path}/copy:v1")

    assert sorted(p.name for p in (tmp_path / "copy/blobs/sha256").iterdir()) == sorted(
        p.name for p in (layout / "blobs/sha256").iterdir()
    )


@pytest.mark.parametrize("layout", compression.CHOICES, indirect=True)
def test_skopeo_unpacks_it(layout: Path, tmp_path: Path) -> None:
    run(tool("skopeo"), "copy", "--dest-decompress", f"oci:{layout}:v1-{HOST}", f"dir:{tmp_path}/dir")

    tars = [path for path in (tmp_path / "dir").iterdir() if tarfile.is_tarfile(path)]
    (tmp_path / "out").mkdir()
    run(tool("tar"), "--extract", "--file", tars[0], "--directory", tmp_path / "out")
    assert holds(tmp_path / "out")


@pytest.mark.parametrize("layout", ["gzip", "isal"], indirect=True)
def test_umoci_unpacks_it(layout: Path, tmp_path: Path) -> None:
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:v1-{HOST}", tmp_path / "bundle")

    assert holds(tmp_path / "bundle/rootfs")


@pytest.mark.parametrize("layout", compression.CHOICES, indirect=True)
def test_containerd_imports_and_unpacks_it(layout: Path, containerd: list[str], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(layout, arcname=".")
    run(*containerd, "images", "import", "--snapshotter", "native", tmp_path / "image.tar")

    mounted = tmp_path / "mounted"
    mounted.mkdir()
    run(*containerd, "images", "mount", "--snapshotter", "native", NAME, mounted)
    try:
        assert holds(mounted)
    finally:
        run(*containerd, "images", "unmount", mounted)
        run(*containerd, "images", "rm", "--sync", NAME)


@pytest.mark.parametrize("choice", ["gzip", "isal"])
def test_dockerd_loads_it(project: Project, daemon: str, choice: str) -> None:
    words = ("mirror=embedded", "cni=none", f"platform={HOST}", f"compression={choice}", f"name=example.com/{choice}:1")

    assert project.doit("load", *words, DOCKER_HOST=daemon).code == 0
    assert HOST in run(tool("docker"), "-H", daemon, "image", "inspect", f"example.com/{choice}:1")


def test_an_old_dockerd_is_not_given_zstd(project: Project, daemon: str) -> None:
    version = run(tool("docker"), "-H", daemon, "version", "--format", "{{.Server.Version}}").strip()
    words = ("mirror=embedded", "cni=none", f"platform={HOST}", "compression=zstd")

    result = project.doit("load", *words, DOCKER_HOST=daemon)

    if int(version.partition(".")[0]) >= 23:
        assert result.code == 0, result.text
    else:
        assert f"compressed with zstd, which Docker {version} cannot read" in result.out
        assert "hint: build it with compression=isal" in result.out
