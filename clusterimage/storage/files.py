"""The only place that writes: files and trees that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clusterimage.values import digest
from clusterimage.values.digest import CHUNK, Digest, Hasher

_counter = iter(range(1 << 62))
_NOT_COPIED = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_FICLONE = 0x40049409
_TEMPORARY = ".*.tmp"  # what `beside` names


def beside(dest: Path) -> Path:
    """Return a name in the directory of `dest` that no other task, thread or process uses."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    return dest.with_name(f".{dest.name}.{os.getpid()}.{next(_counter)}.tmp")


@contextmanager
def atomic(dest: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `dest` when the block ends well: temp beside, fsync, rename."""
    temporary = beside(dest)
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(dest)
    finally:
        temporary.unlink(missing_ok=True)


def write(dest: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `dest` in one step."""
    with atomic(dest, mode=mode) as stream:
        stream.write(data)


@contextmanager
def atomic_tree(dest: Path) -> Iterator[Path]:
    """Make a directory that takes the place of the tree `dest` when the block ends well; its old content goes."""
    temporary = beside(dest)
    temporary.mkdir()
    try:
        yield temporary
        remove(dest)
        temporary.rename(dest)
    finally:
        remove(temporary)


def sweep(*roots: Path) -> None:
    """Remove what a killed run left half-written below `roots`; nobody may be writing there."""
    for root in roots:
        for pattern in (_TEMPORARY, f"*/{_TEMPORARY}", f"*/*/{_TEMPORARY}"):
            for path in root.glob(pattern):
                remove(path)


def link_or_copy(source: Path, dest: Path) -> None:
    """Give the file `source` a second name `dest`, by hard link where the file system allows it, else by copy."""
    try:
        os.link(source, dest)
    except OSError as error:
        if isinstance(error, FileExistsError | FileNotFoundError):
            raise
        copy(source, dest)


def copy(source: Path, dest: Path) -> None:
    """Copy the file `source`, or the link that it is, with its mode."""
    if source.is_symlink():
        shutil.copyfile(source, dest, follow_symlinks=False)
        return
    with source.open("rb", buffering=0) as origin, dest.open("wb") as target:
        status = os.fstat(origin.fileno())
        if not _shared(origin, target, status.st_size):
            origin.seek(0)
            target.seek(0)
            target.truncate()
            shutil.copyfileobj(origin, target, 1 << 20)
        os.fchmod(target.fileno(), stat.S_IMODE(status.st_mode))


def copy_hashed(source: Path, dest: Path) -> Digest:
    """Copy the file `source`, which is no link, with its mode, and return its digest: read once, and seeded with it."""
    with source.open("rb", buffering=0) as origin, dest.open("w+b") as target:
        status, hasher = os.fstat(origin.fileno()), Hasher()
        if _cloned(origin, target):
            hasher.read(target)
        else:
            while piece := origin.read(CHUNK):
                hasher.update(piece)
                target.write(piece)
        os.fchmod(target.fileno(), stat.S_IMODE(status.st_mode))
    digest.seed(status, hasher.digest)
    return hasher.digest


def _cloned(origin: IO[bytes], target: IO[bytes]) -> bool:
    """Have `target` share the blocks of `origin` (ioctl_ficlone(2)); False where the file system cannot."""
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, origin.fileno())
    except OSError:
        return False
    return True


def _shared(origin: IO[bytes], target: IO[bytes], size: int) -> bool:
    """Let the kernel copy, which shares the blocks where the file system can (btrfs, XFS); False where it does not."""
    if not hasattr(os, "copy_file_range"):  # not on macOS
        return False
    copied = 0
    try:
        while copied < size and (count := os.copy_file_range(origin.fileno(), target.fileno(), 1 << 30)):
            copied += count
    except OSError as error:
        if error.errno not in _NOT_COPIED:
            raise
        return False
    return copied == size


def rename(source: Path, dest: Path) -> None:
    """Give the file or directory at `source` the name `dest`, on the same file system; nothing may be there."""
    if dest.exists():
        raise FileExistsError(f"{dest}: is there already")
    source.rename(dest)


def remove(path: Path) -> None:
    """Remove the file or tree at `path` if there is one; links are removed, never followed."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.is_dir():
        shutil.rmtree(path)


def walk(root: Path) -> list[Path]:
    """Return every file and link below `root`, sorted by path; directories are not among them."""
    found = []
    for directory, names, files in os.walk(root):
        links = [name for name in names if Path(directory, name).is_symlink()]
        found += [Path(directory, name) for name in (*files, *links)]
    return sorted(found)
