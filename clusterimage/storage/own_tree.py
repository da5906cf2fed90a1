"""A directory of the user's as it lies on disk: its files, links and directories, and what is kept of their modes.

Kept is who may read and run, as buildah keeps it. That a group or everybody may write follows from a umask (002 here,
022 there), set-group-id of a directory from the one above it; set-id bits of files are nothing that buildah ships
either. A sticky directory is none by accident: it keeps its write bits. A link is what it says, wherever it leads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterimage.values.errors import ConfigError

FOLDER = 0o755  # a directory of this mode needs no entry of its own
_KEPT = 0o755
_STICKY = 0o1777
_ODD = ((stat.S_ISSOCK, "a socket"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISBLK, "a device"))


@dataclass(frozen=True, slots=True)
class Own:
    """A file, link or directory: `mode` is what is kept of it, `link` what a link says."""

    path: Path
    place: str
    mode: int
    size: int = 0
    link: str = ""
    is_directory: bool = False
    set_id: bool = False


def kept(mode: int) -> int:
    """Return what is kept of the mode of a file or directory."""
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return mode & _STICKY
    return mode & _KEPT


def walk(root: Path) -> Iterator[Own]:
    """Yield what lies below `root`, sorted; of directories the empty ones and those of another mode than 0755.

    A socket, named pipe or device raises ConfigError, and so does a directory that may not be looked into.
    """
    found = []
    for folder, names, others in os.walk(root, onerror=_refuse_unreadable):
        links = [name for name in names if Path(folder, name).is_symlink()]
        inside = [Path(folder, name) for name in (*others, *links)]
        found += [read(path, path.relative_to(root).as_posix()) for path in inside]
        own = read(Path(folder), Path(folder).relative_to(root).as_posix())
        if own.path != root and (own.mode != FOLDER or not (names or others)):
            found.append(own)
    yield from sorted(found, key=lambda one: one.path)


def _refuse_unreadable(error: OSError) -> None:
    if isinstance(error, PermissionError):
        problem = f"{error.filename}: you may not look into it"
        raise ConfigError(problem, hint="chmod it, or name something narrower that leaves it out") from error


def read(path: Path, place: str) -> Own:
    """Return what lies at `path`; what is no file, link or readable directory raises ConfigError."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Own(path, place, 0o777, link=str(path.readlink()))
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        what = next((text for is_it, text in _ODD if is_it(status.st_mode)), "a device")
        problem = f"{path}: is {what}, which no image can hold"
        raise ConfigError(problem, hint="remove it, or name something narrower that leaves it out")
    set_id = bool(stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID))
    is_directory = stat.S_ISDIR(status.st_mode)
    if is_directory and not os.access(path, os.R_OK | os.X_OK):
        _refuse_unreadable(PermissionError(0, "", str(path)))
    return Own(path, place, kept(status.st_mode), status.st_size, is_directory=is_directory, set_id=set_id)
