"""Taking the wanted members out of an upstream's tar archive, and nothing else."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from clusterimage.storage import files, manifest
from clusterimage.storage.own_tree import kept
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.table import nearest

_WITHOUT = "make the archive without it"


def extract(archive: Path, install: tuple[tuple[str, str], ...], mode: int, part: str, dest: Path) -> None:
    """Write every `(member, place)` of `install` to `dest`/place, and the manifest of `dest` beside it, last.

    Only regular files are taken, by name; links, devices and all other members of the archive never touch the disk.
    Raises ClusterImageError naming the archive when it is damaged or lacks a member.
    """
    wanted = dict(install)
    listing = dest.with_name(dest.name + manifest.SUFFIX)
    files.remove(listing)
    with files.atomic_tree(dest) as tree:
        found = _take(archive, wanted, mode, tree)
        missing = sorted(set(wanted) - found.keys())
        if missing:
            raise ClusterImageError(f"{archive}: has no member {missing[0]}", hint=_others(archive, missing[0]))
        entries = manifest.scan(tree, part=part)
    manifest.write(listing, entries)


@contextmanager
def _reading(archive: Path, hint: str) -> Iterator[None]:
    """Name the archive when it is damaged, whatever its compression."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ClusterImageError(f"{archive}: not a readable archive: {reason}", hint=hint) from error


def _take(archive: Path, wanted: dict[str, str], mode: int, tree: Path) -> dict[str, str]:
    found = {}
    with _reading(archive, "see `url` of that component"), tarfile.open(archive) as tar:
        for member in tar:
            name = _clean(member.name)
            stream = tar.extractfile(member) if name in wanted and member.isreg() else None
            if stream is None:
                continue
            with stream, files.atomic(rooted(tree, wanted[name]), mode=mode) as target:
                while chunk := stream.read(1 << 20):
                    target.write(chunk)
            found[name] = wanted[name]
        _finish(tar)
    return found


def is_tar(path: Path) -> bool:
    """Return whether the file is a tar archive, plain or compressed with gzip, bzip2 or xz; only its head is read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
        if not (head[257:262] == b"ustar" or head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))):
            return False
        with tarfile.open(path) as tar:
            return tar.next() is not None
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError):
        return False


def unpack(archive: Path, part: str, dest: Path) -> None:
    """Write every file, link and directory of `archive` to `dest`, and the manifest of `dest` beside it, last.

    Names that leave `dest` and devices are refused; of modes that is kept what is of a user's own files.
    """
    modes: dict[str, int] = {}
    listing = dest.with_name(dest.name + manifest.SUFFIX)
    files.remove(listing)
    with files.atomic_tree(dest) as tree:
        with _reading(archive, "make it again"), tarfile.open(archive) as tar:
            for member in tar:
                _put(archive, tar, member, tree)
                if member.isdir():
                    modes[PurePosixPath(member.name).as_posix()] = kept(stat.S_IFDIR | member.mode)
            _finish(tar)
        entries = manifest.scan(tree, part=part, folders=modes)
    manifest.write(listing, entries)


def _put(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    name = PurePosixPath(member.name).as_posix()
    if name == ".":
        return
    target = rooted(tree, name)
    if problem := _conflict(target, tree, member):
        raise ClusterImageError(f"{archive}: '{name}' {problem}", hint=_WITHOUT)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    files.remove(target)
    if member.issym():
        target.symlink_to(member.linkname)
        return
    try:
        stream = tar.extractfile(member) if member.isreg() or member.islnk() else None
    except KeyError as error:
        raise ClusterImageError(f"{archive}: '{name}' links to what is not in it", hint=_WITHOUT) from error
    if stream is None:
        raise ClusterImageError(f"{archive}: '{name}' is a device or the like", hint=_WITHOUT)
    with stream, files.atomic(target, mode=kept(member.mode)) as output:
        while chunk := stream.read(1 << 20):
            output.write(chunk)


def _conflict(target: Path, tree: Path, member: tarfile.TarInfo) -> str:
    """Say why nothing can be put at `target`: through a link something would be written outside of `tree`."""
    for parent in target.parents:
        if parent == tree:
            break
        if parent.is_symlink() or parent.is_file():
            return f"lies below a {'link' if parent.is_symlink() else 'file'}"
    is_directory = target.is_dir() and not target.is_symlink()
    is_other = target.is_symlink() or target.is_file()
    return "is a file and a directory" if (is_other if member.isdir() else is_directory) else ""


def _finish(tar: tarfile.TarFile) -> None:
    """Read what is behind the last member: a compressed file's own checksum, which tarfile never looks at, is there."""
    while tar.fileobj is not None and tar.fileobj.read(1 << 20):
        pass


def _clean(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def _others(archive: Path, member: str) -> str:
    with tarfile.open(archive) as tar:
        names = tuple(_clean(name) for name in tar.getnames())
    return nearest(member, names[:20])


def rooted(root: Path, place: str) -> Path:
    """Return `root`/`place`; a place that is absolute or leaves `root` raises ClusterImageError."""
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or not place or "\0" in place:
        raise ClusterImageError(
            f"'{place}': leaves the tree that it is written to", hint="write it relative, without .."
        )
    return root / path
