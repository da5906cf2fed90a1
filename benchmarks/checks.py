"""Judges what a contestant made, by hashing it again: registry directories, OCI layouts, archives, plain trees."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.contest import WrongResult
from benchmarks.images import STORAGE, Catalogue

_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def registry_directories(roots: Iterable[Path], wanted: Catalogue) -> Mapping[str, object]:
    """Hold one registry directory, or one for each platform, against the source: every blob hashed, every tag read."""
    found: dict[str, int] = {}
    tops: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    for root in roots:
        storage = root / STORAGE
        for data in (storage / "blobs/sha256").glob("*/*/data"):
            status = data.stat()
            found[data.parent.name] = status.st_size
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if sha256(data) != data.parent.name:
                raise WrongResult(f"blob {data.parent.name} has other content")
        for name in wanted.tops:
            repository, _, tag = name.rpartition(":")
            link = storage / "repositories" / repository / "_manifests/tags" / tag / "current/link"
            if link.is_file():
                tops[name] = link.read_text().removeprefix("sha256:")
    if found != wanted.blobs or tops != wanted.tops:
        wrong = len(set(found.items()) ^ set(wanted.blobs.items()))
        raise WrongResult(f"{wrong} blobs and {len(set(tops.items()) ^ set(wanted.tops.items()))} tags differ")
    return {}


def tree(root: Path) -> dict[str, str]:
    """Return the digest of every file below `root`, by its path."""
    return {path.relative_to(root).as_posix(): sha256(path) for path in sorted(root.rglob("*")) if path.is_file()}


def blobs(root: Path) -> None:
    """Hash every blob of the OCI layout at `root`."""
    for blob in (root / "blobs/sha256").iterdir():
        if sha256(blob) != blob.name:
            raise WrongResult(f"blob {blob.name} has other content")


def layout(root: Path, wanted: Mapping[str, str]) -> Mapping[str, object]:
    """Unpack every layer of the OCI layout at `root` and hold its files against `wanted`; every blob is hashed.

    Returns the bytes of the layers and the digest of the image.
    """
    blobs(root)
    top = json.loads((root / "index.json").read_text())["manifests"][0]
    document = top
    while True:
        body = json.loads(_blob(root, document).read_text())
        if "layers" in body:
            break
        document = body["manifests"][0]
    found: dict[str, str] = {}
    for layer in body["layers"]:
        _unpack(_blob(root, layer), found)
    compare(found, wanted)
    return {"MB written": sum(int(layer["size"]) for layer in body["layers"]) / 1e6, "digest": top["digest"]}


def archive(path: Path, wanted: Mapping[str, str]) -> Mapping[str, object]:
    """Unpack a tar and hold its files against `wanted`."""
    found: dict[str, str] = {}
    _unpack(path, found)
    compare(found, wanted)
    return {"MB written": path.stat().st_size / 1e6}


def compare(found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raise WrongResult unless `found` has every file of `wanted` with its content."""
    wrong = [name for name, digest in wanted.items() if found.get(name) != digest]
    if wrong:
        raise WrongResult(f"{len(wrong)} files differ, as {wrong[0]}")


def _blob(root: Path, descriptor: Mapping[str, str]) -> Path:
    return root / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")


def _unpack(path: Path, found: dict[str, str]) -> None:
    """Add the files of a tar, compressed or not, by their digest; another program takes the compression off."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"\x1f\x8b"):
        words = ["gzip", "-dc"]
    elif magic == b"\x28\xb5\x2f\xfd":
        words = ["zstd", "-dcq"]
    else:
        words = ["cat"]
    with path.open("rb") as source:
        process = subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as opened:
        for member in _members(opened):
            if member.isfile():
                content = opened.extractfile(member)
                assert content is not None
                hasher = hashlib.sha256()
                while data := content.read(_CHUNK):
                    hasher.update(data)
                found[member.name.removeprefix("./")] = hasher.hexdigest()
    if process.returncode:
        raise WrongResult(f"{words[0]} cannot read {path.name}")


def _members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar, also of one without an end: umoci 0.4 leaves it out, and its files are all there."""
    with contextlib.suppress(tarfile.ReadError):
        yield from opened
