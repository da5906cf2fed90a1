"""Finding what COPY, ADD and APP name in a build context, and the place that it goes to.

A source is a path, a directory (its content is meant) or a pattern of `*`, `?` and `[…]` that never crosses a `/`:
https://pkg.go.dev/path/filepath#Match. What ADD extracts lies in the context below EXTRACTED/<path of the archive>/.
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
    """A file, or a directory with all that is in it: its path in the context, and the entries."""

    path: str
    entries: tuple[Entry, ...]
    is_directory: bool

    def inside(self) -> Iterable[tuple[str, Entry]]:
        """Yield every entry of the directory with its path in it."""
        for entry in self.entries:
            if entry.path != self.path:
                yield entry.path.removeprefix(f"{self.path}/") if self.path else entry.path, entry


@dataclass(slots=True)
class Context:
    """A build context: the user's entries by path, and what was extracted for ADD."""

    entries: dict[str, Entry] = field(default_factory=dict)
    extracted: dict[str, Entry] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {""})

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Context:
        """Index the entries of a manifest."""
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
        """Return what `source` names, sorted; nothing at all is an error."""
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
        """Return what was extracted from the archive `name`, or None: then it is no archive."""
        root = f"{EXTRACTED}/{name}"
        inside = tuple(entry for path, entry in self.extracted.items() if path.startswith(f"{root}/"))
        return Found(root, inside, True) if inside else None


def _is_pattern(name: str) -> bool:
    return any(char in name for char in "*?[")


def destination(instruction: Instruction, text: str) -> str:
    """Return the place that a destination means, without slashes around; "" is the root."""
    if ".." in PurePosixPath(text).parts:
        raise instruction.error(f"'{text}' leaves the image", "name a place inside")
    place = PurePosixPath(text).as_posix().strip("/")
    return "" if place == "." else place


def lay(instruction: Instruction, content: Content, found: list[Found], text: str) -> None:
    """Lay what was found at the destination `text`, as docker does.

    The content of a directory goes below it. A file goes into it when it ends with a slash or is a directory of the
    image, else it takes that name; several sources need a directory.
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
    """Return the paths of `local://path` words; anything else is refused."""
    paths = []
    for word in words:
        if not word.startswith(LOCAL):
            known = word.startswith(_REMOTE)
            problem = f"'{word}' is remote" if known else f"'{word}' is not local://PATH"
            hint = "download it, check its sha256 and name it local://PATH" if known else f"write {LOCAL}{word}"
            raise instruction.error(problem, hint)
        paths.append(word.removeprefix(LOCAL))
    return paths
