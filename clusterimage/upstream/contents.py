"""Generate stand-in content: a pure function of the name, independent of machine, Python and zlib.

    stand_in   *.sh script | *.yaml ConfigMap | *.json | text | ELF executable for amd64 and arm64 | marked filler
    tar        ustar, sorted, parents first, mtime 0, owner 0:0
    gzip       header without name and time, stored blocks only: deflate output differs between versions of zlib

https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html (ELF), RFC 1951 §3.2.4 (stored blocks), RFC 1952 (gzip)
"""

import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

MARK = "clusterimage stand-in"

_TEXT_SUFFIXES = frozenset({".conf", ".json", ".md", ".service", ".socket", ".toml", ".txt", ".yaml", ".yml"})
_TEXT_NAMES = frozenset({"LICENSE", "NOTICE", "README", "os-release"})

_LOAD_ADDRESS = 0x400000
_PAGE = 0x10000  # arm64 kernels may have pages of 64 KiB
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_STORED_BLOCK = 0xFFFF


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes and their digest."""

    data: bytes
    digest: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return `data` with its sha256 digest."""
        return cls(data, f"sha256:{hashlib.sha256(data).hexdigest()}")


def canonical_json(value: object) -> bytes:
    """Serialise `value` with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def is_text(name: str) -> bool:
    """Return whether a file of this name is a text that is not executable."""
    path = PurePosixPath(name)
    return path.suffix in _TEXT_SUFFIXES or path.name in _TEXT_NAMES


def stand_in(name: str, label: str, arch: str, size: int) -> bytes:
    """Generate the file `name` of the item `label`; `size` scales the filler of files that are not text."""
    line = f"{MARK} {label} ({arch}) {name}"
    match PurePosixPath(name).suffix:
        case ".sh":
            return f'#!/bin/sh\n# {line}\necho "{line}" >&2\nexit 1\n'.encode()
        case ".yaml" | ".yml":
            return _yaml(line)
        case ".json":
            return canonical_json({"stand-in": line}) + b"\n"
    if is_text(name):
        return f"# {line}\n".encode()
    head = _elf(line, arch) if arch in _PROGRAMS else f"{line}\n".encode()
    return _filled(head, line, size)


def tar(tree: Mapping[str, bytes]) -> bytes:
    """Create a tar of the files and their parent directories; texts are 0644, everything else is 0755."""
    names = set(tree)
    for name in tree:
        parts = name.split("/")
        names.update("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as archive:
        for name in sorted(names):
            member = tarfile.TarInfo(name)
            data = tree.get(name, b"")
            member.type = tarfile.REGTYPE if name in tree else tarfile.DIRTYPE
            member.mode = 0o644 if name in tree and is_text(name) else 0o755
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def gzip_stored(data: bytes) -> bytes:
    """Wrap `data` in a gzip member without compressing it."""
    parts: list[bytes | memoryview] = [bytes.fromhex("1f8b 08 00 00000000 00 ff")]
    for start in range(0, len(data) or 1, _STORED_BLOCK):
        block = memoryview(data)[start : start + _STORED_BLOCK]
        is_last = start + _STORED_BLOCK >= len(data)
        parts += struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)


def _yaml(line: str) -> bytes:
    text = json.dumps(line)  # a JSON string is a YAML string, whatever the label holds
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clusterimage-stand-in\ndata:\n"
    return f"# {line}\n---\n{head}  stand-in: {text}\n".encode()


def _filled(head: bytes, seed: str, size: int) -> bytes:
    """Append 16 to 47 KiB times `size` of incompressible noise."""
    noise = hashlib.shake_256(seed.encode())
    return head + noise.digest(size * 1024 * (16 + noise.digest(1)[0] % 32))


def _elf(line: str, arch: str) -> bytes:
    """Generate a static ELF executable that writes `line` to standard error and exits with 1."""
    message = f"{line}\n".encode()
    machine, program = _PROGRAMS[arch]
    code = program(len(message)) + message
    start = _ELF_HEADER.size + _PROGRAM_HEADER.size
    identity = bytes.fromhex("7f454c46 02 01 01 00").ljust(16, b"\0")
    header = _ELF_HEADER.pack(
        *(identity, 2, machine, 1, _LOAD_ADDRESS + start, _ELF_HEADER.size, 0, 0),
        *(_ELF_HEADER.size, _PROGRAM_HEADER.size, 1, 0, 0, 0),
    )
    extent = start + len(code)
    segment = _PROGRAM_HEADER.pack(1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, extent, extent, _PAGE)
    return header + segment + code


def _amd64(length: int) -> bytes:
    """write(2, the bytes behind this code, length); exit(1)."""
    before, after = "b801000000 bf02000000 488d3513000000 ba", "0f05 b83c000000 bf01000000 0f05"
    return bytes.fromhex(before) + struct.pack("<I", length) + bytes.fromhex(after)


def _arm64(length: int) -> bytes:
    """write(2, the bytes behind this code, length); exit(1)."""
    move_length = 0xD2800002 | length << 5
    write = struct.pack("<5I", 0xD2800040, 0x100000E1, move_length, 0xD2800808, 0xD4000001)
    return write + struct.pack("<3I", 0xD2800020, 0xD2800BA8, 0xD4000001)


_PROGRAMS: dict[str, tuple[int, Callable[[int], bytes]]] = {"amd64": (62, _amd64), "arm64": (183, _arm64)}
