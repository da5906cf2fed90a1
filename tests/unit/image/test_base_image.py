"""bases: what FROM names, and what lies in its layers."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from clusterimage.image import base_image
from clusterimage.image.base_image import Base, Contents
from clusterimage.oci.image import canonical
from clusterimage.storage import archive
from clusterimage.values import digest
from tests.unit.conftest import error_of, texts

LINK = "registry/docker/registry/v2/repositories/a/b/_manifests/tags/1/current/link"
DIGEST = f"sha256:{'a' * 64}"


def tar(*members: tuple[str, str]) -> bytes:
    """Pack (name, text); a name with a slash at its end is a directory, a text `-> x` a link, `=> x` a hard link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, text in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif text.startswith(("-> ", "=> ")):
                info.type = tarfile.SYMTYPE if text[0] == "-" else tarfile.LNKTYPE
                info.linkname = text[3:]
            else:
                info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def layout(root: Path, *layers: bytes, platforms: Any = (), **config: Any) -> Base:
    """Write a layout of one manifest, or of an index in which it stands once for each of `platforms`."""
    blobs = root / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        hex_digits = digest.of_bytes(data).hex
        (blobs / hex_digits).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{hex_digits}", "size": len(data)}

    kind = "application/vnd.oci.image."
    described = put(canonical({"architecture": "amd64", "os": "linux", "config": config}), f"{kind}config.v1+json")
    listed = [put(data, f"{kind}layer.v1.tar+gzip") for data in layers]
    manifest = {"schemaVersion": 2, "mediaType": f"{kind}manifest.v1+json", "config": described, "layers": listed}
    top = put(canonical(manifest), manifest["mediaType"])  # type: ignore[arg-type]
    if platforms:
        entries = [{**top, "platform": one} if one else top for one in platforms]
        top = put(canonical({"manifests": entries}), f"{kind}index.v1+json")
    (root / "index.json").write_text(json.dumps({"manifests": [top]}))
    found = base_image.local(f"oci:{root}", root / "none")
    assert found is not None
    return found


def read(root: Path, *layers: bytes, **config: Any) -> Contents:
    return base_image.read(layout(root, *layers, **config), "amd64", root / "cache")


@pytest.mark.parametrize(
    ("upper", "files", "directories"),
    [
        ((("etc/c", ""),), {"etc/a", "etc/b", "etc/c", "x"}, {"etc"}),
        ((("etc/.wh.a", ""),), {"etc/b", "x"}, {"etc"}),
        ((("etc/.wh..wh..opq", ""), ("etc/c", "")), {"etc/c", "x"}, {"etc"}),
        (((".wh.etc", ""),), {"x"}, set()),
        (((".wh.etc", ""), ("etc", "")), {"etc", "x"}, set()),
        ((("./y/", ""), ("z/", "")), {"etc/a", "etc/b", "x"}, {"etc", "y", "z"}),
    ],
)
def test_layers_lie_over_each_other(
    tmp_path: Path, upper: tuple[tuple[str, str], ...], files: set[str], directories: set[str]
) -> None:
    lower = gzip.compress(tar(("./etc/", ""), ("./etc/a", ""), ("etc/b", ""), ("x", "")))

    found = read(tmp_path, lower, tar(*upper)).inherited

    assert (found.files, found.directories) == (files, directories)


def test_the_saved_registry_of_a_base_is_known(tmp_path: Path) -> None:
    assert read(tmp_path, tar((LINK, DIGEST))).tags == {("a/b", "1"): DIGEST}


def test_a_layer_is_read_once(tmp_path: Path) -> None:
    base = layout(tmp_path, tar(("x", "")))
    first = base_image.read(base, "amd64", tmp_path / "cache")
    (base.blobs / base.platforms[0].blobs[1].digest.hex).unlink()

    assert base_image.read(base, "amd64", tmp_path / "cache").inherited == first.inherited


def test_labels_and_environment_are_inherited(tmp_path: Path) -> None:
    found = read(tmp_path, Labels={"a": "b"}, Env=["X=y"]).inherited

    assert (found.labels, found.env) == ({"a": "b"}, ("X=y",))


@pytest.mark.parametrize("data", [b"\x28\xb5\x2f\xfd zstd", gzip.compress(tar(("x", "y" * 9000)), mtime=0)[:-30]])
def test_a_layer_that_cannot_be_read_is_named(tmp_path: Path, data: bytes) -> None:
    base = layout(tmp_path, data)

    error = error_of(base_image.read, base, "amd64", tmp_path / "cache")

    assert f"layer sha256:{digest.of_bytes(data).hex} cannot be read" in error.problem
    assert not (tmp_path / "cache").exists()


def test_a_layer_of_zstd_is_read(tmp_path: Path) -> None:
    data = zstandard.ZstdCompressor().compress(tar(("x", "y" * 9000)))

    assert read(tmp_path, data).inherited.files == {"x"}


def test_a_layer_of_other_bytes_is_named(tmp_path: Path) -> None:
    base = layout(tmp_path, tar(("x", "")))
    path = base.blobs / base.platforms[0].blobs[1].digest.hex
    path.write_bytes(tar(("evil", "")))

    assert str(path) in error_of(base_image.read, base, "amd64", tmp_path / "cache").problem


@pytest.mark.parametrize("platform", [None, {"os": "linux", "architecture": "amd64"}, {"os": "linux"}])
def test_an_entry_without_a_platform_is_the_one_of_its_config(tmp_path: Path, platform: dict[str, str] | None) -> None:
    base = layout(tmp_path, platforms=[{"os": "unknown", "architecture": "unknown"}, platform])

    assert [one.arch for one in base.platforms] == ["amd64"]


def test_another_platform_is_refused(tmp_path: Path) -> None:
    assert "has no image for linux/arm64" in error_of(layout(tmp_path).platform, "arm64").problem


# ---------------------------------------------------------------------------------------------- what ADD unpacks


def unpacked(tmp_path: Path, *members: tuple[str, str]) -> Path:
    packed = tmp_path / "a.tar"
    packed.write_bytes(tar(*members))
    archive.unpack(packed, "config", tmp_path / "tree")
    return tmp_path / "tree"


def test_an_archive_is_unpacked_whole(tmp_path: Path) -> None:
    root = unpacked(tmp_path, ("./", ""), ("./d/", ""), ("d/f", "text"), ("l", "-> d"), ("h", "=> d/f"), ("e/", ""))

    assert texts(root) == {"d/f": "text", "l": "-> d", "h": "text", "e/": ""} or (root / "h").read_text() == "text"
    assert (tmp_path / "tree.manifest").exists()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ((("../x", "evil"),), "leaves the tree"),
        ((("/x", "evil"),), "leaves the tree"),
        ((("l", "-> ../.."), ("l/x", "evil")), "lies below a link"),
    ],
)
def test_an_archive_cannot_write_elsewhere(tmp_path: Path, members: tuple[tuple[str, str], ...], problem: str) -> None:
    assert problem in error_of(unpacked, tmp_path, *members).problem
    assert not (tmp_path / "x").exists() and not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tar(("x", "")), True),
        (gzip.compress(tar(("x", "")), mtime=0), True),
        (gzip.compress(b"text", mtime=0), False),
        (b"", False),
    ],
)
def test_only_a_tar_archive_is_one(tmp_path: Path, data: bytes, expected: bool) -> None:
    (tmp_path / "a").write_bytes(data)

    assert archive.is_tar(tmp_path / "a") is expected
