"""Resolve the sources of COPY, ADD and APP in a build context, and their destination.

A source is a file, a directory (its content is copied) or a glob of `*`, `?` and `[…]` that does not match `/`:
https://pkg.go.dev/path/filepath#Match. Archives of ADD are extracted to EXTRACTED/<archive path>/ in the context.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from clusterimage.kubefile.content import Content
from clusterimage.kubefile.parse import Instruction
from clusterimage.storage.manifest import Entry
from clusterimage.values.table import nearest

EXTRACTED = ".clusterimage-extracted"
_REMOTE = ("http://", "https://", "git@", "git://", "ftp://")
LOCAL = "local://"


@dataclass(frozen=True, slots=True)
class Found:
    """A source: its path in the context, and its entry, or for a directory all entries below it."""

    path: str
    entries: tuple[Entry, ...]
    is_directory: bool

    def inside(self) -> Iterable[tuple[str, Entry]]:
        """Yield (path relative to the directory, entry) for every entry of the directory."""
        for entry in self.entries:
            if entry.path != self.path:
                yield entry.path.removeprefix(f"{self.path}/") if self.path else entry.path, entry


@dataclass(slots=True)
class Context:
    """A build context: the user's entries by path, and those extracted for ADD."""

    entries: dict[str, Entry] = field(default_factory=dict)
    extracted: dict[str, Entry] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {""})

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Context:
        """Build the context from the entries of a manifest."""
        context = cls()
        for entry in entries:
            known = context.extracted if entry.path.startswith(f"{EXTRACTED}/") else context.entries
            known[entry.path] = entry
            parts = entry.path.split("/")
            context.directories.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if entry.is_directory:
                context.directories.add(entry.path)
        return context

    def find(self, instruction: Instruction, source: str) -> list[Found]:
        """Return the matches of `source`, sorted; no match raises ConfigError."""
        if source.startswith(_REMOTE):
            hint = "pin it in versions.toml, or download it, check its sha256 and COPY it"
            raise instruction.error(f"'{source}' is remote: downloads are pinned, a Kubefile pins nothing", hint)
        name = PurePosixPath(source).as_posix().lstrip("/")
        name = "" if name == "." else name
        if ".." in PurePosixPath(name).parts:
            raise instruction.error(f"'{source}' leaves the build context", "name a wider one: context=DIR")
        names = [name] if self._known(name) or not _is_pattern(name) else self._matching(name)
        if not names or not self._known(names[0]):
            near = nearest(name, tuple(self.entries)[:1000]) if self.entries else "the build context is empty"
            raise instruction.error(f"'{source}' is not in the build context", near)
        return [self._found(name) for name in names]

    def _known(self, name: str) -> bool:
        return name in self.entries or name in self.directories

    def _matching(self, pattern: str) -> list[str]:
        parts = pattern.split("/")
        return sorted(
            name
            for name in {*self.entries, *self.directories} - {""}
            if name.count("/") == len(parts) - 1
            and not name.startswith(EXTRACTED)
            and all(fnmatch.fnmatchcase(*pair) for pair in zip(name.split("/"), parts, strict=True))
        )

    def _found(self, name: str) -> Found:
        if name in self.directories:
            prefix = f"{name}/" if name else ""
            inside = tuple(e for path, e in self.entries.items() if path.startswith(prefix) or path == name)
            return Found(name, inside, True)
        return Found(name, (self.entries[name],), False)

    def archive(self, name: str) -> Found | None:
        """Return the extracted content of the archive `name`, or None if it is not an archive."""
        root = f"{EXTRACTED}/{name}"
        inside = tuple(entry for path, entry in self.extracted.items() if path.startswith(f"{root}/"))
        return Found(root, inside, True) if inside else None


def _is_pattern(name: str) -> bool:
    return any(char in name for char in "*?[")


def destination(instruction: Instruction, text: str) -> str:
    """Return a destination as a path without leading and trailing slashes; "" is the root."""
    if ".." in PurePosixPath(text).parts:
        raise instruction.error(f"'{text}' leaves the image", "name a place inside")
    place = PurePosixPath(text).as_posix().strip("/")
    return "" if place == "." else place


def lay(instruction: Instruction, content: Content, found: list[Found], text: str) -> None:
    """Copy the sources to the destination `text`, with the semantics of docker's COPY.

    The content of a directory is copied below it. A file is copied into it if it ends with a slash or is a directory
    of the image, else it gets that name; several sources require a directory.
    """
    target = destination(instruction, text)
    into = text.endswith("/") or content.is_directory(target)
    if len(found) > 1 and not into:
        raise instruction.error(f"{len(found)} sources, and '{text}' is no directory", f"write {text}/")
    for one in found:
        if one.is_directory:
            if target and not content.is_directory(target) and all(entry.path == one.path for entry in one.entries):
                content.put(instruction, target, one.entries[0])
            for inside, entry in one.inside():
                content.put(instruction, _join(target, inside), entry)
            continue
        name = PurePosixPath(one.path).name
        content.put(instruction, _join(target, name) if into else target, one.entries[0])


def _join(target: str, name: str) -> str:
    return f"{target}/{name}" if target else name


def local(instruction: Instruction, words: Iterable[str]) -> list[str]:
    """Return the paths of `local://PATH` words; anything else raises ConfigError."""
    paths = []
    for word in words:
        if not word.startswith(LOCAL):
            known = word.startswith(_REMOTE)
            problem = f"'{word}' is remote" if known else f"'{word}' is not local://PATH"
            hint = "download it, check its sha256 and name it local://PATH" if known else f"write {LOCAL}{word}"
            raise instruction.error(problem, hint)
        paths.append(word.removeprefix(LOCAL))
    return paths
