"""Taking the wanted members out of an upstream's tar archive, and nothing else."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from clusterimage import files, manifest
from clusterimage.errors import ClusterImageError
from clusterimage.table import nearest


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


def _take(archive: Path, wanted: dict[str, str], mode: int, tree: Path) -> dict[str, str]:
    found = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = _clean(member.name)
                if name not in wanted or not member.isreg():
                    continue
                stream = tar.extractfile(member)
                if stream is not None:
                    with stream, files.atomic(rooted(tree, wanted[name]), mode=mode) as target:
                        while chunk := stream.read(1 << 20):
                            target.write(chunk)
                    found[name] = wanted[name]
            _finish(tar)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ClusterImageError(
            f"{archive}: not a readable archive: {reason}", hint="see `url` of that component"
        ) from error
    return found


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
