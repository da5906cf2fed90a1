"""Digests as values, and hashing on the way (descriptor.md of https://github.com/opencontainers/image-spec)."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clusterimage.values import stamp
from clusterimage.values.errors import ConfigError

CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_seeded: dict[tuple[int, ...], Digest] = {}


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256, kept as its 64 lower-case hex characters."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<hex>` or `<hex>`; any other algorithm or length raises ConfigError."""
        value = text.removeprefix("sha256:")
        if not _SHA256.fullmatch(value):
            raise ConfigError(f"'{text}' is not a sha256 digest")
        return cls(value)

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


def of_bytes(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest(hashlib.sha256(data).hexdigest())


def of_file(path: Path) -> Digest:
    """Return the digest of the file at `path`, read once."""
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def seed(status: os.stat_result, digest: Digest) -> None:
    """Note what the file of that status hashes to: whoever needs that later in this process need not read it again."""
    _seeded[_place(status)] = digest


def seeded(status: os.stat_result) -> Digest | None:
    """Return what was noted of the file of that status; None where nobody did, or where it changed since."""
    return _seeded.get(_place(status))


def _place(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, *stamp.of(status))


class Hasher:
    """A running sha256 that counts its bytes."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add `data`."""
        self._sha.update(data)
        self.size += len(data)

    def read(self, stream: BinaryIO) -> None:
        """Add all that is left of `stream`."""
        while chunk := stream.read(CHUNK):
            self.update(chunk)

    @property
    def digest(self) -> Digest:
        """The digest of all bytes so far."""
        return Digest(self._sha.hexdigest())
