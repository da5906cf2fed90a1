"""A user's build context: its file list, and its cache key from stat stamps."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from clusterimage import __version__
from clusterimage.kubefile import ignore_file
from clusterimage.storage.manifest import Entry
from clusterimage.values import stamp
from clusterimage.values.errors import ConfigError

_UNREAD = "unread"  # placeholder for the sha256 of a file that was not read


def entries(context: Path, outputs: tuple[Path, ...]) -> tuple[Entry, ...]:
    """List the files, links and empty directories below `context`, sorted, without the directories `outputs`.

    What the context's ignore file leaves out is not listed. No file is read: the entries of files have a placeholder
    instead of a digest.
    """
    ignored = ignore_file.read(context)
    skipped = {os.path.realpath(path) for path in outputs}
    found = []
    for folder, names, files in os.walk(context):
        names[:] = [name for name in names if os.path.realpath(Path(folder, name)) not in skipped]
        place = Path(folder).relative_to(context).as_posix()
        prefix = "" if place == "." else f"{place}/"
        if not ignored.takes_back:
            names[:] = [name for name in names if not ignored.leaves_out(f"{prefix}{name}")]
        links = [name for name in names if Path(folder, name).is_symlink()]
        found += [Entry(f"{prefix}{name}", 0o644, sha256=_UNREAD) for name in (*files, *links)]
        if not names and not files and prefix:
            found.append(Entry(place, 0o755))
    found = [entry for entry in found if not ignored.leaves_out(entry.path)]
    return tuple(sorted(found, key=lambda entry: entry.path))


def key(texts: Iterable[str], paths: Iterable[Path]) -> str:
    """Return the cache key (sha256 hex) of texts and files: by path, stat stamp and mode, not by content.

    A file that is neither regular nor a link raises ConfigError.
    """
    hasher = hashlib.sha256(__version__.encode())
    for text in texts:
        hasher.update(b"\0" + text.encode())
    for path in sorted(paths):
        status = path.lstat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            raise ConfigError(f"{path}: is neither a file nor a link", hint="remove it, or COPY something narrower")
        stamped = (*stamp.of(status), status.st_mode)
        hasher.update(f"\0{path.as_posix()} {stamped}".encode(errors="surrogateescape"))
    return hasher.hexdigest()
