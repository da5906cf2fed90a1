"""How layers are compressed, piece by piece, and how those of others are read.

    isal    ISA-L, level 1         gzip, the fastest; an arm64 CPU, or one without SSE4.2, makes other bytes of it
    gzip    libdeflate, level 1    half as fast, a little smaller, the same bytes on every CPU
    zstd    libzstd, level 3       smaller still, the same bytes on every CPU; Docker before 23 cannot read it

A layer is a chain: one gzip member (https://www.rfc-editor.org/rfc/rfc1952 §2.2) or zstd frame (RFC 8878 §3.1) for each
piece of its tar, which readers take as one file. A piece that is compressed already is stored in one.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import struct
import tarfile
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import IO, Any

from clusterimage.values.errors import ConfigError
from clusterimage.values.media_types import OCI_LAYER_GZIP, OCI_LAYER_ZSTD
from clusterimage.values.table import nearest

Packed = Sequence[bytes | bytearray | memoryview]  # in pieces that are not joined: what is stored is not copied
Pack = Callable[[memoryview], Packed]
CHOICES = ("isal", "gzip", "zstd")
_PACKAGES = {"isal": "isal", "gzip": "deflate", "zstd": "zstandard"}
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_GZIP_BLOCK = 65535
_ISAL_HISTORY = 8
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_HEADER = _ZSTD_MAGIC + b"\xa0"  # one segment, its size in four bytes
_ZSTD_BLOCK = 1 << 17
_local = threading.local()


def installed(choice: str) -> str:
    """Return the name of a compressor that is installed here: level, version, and what else decides its bytes."""
    if choice == "zstd":
        import zstandard

        return f"zstd libzstd-3 {'.'.join(map(str, zstandard.ZSTD_VERSION))}"
    if choice == "isal":
        import isal

        return f"isal isa-l-1 {isal.ISAL_VERSION} {_dialect()}"
    import deflate

    return f"gzip libdeflate-1 {deflate.__version__}"


@functools.cache
def _dialect() -> str:
    """Return what tells CPUs apart that make other bytes by isal: the head of the digest of a text compressed."""
    text = b"".join(b"%d %x\n" % (number, number * number * 2654435761 & 0xFFFFFFFF) for number in range(8192))
    return hashlib.sha256(b"".join(_isal(memoryview(text)))).hexdigest()[:8]


def choice(text: str) -> str:
    """Read the name of a choice; another raises ConfigError with the nearest."""
    if text not in CHOICES:
        raise ConfigError(f"'{text}' is no compression", hint=nearest(text, CHOICES))
    return text


def every() -> str:
    """Return the names of all compressors that are installed here, as a lock records them."""
    return ", ".join(map(installed, CHOICES))


def chosen(locked: str, choice: str) -> str:
    """Return the name that a lock has for `choice`; raises ConfigError where it has none."""
    for name in locked.split(", "):
        if name.partition(" ")[0] == choice:
            return name
    raise ConfigError(f"the lock names no compressor for compression={choice}", hint="lock again: doit lock k8s=…")


def check(name: str) -> None:
    """Raise ConfigError unless the compressor installed here is the one of that name."""
    kind = name.partition(" ")[0]
    here = installed(kind if kind in CHOICES else CHOICES[0])
    if name == here:
        return
    mend = f"install the {_PACKAGES.get(kind, '')} package that it names"
    if kind == "isal" and name.rpartition(" ")[0] == here.rpartition(" ")[0]:
        mend = "isal makes other bytes on this CPU; compression=gzip makes the same on all"
    raise ConfigError(
        f"the lock names the compressor '{name}', installed is '{here}': the bytes would differ",
        hint=f"{mend}, or lock again: doit lock k8s=…",
    )


def media_type(name: str) -> str:
    """Return the media type of a layer by the compressor of that name."""
    return OCI_LAYER_ZSTD if name.startswith("zstd") else OCI_LAYER_GZIP


def suffix(name: str) -> str:
    """Return the ending of a tar by the compressor of that name."""
    return ".tar.zst" if name.startswith("zstd") else ".tar.gz"


def packing(name: str) -> Pack:
    """Return what compresses a piece; it may be called in several threads at once."""
    return {"gzip": _deflated, "isal": _isal, "zstd": _zstd}[name.partition(" ")[0]]


def storing(name: str) -> Pack:
    """Return what makes a member or frame of a piece as it is."""
    return _stored_zstd if name.startswith("zstd") else _stored_gzip


def _deflated(piece: memoryview) -> Packed:
    import deflate

    return (deflate.gzip_compress(piece, 1),)


def _isal(piece: memoryview) -> Packed:
    """Return a gzip member: the first bytes stored, and what ISA-L makes of the rest with them as its history.

    Without a history ISA-L (2.32 at least) enters the third byte into its hash table by the address of its own state,
    not by what the byte is (igzip_icf_body_h1_gr_bt.asm, .write_first_byte): now and then another process makes other
    bytes of the same. It does not go there when it is given a history.
    """
    from isal import isal_zlib

    history, rest = bytes(piece[:_ISAL_HISTORY]), piece[_ISAL_HISTORY:]
    if not rest:
        return _stored_gzip(piece)
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15, zdict=history)
    first = _stored_block(len(history), last=False)
    return (_GZIP_HEADER, first, history, packer.compress(rest), packer.flush(), _trailer(piece))


def _zstd(piece: memoryview) -> Packed:
    import zstandard

    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3)
    return (_local.compressor.compress(piece),)


def _stored_gzip(piece: memoryview) -> Packed:
    """Return a gzip member of stored blocks."""
    parts: list[bytes | memoryview] = [_GZIP_HEADER]
    for start in range(0, len(piece), _GZIP_BLOCK):
        block = piece[start : start + _GZIP_BLOCK]
        parts += [_stored_block(len(block), last=start + _GZIP_BLOCK >= len(piece)), block]
    return [*parts, _trailer(piece)]


def _stored_block(size: int, *, last: bool) -> bytes:
    """Return what stands before a block of `size` bytes that is not compressed, at most 65535 (RFC 1951 §3.2.4)."""
    return struct.pack("<BHH", last, size, size ^ 0xFFFF)


def _stored_zstd(piece: memoryview) -> Packed:
    """Return a zstd frame of raw blocks (RFC 8878 §3.1.1.2)."""
    parts: list[bytes | memoryview] = [_ZSTD_HEADER + struct.pack("<I", len(piece))]
    for start in range(0, len(piece), _ZSTD_BLOCK):
        block = piece[start : start + _ZSTD_BLOCK]
        last = start + _ZSTD_BLOCK >= len(piece)
        parts += [(len(block) << 3 | last).to_bytes(3, "little"), block]
    return parts


def _trailer(piece: memoryview) -> bytes:
    import deflate

    return struct.pack("<II", deflate.crc32(piece), len(piece))


@functools.cache
def damaged() -> tuple[type[Exception], ...]:
    """Return what reading a layer raises when it is damaged."""
    import zstandard

    return (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)


def opened(stream: IO[bytes]) -> Any:
    """Return the tar in `stream`, a layer that is plain or compressed with gzip or zstd; nothing seeks."""
    head = stream.read(len(_ZSTD_MAGIC))
    rest: Any = _Rest(head, stream)
    if head[:2] == _GZIP_HEADER[:2]:
        return gzip.GzipFile(fileobj=rest)
    if head != _ZSTD_MAGIC:
        return io.BufferedReader(rest)
    import zstandard

    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(rest, read_across_frames=True), 1 << 20)


class _Rest(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self.head = head
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.head[: len(buffer)] or self.stream.read(len(buffer))
        self.head = self.head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
