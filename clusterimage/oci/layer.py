"""A layer: a reproducible tar, compressed on all cores; content that is compressed already is only stored.

The tar (https://github.com/opencontainers/image-spec layer.md) is sorted, every owner is 0, every mtime the epoch,
modes are those of the members and every parent directory comes before its files. It is split into pieces of at most
1 MiB, each a gzip member or zstd frame of its own (compression.py). The boundaries depend on the content alone, so that
the output does not depend on the number or speed of the cores.

Reading, hashing the tar, compressing, hashing the output and writing it run as a pipeline over a fixed number of
buffers: memory use does not grow with the size or the number of layers.
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
_FILE_MODES = 0o777  # no file that is shipped has a set-id bit
_MOST_AT_ONCE = 32
_COMPRESSED_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"PK\x03\x04")
_WORTH_STORING = 4096


@dataclass(frozen=True, slots=True)
class Member:
    """A file, symlink or directory of a layer; a file's content is `data`, or the file `source` of `size` bytes."""

    path: str
    mode: int
    size: int = 0
    source: Path | None = None
    data: bytes = b""
    link: str = ""
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """The members of a layer, sorted by path; parent directories of mode 0755 may be left out.

    `epoch` is their mtime in seconds.
    """

    members: tuple[Member, ...]
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """The digest of the uncompressed tar (diff_id), and digest and size in bytes of the compressed file."""

    diff_id: Digest
    digest: Digest
    size: int


def write(layer: Layer, locked_compressor: str, dest: Path) -> Written:
    """Write the compressed `layer` to `dest` and return its digests; every source is read once."""
    from clusterimage.storage import direct_io  # only needed for writing

    compression.check(locked_compressor)
    with ExitStack() as stack:
        stream = stack.enter_context(files.atomic(dest))
        out = stack.enter_context(direct_io.Writer(stream))
        pipeline = stack.enter_context(_Pipeline(locked_compressor, out.append))
        pieces = stack.enter_context(_Pieces(pipeline.take))
        _fill(pieces, layer)
    return Written(pipeline.plain.digest, pipeline.packed.digest, pipeline.packed.size)


def tar(layer: Layer) -> Iterator[bytes]:
    """Yield `layer` as an uncompressed tar in pieces."""
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
    """Compresses the pieces of a tar in parallel and emits them in order; the next `take` raises a failure."""

    def __init__(self, compressor: str, emit: Callable[[Packed], None]) -> None:
        self.plain, self.packed = Hasher(), Hasher()
        self._emit = emit
        self._pack, self._store = compression.packing(compressor), compression.storing(compressor)
        self._hashing, self._writing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> _Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self._hashing.shutdown()
        self._writing.shutdown()
        self._raise(all_of_them=True)

    def take(self, buffer: bytearray, size: int, stored: bool) -> None:
        """Submit the first `size` bytes of `buffer`; the buffer is returned to the pool when they are written."""
        piece = memoryview(buffer)[:size]
        hashed = self._hashing.submit(self.plain.update, piece)
        packed = _compressing().submit(self._store if stored else self._pack, piece)
        self._pending.append(self._writing.submit(self._write_out, buffer, hashed, packed))
        self._raise(all_of_them=False)

    def _raise(self, *, all_of_them: bool) -> None:
        while self._pending and (all_of_them or self._pending[0].done()):
            self._pending.popleft().result()

    def _write_out(self, buffer: bytearray, hashed: Future[None], packed: Future[Packed]) -> None:
        try:
            parts = packed.result()
            self._emit(parts)
            for part in parts:
                self.packed.update(part)
        finally:
            hashed.result()
            _buffers().put(buffer)


class _Pieces:
    """Splits its input into pieces, each either stored or compressed, and passes them to `emit`."""

    def __init__(self, emit: Callable[[bytearray, int, bool], None]) -> None:
        self._emit = emit
        self._buffer = bytearray()
        self._size = 0
        self._stored = False

    def __enter__(self) -> _Pieces:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        elif self._buffer:
            _buffers().put(self._buffer)

    def add(self, data: bytes) -> None:
        """Add bytes to compress."""
        rest = memoryview(data)
        while rest:
            room = self._room(False)
            part = rest[: len(room)]
            room[: len(part)] = part
            self._size += len(part)
            rest = rest[len(part) :]

    def read(self, stream: IO[bytes], size: int, stored: bool) -> int:
        """Read at most `size` bytes of `stream` into the current piece without a copy; return their number."""
        room = self._room(stored)
        count = stream.readinto(room[:size])  # type: ignore[attr-defined]
        self._size += count
        return int(count)

    def _room(self, stored: bool) -> memoryview:
        if self._size and (self._size == PIECE or stored != self._stored):
            self._flush()
        if not self._buffer:
            self._buffer = _buffers().get()
        self._stored = stored
        return memoryview(self._buffer)[self._size :]

    def _flush(self) -> None:
        buffer, size = self._buffer, self._size
        self._buffer, self._size = bytearray(), 0
        if buffer:
            self._emit(buffer, size, self._stored)


@functools.cache
def _cores() -> int:
    return min(os.cpu_count() or 1, _MOST_AT_ONCE)


@functools.cache
def _compressing() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores())


@functools.cache
def _buffers() -> queue.SimpleQueue[bytearray]:
    """Return the buffer pool that all layers share; readers block until a buffer is free."""
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
    """Add a file; one that changes while it is read, or has not `size` bytes, raises ConfigError.

    Its digest is not compared with the manifest's: that would hash every byte a third time, and a file that somebody
    else changes below _build/ gets another stat stamp, which doit notices in the next run.
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
    """Yield the members and their parent directories, each once and parents first."""
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
    info.mode = member.mode if member.directory else member.mode & _FILE_MODES
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
