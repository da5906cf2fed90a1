"""Resolve the sources of COPY, ADD and APP in a build context, and their destination.

A source is a file, a directory (its content is copied) or a pattern (patterns.py), part by part. A link that is a
source, or on the way to one, is followed, and the context is the root directory of its links, as in buildah
(copier/copier.go); within a tree that is copied a link stays a link. Archives of ADD are extracted to
EXTRACTED/<archive path>/ in the context.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from clusterimage.kubefile import patterns
from clusterimage.kubefile.content import Content
from clusterimage.kubefile.ignore_file import IgnoreFile
from clusterimage.kubefile.parse import Instruction
from clusterimage.kubefile.patterns import BadPatternError
from clusterimage.storage.manifest import Entry
from clusterimage.storage.own_tree import FOLDER
from clusterimage.values.table import nearest

EXTRACTED = ".clusterimage-extracted"
_REMOTE = ("http://", "https://", "git@", "git://", "ftp://")
LOCAL = "local://"
_MOST_LINKS = 40  # as many as Linux follows for one path


@dataclass(frozen=True, slots=True)
class Found:
    """A source: its path in the context, and its entry, or for a directory all entries below it.

    It is called `name`; where that is a link, `path` is where it leads, and `links` are those on the way.
    """

    path: str
    entries: tuple[Entry, ...]
    is_directory: bool
    name: str = ""
    links: tuple[str, ...] = ()

    def inside(self) -> Iterable[tuple[str, Entry]]:
        """Yield (path relative to the directory, entry) for every entry of the directory."""
        for entry in self.entries:
            if entry.path != self.path:
                yield entry.path.removeprefix(f"{self.path}/") if self.path else entry.path, entry

    def folders(self) -> set[str]:
        """Return the directories inside that are of mode 0755, relative to the directory."""
        inside = dict(self.inside())
        parts = [path.split("/") for path in inside]
        above = {"/".join(part[:depth]) for part in parts for depth in range(1, len(part))}
        return above - inside.keys()


class _Circle(Exception):
    """Links that lead to each other."""


@dataclass
class Context:
    """A build context: the user's entries by path, and those extracted for ADD."""

    entries: dict[str, Entry] = field(default_factory=dict)
    extracted: dict[str, Entry] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {""})
    ignored: IgnoreFile = field(default_factory=IgnoreFile)

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
        try:
            names = [name] if self._known(name) or not patterns.is_pattern(name) else self._matching(name)
            for missing in [one for one in names if not self._known(one)] if names else [name]:
                raise instruction.error(*self._missing(source, missing))
            return [self._found(name) for name in names]
        except BadPatternError as error:
            raise instruction.error(f"'{source}' is no pattern: {error}", "a backslash takes it as it is") from error
        except _Circle as error:
            raise instruction.error(f"'{source}' leads in a circle of links", f"look at {error}") from error

    def _missing(self, source: str, name: str) -> tuple[str, str]:
        """Return what is wrong with a source that is not there, and what to do."""
        real, links = self._real(name)
        if self.ignored.leaves_out(real):
            return f"'{source}' is left out by {self.ignored.where}", f"take it back in there: !{real}"
        if links:
            problem = f"'{source}' leads to {self.entries[links[-1]].link}, which is not in the build context"
            return problem, "put the file there; to ship the link itself COPY the directory that it lies in"
        near = nearest(name, tuple(self.entries)[:1000]) if self.entries else "the build context is empty"
        return f"'{source}' is not in the build context", near

    def _known(self, name: str) -> bool:
        real, _ = self._real(name)
        return real in self.entries or real in self.directories

    def _real(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return where `name` leads when links are followed, and those links; of the root there is no parent."""
        parts, done, links = name.split("/")[::-1], list[str](), list[str]()
        while parts:
            part = parts.pop()
            here = "/".join((*done, part))
            if part == "..":
                del done[-1:]
            elif part not in ("", ".") and (entry := self.entries.get(here)) and entry.link:
                links.append(here)
                if len(links) > _MOST_LINKS:
                    raise _Circle(here)
                parts += entry.link.split("/")[::-1]
                if entry.link.startswith("/"):
                    done.clear()
            elif part not in ("", "."):
                done.append(part)
        return "/".join(done), tuple(links)

    def _matching(self, pattern: str) -> list[str]:
        """Return what matches the pattern, sorted, by the names that lead there."""
        found = [""]
        for part in pattern.split("/"):
            expression = patterns.compiled(part)
            found = [
                f"{folder}/{name}" if folder else name
                for folder in found
                for name in self._inside(folder)
                if expression.fullmatch(name)
            ]
        return sorted(found)

    def _inside(self, folder: str) -> set[str]:
        try:
            return self._children.get(self._real(folder)[0], set())
        except _Circle:
            return set()

    @functools.cached_property
    def _children(self) -> dict[str, set[str]]:
        """The names in every directory."""
        children: dict[str, set[str]] = {}
        for path in {*self.entries, *self.directories} - {""}:
            folder, _, name = path.rpartition("/")
            children.setdefault(folder, set()).add(name)
        children.get("", set()).discard(EXTRACTED)
        return children

    def _found(self, name: str) -> Found:
        real, links = self._real(name)
        called = PurePosixPath(name).name
        if real in self.directories:
            prefix = f"{real}/" if real else ""
            inside = tuple(e for path, e in self.entries.items() if path.startswith(prefix) or path == real)
            return Found(real, inside, True, called, links)
        return Found(real, (self.entries[real],), False, called, links)

    def archive(self, name: str) -> Found | None:
        """Return the extracted content of the archive `name`, or None if it is not an archive."""
        root = f"{EXTRACTED}/{name}"
        inside = tuple(entry for path, entry in self.extracted.items() if path.startswith(f"{root}/"))
        return Found(root, inside, True) if inside else None


def destination(instruction: Instruction, text: str) -> str:
    """Return a destination as a path without leading and trailing slashes; "" is the root."""
    if ".." in PurePosixPath(text).parts:
        raise instruction.error(f"'{text}' leaves the image", "name a place inside")
    place = PurePosixPath(text).as_posix().strip("/")
    return "" if place == "." else place


def lay(instruction: Instruction, content: Content, found: list[Found], text: str, mode: int | None = None) -> None:
    """Copy the sources to the destination `text`, with the semantics of docker's COPY.

    The content of a directory is copied below it, with the modes of the directories within, not its own. A file is
    copied into it if it ends with a slash or is a directory of the image, else it gets that name; several sources
    require a directory. With a `mode` files and the directories within have that one, but for what was in an archive.
    """
    target = destination(instruction, text)
    into = text.endswith("/") or content.is_directory(target)
    if len(found) > 1 and not into:
        raise instruction.error(f"{len(found)} sources, and '{text}' is no directory", f"write {text}/")
    for one in found:
        own = None if one.path.startswith(f"{EXTRACTED}/") else mode
        if one.is_directory:
            if target and not content.is_directory(target) and all(entry.path == one.path for entry in one.entries):
                content.put(instruction, target, replace(one.entries[0], mode=FOLDER))
            for inside in one.folders():
                if own is None:
                    content.open(_join(target, inside))
                else:
                    content.put(instruction, _join(target, inside), Entry(f"{one.path}/{inside}", own, part="config"))
            for inside, entry in one.inside():
                content.put(instruction, _join(target, inside), _of_mode(entry, own))
            continue
        content.put(instruction, _join(target, one.name) if into else target, _of_mode(one.entries[0], own))


def _of_mode(entry: Entry, mode: int | None) -> Entry:
    return entry if mode is None or entry.link else replace(entry, mode=mode)


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
