"""Knows how the bytes of the work are made: binaries out of real binaries, and noise in valid gzip.

    binary     blocks of one mebibyte of the Go programs that are peers here, in an order that the name decides
    noise      SHAKE-256 of the name: what is compressed already cannot be compressed again
    gzip       RFC 1952 members of stored blocks: a valid layer, the same bytes whatever the zlib

https://www.rfc-editor.org/rfc/rfc1951 §3.2.4 (stored blocks)
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
_DONORS = ("buildah", "docker-registry", "skopeo", "umoci", "dockerd", "containerd")
_STORED = 65535


@dataclass(frozen=True, slots=True)
class Donors:
    """Real programs of this machine, cut into blocks; `names` says which."""

    names: tuple[str, ...]
    blocks: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """Return what two runs must share to have had the same work."""
        return hashlib.sha256(b"".join(self.blocks)).hexdigest()[:12]


def donors() -> Donors:
    """Read the programs that binaries are made of; without any peer, Python's own."""
    programs = [Path(found) for name in _DONORS if (found := shutil.which(name))] or [Path(sys.executable).resolve()]
    blocks: list[bytes] = []
    for path in programs:
        data = path.read_bytes()
        blocks += [data[start : start + BLOCK] for start in range(0, len(data) - BLOCK + 1, BLOCK)]
    return Donors(tuple(path.name for path in programs), tuple(blocks))


def binary(given: Donors, name: str, size: int) -> Iterator[bytes]:
    """Yield a program of `size` bytes that compresses as real ones do; no two names have the same."""
    head = f"{name}\n".encode().ljust(64, b"\0")
    yield head[:size]
    left = size - len(head)
    turn = 0
    while left > 0:
        for index in _order(f"{name} {turn}", len(given.blocks)):
            piece = given.blocks[index][: max(left, 0)]
            if piece:
                yield piece
            left -= len(piece)
        turn += 1


def noise(name: str, size: int) -> Iterator[bytes]:
    """Yield `size` bytes that nothing compresses."""
    for number, start in enumerate(range(0, size, 4 * BLOCK)):
        yield hashlib.shake_256(f"{name} {number}".encode()).digest(min(4 * BLOCK, size - start))


def gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces as one gzip member of stored blocks."""
    yield bytes.fromhex("1f8b08000000000000ff")
    checksum = size = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        for start in range(0, len(piece), _STORED):
            block = piece[start : start + _STORED]
            yield struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF) + block
    yield b"\x01\x00\x00\xff\xff" + struct.pack("<II", checksum, size & 0xFFFFFFFF)


def write(path: Path, pieces: Iterator[bytes], mode: int = 0o644) -> None:
    """Write the pieces to a new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
    path.chmod(mode)


def _order(seed: str, count: int) -> list[int]:
    """Return 0 … count-1 in an order that `seed` decides."""
    return sorted(range(count), key=lambda index: hashlib.sha256(f"{seed} {index}".encode()).digest())
