"""Knows how to write tar archives whose bytes depend on their members only.

Format: https://www.gnu.org/software/tar/manual/html_node/Standard.html with GNU long names; gzip without name or time.
"""

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: a directory (no content), a symbolic link or a file (bytes, or read from a path)."""

    path: str
    content: Path | bytes | None = None
    mode: int = 0o755
    link: str = ""


def write_tar(target: BinaryIO | gzip.GzipFile, members: Iterable[Member]) -> None:
    """Write the members in the order given, owned by root, at time zero."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            _add(archive, member)


def write_tar_gz(path: Path, members: Iterable[Member]) -> None:
    """Write a compressed archive to a new file."""
    with path.open("xb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as compressed:
        write_tar(compressed, members)


def with_parents(members: Iterable[Member]) -> tuple[Member, ...]:
    """Return the members in the order of their paths with every directory above them, as an image's layer has them."""
    every = {member.path: member for member in members}
    for path in tuple(every):
        parts = path.split("/")[:-1]
        for end in range(1, len(parts) + 1):
            directory = "/".join(parts[:end])
            every.setdefault(directory, Member(directory))
    return tuple(every[path] for path in sorted(every))


def _add(archive: tarfile.TarFile, member: Member) -> None:
    """Add one member to an open archive."""
    info = tarfile.TarInfo(member.path)
    info.mode = member.mode
    if member.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
        archive.addfile(info)
    elif member.content is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(member.content, bytes):
        info.size = len(member.content)
        archive.addfile(info, io.BytesIO(member.content))
    else:
        info.size = member.content.stat().st_size
        with member.content.open("rb") as source:
            archive.addfile(info, source)
