"""A user's build context: its file list, and its cache key from stat stamps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from clusterimage import __version__
from clusterimage.kubefile import IgnoreFile
from clusterimage.storage import own_tree
from clusterimage.storage.manifest import Entry
from clusterimage.storage.own_tree import FOLDER, Own
from clusterimage.values import stamp

UNREAD = "unread"  # placeholder for the sha256 of a file that was not read


def entries(context: Path, outputs: tuple[Path, ...], ignored: IgnoreFile) -> tuple[Entry, ...]:
    """List the files, links and directories below `context`, sorted, without the directories `outputs`.

    Of directories those are listed that are empty, or of another mode than 0755. What the ignore file leaves out is not
    listed. No file is read: the entries of files have UNREAD instead of a digest.
    """
    skipped = {os.path.realpath(path) for path in outputs}
    found = []
    unread: list[OSError] = []
    for folder, names, files in os.walk(context, onerror=unread.append):
        names[:] = [name for name in names if os.path.realpath(Path(folder, name)) not in skipped]
        place = Path(folder).relative_to(context).as_posix()
        prefix = "" if place == "." else f"{place}/"
        if not ignored.takes_back:
            names[:] = [name for name in names if not ignored.leaves_out(f"{prefix}{name}")]
        for name in (*files, *(name for name in names if Path(folder, name).is_symlink())):
            path = Path(folder, name)
            link = str(path.readlink()) if path.is_symlink() else ""
            found.append(Entry(f"{prefix}{name}", 0o777 if link else 0o644, sha256="" if link else UNREAD, link=link))
        mode = own_tree.kept(Path(folder).lstat().st_mode)
        if prefix and (mode != FOLDER or not (names or files)):
            found.append(Entry(place, mode))
    # Only who uses one of these is told that it may not be looked into.
    found += [Entry(Path(error.filename).relative_to(context).as_posix(), FOLDER) for error in unread]
    found = [entry for entry in found if not ignored.leaves_out(entry.path)]
    return tuple(sorted(found, key=lambda entry: entry.path))


def chosen(context: Path, entries: Iterable[Entry]) -> tuple[Own, ...]:
    """Return what lies on disk of the entries that are used; a socket, named pipe or device raises ConfigError."""
    return tuple(own_tree.read(context / entry.path, entry.path) for entry in entries)


def key(texts: Iterable[str], owns: Iterable[Own]) -> str:
    """Return the cache key (sha256 hex) of texts and of what lies on disk: its path, stat stamp and mode, unread."""
    hasher = hashlib.sha256(__version__.encode())
    for text in texts:
        hasher.update(b"\0" + text.encode())
    for one in owns:
        status = one.path.lstat()
        stamped = (one.mode,) if one.is_directory else (*stamp.of(status), status.st_mode)
        hasher.update(f"\0{one.path.as_posix()} {stamped}".encode(errors="surrogateescape"))
    return hasher.hexdigest()
