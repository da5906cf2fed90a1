"""What stands for a file while nobody reads it: another one whenever it is written, replaced or cut short."""

from __future__ import annotations

import os
from pathlib import Path

Stamp = list[int]


def of(status: os.stat_result) -> Stamp:
    """Return the stamp of the file of that status: size in bytes, mtime in nanoseconds, inode."""
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def at(path: Path | str, *, follow: bool = True) -> Stamp | None:
    """Return the stamp of the file at `path`, of a link itself unless `follow`; None where nothing can be seen."""
    try:
        return of(os.stat(path, follow_symlinks=follow))  # noqa: PTH116 -- doit keeps paths as text, many thousands
    except OSError:
        return None
