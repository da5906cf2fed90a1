"""Read the layers of one platform in one streaming pass: digest, mode and link target by path.

    https://github.com/opencontainers/image-spec (layer.md)

Blobs of the saved registry are named by their digest and not hashed again. Directories that are not empty in their
layer are left out, as every layer repeats its parent directories.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from clusterimage.image import base_image
from clusterimage.locks.lock import Descriptor
from clusterimage.storage.manifest import Entry
from clusterimage.values.digest import CHUNK, Digest, Hasher, of_bytes
from clusterimage.values.errors import ClusterImageError

_BLOBS = "registry/docker/registry/v2/blobs/sha256/"
_OURS = "clusterimage "  # prefix of `created_by` in the history of our layers, before the name of the part
_FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Layer:
    """The descriptor of a layer and its part of the image; layers of other tools are `foreign`."""

    blob: Descriptor
    part: str


@dataclass(frozen=True, slots=True)
class Held:
    """The content of one layer: its entries, and the texts of a saved registry's link files, by path."""

    entries: dict[str, Entry]
    links: dict[str, str]


@dataclass(slots=True)
class Shelf:
    """A cache of layer contents: each layer is read on first access."""

    held: dict[Digest, Held] = field(default_factory=dict)

    def read(self, blobs: Path, layer: Layer) -> Held:
        """Return the content of `layer`, whose blob is in the directory `blobs`."""
        digest = layer.blob.digest
        if digest not in self.held:
            self.held[digest] = _read(blobs / digest.hex, layer.part)
        return self.held[digest]


def parts(history: list[dict[str, str]], layers: tuple[Descriptor, ...]) -> tuple[Layer, ...]:
    """Return the layers with their parts, from the config's `history`."""
    made = [step.get("created_by", "") for step in history if not step.get("empty_layer")]
    made += [""] * (len(layers) - len(made))
    return tuple(
        Layer(blob, text.removeprefix(_OURS) if text.startswith(_OURS) else _FOREIGN)
        for blob, text in zip(layers, made, strict=False)
    )


def apart(layers: tuple[Layer, ...]) -> bool:
    """Return whether no path can be in two layers: each layer is a different part, which owns its paths."""
    names = [layer.part for layer in layers]
    return _FOREIGN not in names and len(set(names)) == len(names)


def _read(path: Path, part: str) -> Held:
    held = Held({}, {})
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rb") as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for member in tar:
                _add_member(held, tar, member, part)
    except FileNotFoundError as error:
        raise ClusterImageError(f"{path}: is missing", hint="build that image again") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "doit verify says what is damaged; only layers that are plain tar or gzip can be read"
        raise ClusterImageError(f"{path}: cannot be read: {error}", hint=hint) from error
    filled = {folder for path in held.entries for folder in _parents(path)}
    return replace(held, entries={path: entry for path, entry in held.entries.items() if path not in filled})


def _parents(path: str) -> list[str]:
    names = path.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def _add_member(held: Held, tar: tarfile.TarFile, member: tarfile.TarInfo, part: str) -> None:
    path = member.name.removeprefix("./").strip("/")
    if path in ("", "."):
        return
    mode = member.mode & 0o7777
    if member.isdir():
        held.entries[path] = Entry(path, mode, part=part)
    elif member.issym():
        held.entries[path] = Entry(path, 0o777, link=member.linkname, part=part)
    elif member.islnk() and member.linkname.removeprefix("./") in held.entries:
        held.entries[path] = replace(held.entries[member.linkname.removeprefix("./")], path=path)
    elif (stream := tar.extractfile(member) if member.isreg() else None) is not None:
        held.entries[path] = Entry(path, mode, member.size, _digest(held, path, stream), part=part)


def _digest(held: Held, path: str, stream: IO[bytes]) -> str:
    if path.startswith(_BLOBS) and path.endswith("/data"):
        return path.split("/")[-2]
    if base_image.is_link(path):
        text = stream.read()
        held.links[path] = text.decode(errors="replace")
        return of_bytes(text).hex
    hasher = Hasher()
    while chunk := stream.read(CHUNK):
        hasher.update(chunk)
    return hasher.digest.hex
