"""The manifest of a tree: a text file that stands for a directory as an edge of the graph.

One line an entry, sorted by path, tab between fields; a directory has a line of its own where it is empty, or of
another mode than 0755:

    <mode> <size> <sha256 or -> <part> <path>[ -> <link target>]

`part` names the part of the image that the entry belongs to (kubernetes, tools, cri, config ...): one layer each.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterimage.storage import files
from clusterimage.values import digest
from clusterimage.values.errors import ClusterImageError

SUFFIX = ".manifest"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or directory of a tree; `path` is relative, with `/`, and never leaves the tree."""

    path: str
    mode: int
    size: int = 0
    sha256: str = ""
    link: str = ""
    part: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether the entry is a directory: an empty one, or one of another mode than 0755."""
        return not self.sha256 and not self.link

    def line(self) -> str:
        """Return the entry's line."""
        target = f"\t{self.link}" if self.link else ""
        return f"{self.mode:04o}\t{self.size}\t{self.sha256 or '-'}\t{self.part or '-'}\t{self.path}{target}"

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Read one line; raises ValueError when it is not one."""
        mode, size, sha256, part, path, *link = line.split("\t")
        return cls(
            path=path,
            mode=int(mode, 8),
            size=int(size),
            sha256="" if sha256 == "-" else sha256,
            part="" if part == "-" else part,
            link=link[0] if link else "",
        )


def scan(
    root: Path, *, part: str = "", known: dict[str, str] | None = None, folders: dict[str, int] | None = None
) -> tuple[Entry, ...]:
    """Describe the tree at `root`; a path in `known` has that sha256 and is not read.

    Directories are of mode 0755 but for those in `folders`: on disk we have to be able to write to them.
    """
    modes = {place: mode for place, mode in (folders or {}).items() if mode != 0o755}
    entries = [_describe(root, path, part, known or {}) for path in files.walk(root)]
    entries += [
        Entry(path=place, mode=modes.get(place, 0o755), part=part)
        for path in root.rglob("*")
        if path.is_dir() and not path.is_symlink()
        if (place := path.relative_to(root).as_posix()) in modes or not any(path.iterdir())
    ]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _describe(root: Path, path: Path, part: str, known: dict[str, str]) -> Entry:
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        return Entry(path=name, mode=0o777, link=str(path.readlink()), part=part)
    status = path.stat()
    sha256 = known.get(name) or digest.of_file(path).hex
    return Entry(path=name, mode=stat.S_IMODE(status.st_mode), size=status.st_size, sha256=sha256, part=part)


def write(dest: Path, entries: Iterable[Entry]) -> None:
    """Write the manifest file, sorted; it is the last thing that a step writes. A name that breaks lines is refused."""
    lines = []
    for entry in sorted(entries, key=lambda entry: entry.path):
        if not (entry.path + entry.link).isprintable():
            problem = f"{entry.path!r}: a name or target with control characters cannot be shipped"
            raise ClusterImageError(problem, hint="rename it")
        lines.append(entry.line())
    files.write(dest, ("\n".join(lines) + "\n").encode() if lines else b"")


def read(path: Path) -> tuple[Entry, ...]:
    """Read a manifest file; raises ClusterImageError when it is damaged."""
    try:
        return tuple(Entry.parse(line) for line in path.read_text("utf-8").splitlines())
    except (ValueError, UnicodeDecodeError) as error:
        raise ClusterImageError(f"{path}: damaged manifest", hint="delete it and build again") from error
