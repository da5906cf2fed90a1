"""The formats of what lies in `_build/`: every directory carries its number in its name, `layers-v1`.

Another format is another number, and so another directory: two versions of this program share a `_build/` and never
read each other's bytes wrongly, and a change costs one directory. Raise a number when files in it are written or read
in another way, and keep a file of the old format in tests/formats/.
"""

from __future__ import annotations

from pathlib import Path

from clusterimage.storage import files

DIRECTORIES = {
    "cache": 1,  # downloads and blobs, by digest
    "trees": 1,
    "rendered": 1,
    "context": 1,
    "discovered": 2,
    "images": 1,
    "registry": 1,
    "loadable": 1,
    "layers": 1,
    "packages": 1,
    "state": 1,  # no directory: the database of doit
}
_UNVERSIONED = ("cache", "trees", "context", "registry", "loadable", "layers", "images", "rendered", "packages")
_DROPPED = ("settled", "state.sqlite", "discovered")  # made again from what is kept, in no time


def name(what: str) -> str:
    """Return the name of a directory of `_build/`: what lies there, and the number of its format."""
    return f"{what}-v{DIRECTORIES[what]}"


def migrate(build: Path) -> tuple[str, ...]:
    """Take over what a version without numbers left in `build`; return the names of what was taken.

    The bytes are those of format 1: directories are renamed, nothing is read or copied. Nobody else may build there.
    """
    if not (build / "state.sqlite").exists():
        return ()
    taken = [what for what in _UNVERSIONED if (build / what).is_dir() and not (build / f"{what}-v1").exists()]
    for what in taken:
        files.rename(build / what, build / f"{what}-v1")
    for what in _DROPPED:
        files.remove(build / what)
    return tuple(taken)
