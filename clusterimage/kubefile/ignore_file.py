"""What a .sealignore, .containerignore or .dockerignore leaves out of a build context.

A line is a pattern of path/filepath.Match in which `**` stands for any number of directories; `!` takes paths back in;
of several that match the last one wins, and what holds for a directory holds for all below it. Blank lines and lines
that begin with # say nothing. https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterimage.kubefile import patterns
from clusterimage.kubefile.patterns import BadPatternError
from clusterimage.values import text_file
from clusterimage.values.errors import ConfigError

NAMES = (".sealignore", ".containerignore", ".dockerignore")  # the first that is there counts, as in buildah


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """Patterns in their order, each with whether it takes back in, and where they are written."""

    patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()
    where: str = ""

    @property
    def takes_back(self) -> bool:
        """Whether something below a directory that is left out may be taken back in."""
        return any(back for _, back in self.patterns)

    def leaves_out(self, path: str) -> bool:
        """Return whether the path, relative to the context, is left out."""
        parts = path.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        out = False
        for pattern, back in self.patterns:
            if out == back and any(pattern.fullmatch(one) for one in above):
                out = not back
        return out


def read(context: Path) -> IgnoreFile:
    """Read the ignore file of a build context; what is no text or no pattern raises ConfigError."""
    for name in NAMES:
        path = context / name
        if path.is_file():
            return parse(text_file.read(path).splitlines(), path.as_posix())
    return IgnoreFile()


def parse(lines: Iterable[str], where: str) -> IgnoreFile:
    """Read the lines of an ignore file; `where` names it for messages."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        back = text.startswith("!")
        name = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
        if name in ("", "."):
            continue
        try:
            found.append((patterns.compiled(name, deep=True), back))
        except BadPatternError as error:
            problem = f"{where}:{number}: '{text}' is no pattern: {error}"
            raise ConfigError(problem, hint="a backslash takes a character as it is") from error
    return IgnoreFile(tuple(found), where)
