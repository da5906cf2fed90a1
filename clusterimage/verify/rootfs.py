"""Read the content of one platform of a built image in one streaming pass over its layers.

    https://github.com/opencontainers/image-spec (config.md, layer.md): later layers override earlier ones

Big files are streamed for the digest of a blob of the saved registry, and the machine of an ELF program, also inside
an archive (`cri/docker.tar.gz!docker/dockerd`). The texts of scripts and configuration files are kept.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from clusterimage.storage import compression
from clusterimage.values.digest import Digest, Hasher

REGISTRY = "registry/docker/registry/v2"
_TEXTS = ("etc/", "scripts/", "lib/", "application/", "manifests/", "images/shim/", "statics/", "Metadata")
LONGEST_TEXT = 1 << 18  # bytes; longer texts are truncated
_ELF_HEAD = 20  # bytes; the part of the ELF header up to e_machine
_ARCHIVES = (".tar.gz", ".tgz")
_MACHINES = {62: "amd64", 183: "arm64"}  # e_machine, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class File:
    """A file or link of the rootfs; `machine` is the architecture of an ELF program, else ""."""

    mode: int
    size: int = 0
    text: str = ""
    machine: str = ""


@dataclass(slots=True)
class Registry:
    """The saved registry: blobs by hex digest (bytes of JSON documents, else b""), tags as repository:tag, damage."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def document(self, digest: str) -> dict[str, Any] | None:
        """Return the JSON document of that digest, or None if it is not saved."""
        text = self.blobs.get(Digest.parse(digest).hex)
        return json.loads(text) if text else None


@dataclass(slots=True)
class Rootfs:
    """One platform of an image: its config and layers; `programs` (path -> machine) includes those in archives."""

    arch: str
    labels: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    files: dict[str, File] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    programs: dict[str, str] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)

    def text(self, path: str) -> str:
        """Return the text of the file at `path`, or ""."""
        return self.files[path].text if path in self.files else ""

    def has(self, path: str) -> bool:
        """Return whether `path` is a file or a directory, or has a run-time template (.tmpl)."""
        return path in self.files or path in self.folders or f"{path}.tmpl" in self.files


def read(dest: Path) -> Iterator[Rootfs]:
    """Yield every platform of the layout at `dest`, whose blobs must have been verified."""
    listing = json.loads((dest / "index.json").read_text("utf-8"))
    index = _document(dest, listing["manifests"][0]["digest"])
    for entry in index["manifests"]:
        yield _platform(dest, _document(dest, entry["digest"]), entry["platform"]["architecture"])


def _blob(dest: Path, digest: str) -> Path:
    return dest / "blobs" / "sha256" / Digest.parse(digest).hex


def _document(dest: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_blob(dest, digest).read_text("utf-8"))
    return document


def _platform(dest: Path, manifest: dict[str, Any], arch: str) -> Rootfs:
    config = _document(dest, manifest["config"]["digest"]).get("config", {})
    rootfs = Rootfs(
        arch,
        labels=config.get("Labels") or {},
        env=dict(line.partition("=")[::2] for line in config.get("Env") or []),
        annotations=manifest.get("annotations") or {},
        command=tuple(config.get("Cmd") or ()),
    )
    for layer in manifest["layers"]:
        path = _blob(dest, layer["digest"])
        with path.open("rb") as packed, tarfile.open(fileobj=compression.opened(packed), mode="r|") as tar:
            for member in tar:
                _add_member(rootfs, tar, member)
    return rootfs


def _add_member(rootfs: Rootfs, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = member.name.removeprefix("./").rstrip("/")
    if member.isdir():
        rootfs.folders.add(name)
        return
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        rootfs.files[name] = File(0o777)
    elif name.startswith(f"{REGISTRY}/"):
        _add_saved(rootfs.registry, name.removeprefix(f"{REGISTRY}/"), stream)
    else:
        head = b"" if name.endswith(_ARCHIVES) else stream.read(_ELF_HEAD)
        if head.startswith(b"#!") or (head and name.startswith(_TEXTS)):
            head += stream.read(LONGEST_TEXT)
        machine = _machine(head)
        rootfs.files[name] = File(member.mode, member.size, "" if machine else head.decode(errors="replace"), machine)
        if machine:
            rootfs.programs[name] = machine
        if name.endswith(_ARCHIVES):
            rootfs.programs |= {f"{name}!{inner}": found for inner, found in _archived_programs(stream)}


def _add_saved(registry: Registry, name: str, stream: IO[bytes]) -> None:
    if not name.endswith("/data"):
        repository, found, rest = name.removeprefix("repositories/").partition("/_manifests/tags/")
        if found and rest.endswith("/current/link"):
            registry.tags[f"{repository}:{rest.partition('/')[0]}"] = stream.read().decode()
        return
    hasher, text = Hasher(), b""
    while chunk := stream.read(1 << 20):
        hasher.update(chunk)
        text = chunk if hasher.size == len(chunk) and chunk.startswith(b"{") else b""
    digest = name.split("/")[-2]
    registry.blobs[digest] = text
    if hasher.digest.hex != digest:
        registry.damaged.append(f"{REGISTRY}/{name}: its content is {hasher.digest}")


def _archived_programs(archive: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Yield (path, machine) of the ELF programs in an archive; one that cannot be read yields ("", "damaged: …")."""
    try:
        with gzip.GzipFile(fileobj=archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                inner = tar.extractfile(member) if member.isreg() else None
                if inner is not None and (machine := _machine(inner.read(20))):
                    yield member.name, machine
    except _DAMAGED as error:
        yield "", f"damaged: {error}"


def _machine(head: bytes) -> str:
    """Return the architecture in an ELF header (e_machine), or "" for anything else."""
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return ""
    number = int.from_bytes(head[18:20], "little")
    return _MACHINES.get(number, f"machine {number}")
