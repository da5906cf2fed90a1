"""A layer: a reproducible tar, compressed on all cores, what is compressed already only stored.

The tar (https://github.com/opencontainers/image-spec layer.md) is sorted, every owner is 0, every mtime the epoch,
modes are 0755 or 0644 and every parent directory comes before its files. It is cut into pieces of at most 1 MiB, each a
member or frame of its own (compression.py). Where they end depends on the content alone, so that neither the number of
cores nor their speed shows in the bytes.

Reading, hashing the tar, compressing, hashing what came out and writing it go on at the same time, over a fixed number
of buffers: memory does not grow with the layer, nor with the number of layers that are made at once.
"""

from __future__ import annotations

import functools
import os
import queue
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clusterimage.storage import compression, files
from clusterimage.storage.compression import Packed
from clusterimage.values.digest import Digest, Hasher
from clusterimage.values.errors import ConfigError

PIECE = 1 << 20
_MOST_AT_ONCE = 32
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


def write(layer: Layer, locked_compressor: str, dest: Path) -> Written:
    """Write `layer` to `dest` and return its digests; nothing is read twice."""
    from clusterimage.storage import direct_io  # nobody who only looks needs it

    compression.check(locked_compressor)
    with ExitStack() as stack:
        stream = stack.enter_context(files.atomic(dest))
        out = stack.enter_context(direct_io.Writer(stream))
        pipeline = stack.enter_context(_Pipeline(locked_compressor, out.append))
        pieces = stack.enter_context(_Pieces(pipeline.take))
        _fill(pieces, layer)
    return Written(pipeline.plain.digest, pipeline.packed.digest, pipeline.packed.size)


def tar(layer: Layer) -> Iterator[bytes]:
    """Yield `layer` as a plain tar, piece by piece."""
    for member in _members(layer):
        yield _header(member, layer.epoch)
        yield member.data
        if member.source is not None:
            with member.source.open("rb") as stream:
                while piece := stream.read(PIECE):
                    yield piece
        yield _padding(member)
    yield _END


class _Pipeline:
    """Takes the pieces of a tar, and gives them compressed and in order; a failure is raised by the next `take`."""

    def __init__(self, compressor: str, give: Callable[[Packed], None]) -> None:
        self.plain, self.packed = Hasher(), Hasher()
        self._give = give
        self._pack, self._store = compression.packing(compressor), compression.storing(compressor)
        self._hashing, self._finishing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._given: deque[Future[None]] = deque()

    def __enter__(self) -> _Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self._hashing.shutdown()
        self._finishing.shutdown()
        self._raise(all_of_them=True)

    def take(self, buffer: bytearray, size: int, stored: bool) -> None:
        """Have the first `size` bytes of `buffer` packed; the buffer is given back when that is done."""
        piece = memoryview(buffer)[:size]
        hashed = self._hashing.submit(self.plain.update, piece)
        packed = _compressing().submit(self._store if stored else self._pack, piece)
        self._given.append(self._finishing.submit(self._finish, buffer, hashed, packed))
        self._raise(all_of_them=False)

    def _raise(self, *, all_of_them: bool) -> None:
        while self._given and (all_of_them or self._given[0].done()):
            self._given.popleft().result()

    def _finish(self, buffer: bytearray, hashed: Future[None], packed: Future[Packed]) -> None:
        try:
            parts = packed.result()
            self._give(parts)
            for part in parts:
                self.packed.update(part)
        finally:
            hashed.result()
            _buffers().put(buffer)


class _Pieces:
    """Cuts what it is given into pieces, each all stored or all compressed, and hands them on."""

    def __init__(self, give: Callable[[bytearray, int, bool], None]) -> None:
        self._give = give
        self._buffer = bytearray()
        self._size = 0
        self._stored = False

    def __enter__(self) -> _Pieces:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._hand_on()
        elif self._buffer:
            _buffers().put(self._buffer)

    def add(self, data: bytes) -> None:
        """Add bytes that are to be compressed."""
        rest = memoryview(data)
        while rest:
            room = self._room(False)
            part = rest[: len(room)]
            room[: len(part)] = part
            self._size += len(part)
            rest = rest[len(part) :]

    def read(self, stream: IO[bytes], size: int, stored: bool) -> int:
        """Add what `stream` gives, at most `size` bytes, straight into the piece; return how many came."""
        room = self._room(stored)
        count = stream.readinto(room[:size])  # type: ignore[attr-defined]
        self._size += count
        return int(count)

    def _room(self, stored: bool) -> memoryview:
        if self._size and (self._size == PIECE or stored != self._stored):
            self._hand_on()
        if not self._buffer:
            self._buffer = _buffers().get()
        self._stored = stored
        return memoryview(self._buffer)[self._size :]

    def _hand_on(self) -> None:
        buffer, size = self._buffer, self._size
        self._buffer, self._size = bytearray(), 0
        if buffer:
            self._give(buffer, size, self._stored)


@functools.cache
def _cores() -> int:
    return min(os.cpu_count() or 1, _MOST_AT_ONCE)


@functools.cache
def _compressing() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores())


@functools.cache
def _buffers() -> queue.SimpleQueue[bytearray]:
    """Return the buffers that all layers share; whoever reads waits for a free one."""
    free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
    for _ in range(_cores() + 8):
        free.put(bytearray(PIECE))
    return free


def _fill(pieces: _Pieces, layer: Layer) -> None:
    for member in _members(layer):
        pieces.add(_header(member, layer.epoch))
        if member.source is not None:
            _copy(member.source, member.size, pieces)
        pieces.add(member.data)
        pieces.add(_padding(member))
    pieces.add(_END)


def _copy(source: Path, size: int, pieces: _Pieces) -> None:
    """Add a file; one that is not what it was at the end, or has not `size` bytes, raises ConfigError.

    Its digest is not compared with the manifest's: that would be a third hash of every byte, and whatever is written
    below _build/ behind our back has another stamp when doit looks at it next.
    """
    with source.open("rb", buffering=0) as stream:
        before = os.fstat(stream.fileno())
        head = os.pread(stream.fileno(), 8, 0) if size >= _WORTH_STORING else b""
        stored, left = head.startswith(_COMPRESSED_MAGIC), size
        while left and (count := pieces.read(stream, left, stored)):
            left -= count
        after = os.fstat(stream.fileno())
    if left or (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
        raise ConfigError(f"{source}: changed while it was read", hint="build again")


def _members(layer: Layer) -> Iterator[Member]:
    """Yield the members with the directories above them, each once and before what is in it."""
    directories: set[str] = set()
    for member in layer.members:
        for parent in _parents(member.path):
            if parent not in directories:
                directories.add(parent)
                yield Member(parent, 0o755, directory=True)
        if not member.directory:
            yield member
        elif member.path not in directories:
            directories.add(member.path)
            yield member


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


def _padding(member: Member) -> bytes:
    return b"" if member.directory or member.link else bytes(-member.size % tarfile.BLOCKSIZE)


_END = bytes(2 * tarfile.BLOCKSIZE)
