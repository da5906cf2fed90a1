"""A layer: a reproducible tar, gzip-compressed on all cores, what is compressed already only stored.

The tar (https://github.com/opencontainers/image-spec layer.md) is sorted, every owner is 0, every mtime the epoch,
modes are 0755 or 0644 and every parent directory comes before its files. The gzip file is a chain of members, one for
each piece of the tar of at most 4 MiB: https://www.rfc-editor.org/rfc/rfc1952 §2.2 reads a chain as one file. Where the
pieces end depends on the content alone, so that neither the number of cores nor their speed shows in the bytes.

zlib-ng's output is the same on every CPU that was tried (x86-64 with and without SSE4/AVX2/AVX-512, arm64). That of
ISA-L is not: its hash and match finders differ by instruction set, so that two machines would make two digests.
"""

from __future__ import annotations

import os
import struct
import tarfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clusterimage import files
from clusterimage.digest import Digest, Hasher
from clusterimage.errors import ConfigError

PIECE = 4 << 20
_STORED_BLOCK = 65535
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_COMPRESSED_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"PK\x03\x04")
_WORTH_STORING = 4096


@dataclass(frozen=True, slots=True)
class Member:
    """A file, link or directory of a layer; a file's content is `data`, or the file `source` of `size` bytes."""

    path: str
    mode: int
    size: int = 0
    source: Path | None = None
    data: bytes = b""
    link: str = ""
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """The members of a layer, sorted by path; parent directories need not be among them. `epoch` is their mtime."""

    members: tuple[Member, ...]
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What came out: the digest of the plain tar, and digest and size of the compressed file."""

    diff_id: Digest
    digest: Digest
    size: int


def compressor() -> str:
    """Return the name of the compressor that is installed here, as a lock records it."""
    from zlib_ng import zlib_ng

    return f"gzip zlib-ng-2 {zlib_ng.ZLIBNG_RUNTIME_VERSION}"


def check_compressor(locked: str) -> None:
    """Raise ConfigError unless the compressor installed here is the locked one."""
    if locked != compressor():
        raise ConfigError(
            f"the lock names the compressor '{locked}', installed is '{compressor()}': the bytes would differ",
            hint="install the zlib-ng package that it names, or lock again: doit lock k8s=…",
        )


def write(layer: Layer, locked_compressor: str, dest: Path) -> Written:
    """Write `layer` to `dest` and return its digests; nothing is read twice."""
    check_compressor(locked_compressor)
    plain, packed = Hasher(), Hasher()
    cores = os.cpu_count() or 1
    with files.atomic(dest) as stream, ThreadPoolExecutor(cores) as pool:
        pending: deque[Future[bytes]] = deque()
        for piece, stored in _pieces(_stream(layer)):
            plain.update(piece)
            pending.append(pool.submit(_stored if stored else _deflated, piece))
            while len(pending) > 2 * cores or (pending and pending[0].done()):
                _drain(pending.popleft(), packed, stream)
        while pending:
            _drain(pending.popleft(), packed, stream)
    return Written(plain.digest, packed.digest, packed.size)


def tar(layer: Layer) -> Iterator[bytes]:
    """Yield `layer` as a plain tar, piece by piece."""
    for piece, _ in _stream(layer):
        yield piece


def _drain(future: Future[bytes], packed: Hasher, stream: IO[bytes]) -> None:
    data = future.result()
    packed.update(data)
    stream.write(data)


def _pieces(stream: Iterator[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bool]]:
    """Join what belongs together into pieces of at most PIECE bytes, each all stored or all compressed."""
    held: list[bytes] = []
    size, mode = 0, False
    for data, stored in stream:
        if held and (stored != mode or size + len(data) > PIECE):
            yield b"".join(held), mode
            held, size = [], 0
        mode = stored
        held.append(data)
        size += len(data)
    if held:
        yield b"".join(held), mode


def _stream(layer: Layer) -> Iterator[tuple[bytes, bool]]:
    """Yield the tar as (bytes, whether they are compressed already)."""
    directories: set[str] = set()
    for member in layer.members:
        for parent in _parents(member.path):
            if parent not in directories:
                directories.add(parent)
                yield _header(Member(parent, 0o755, directory=True), layer.epoch), False
        if member.directory:
            if member.path not in directories:
                directories.add(member.path)
                yield _header(member, layer.epoch), False
            continue
        yield _header(member, layer.epoch), False
        yield from _content(member)
        yield b"\0" * (-member.size % tarfile.BLOCKSIZE), False
    yield b"\0" * (2 * tarfile.BLOCKSIZE), False


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def _header(member: Member, epoch: int) -> bytes:
    info = tarfile.TarInfo(f"{member.path}/" if member.directory else member.path)
    info.mode = 0o755 if member.directory or member.mode & 0o111 else 0o644
    info.mtime = epoch
    if member.directory:
        info.type = tarfile.DIRTYPE
    elif member.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
    else:
        info.size = member.size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(member: Member) -> Iterator[tuple[bytes, bool]]:
    if member.source is None:
        if member.data:
            yield member.data, False
        return
    left, stored = member.size, False
    with member.source.open("rb") as stream:
        first = True
        while left:
            data = stream.read(min(PIECE, left))
            if not data:
                break
            if first:
                stored = member.size >= _WORTH_STORING and data.startswith(_COMPRESSED_MAGIC)
                first = False
            left -= len(data)
            yield data, stored
        if left or stream.read(1):
            raise ConfigError(f"{member.source}: changed while it was read", hint="build again")


def _deflated(data: bytes) -> bytes:
    from zlib_ng import zlib_ng

    return _HEADER + zlib_ng.compress(data, 2, -15) + _trailer(data)


def _stored(data: bytes) -> bytes:
    """Return `data` as a gzip member of stored blocks (RFC 1951 §3.2.4)."""
    blocks = [_HEADER]
    for start in range(0, len(data), _STORED_BLOCK):
        block = data[start : start + _STORED_BLOCK]
        last = start + _STORED_BLOCK >= len(data)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*blocks, _trailer(data)])


def _trailer(data: bytes) -> bytes:
    return struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
