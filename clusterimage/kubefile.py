"""Kubefiles, as `sealer build` reads them, and what they put into an image.

    FROM scratch                        COPY source... destination (${ARCH} and $ARCH in a source)
    LABEL "key"="value"  ENV key=value   CNI name local://file          LAUNCH ["name"]

Their meaning is sealer's (0.9.2 to 0.11: build/kubefile); what it writes are config labels and the annotation
`sealer.image.extension`.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from clusterimage.errors import ConfigError
from clusterimage.manifest import Entry
from clusterimage.table import nearest

_CNI_LABEL = "cluster.alpha.sealer.io/kube-cni-{name}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line: `where` is FILE:LINE for messages."""

    where: str
    verb: str
    words: tuple[str, ...]
    rest: str

    def error(self, problem: str, hint: str = "") -> ConfigError:
        """Return the error that names this line."""
        return ConfigError(f"{self.where}: {self.verb}: {problem}", hint=hint)


@dataclass(slots=True)
class Content:
    """What a Kubefile made; `tree` maps a place in the image to an entry, whose `path` is its place in the context.

    `parents` are the directories that hold something.
    """

    tree: dict[str, Entry] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    applications: list[dict[str, Any]] = field(default_factory=list)
    launch: list[str] = field(default_factory=list)


def parse(text: str, name: str) -> tuple[Instruction, ...]:
    """Read the lines of a Kubefile; an unknown instruction raises ConfigError with file and line."""
    instructions: list[Instruction] = []
    for number, line in _lines(text):
        verb, rest = (*line.split(None, 1), "")[:2]
        where = f"{name}:{number}"
        if verb.upper() not in _VERBS:
            raise ConfigError(f"{where}: unknown instruction '{verb}'", hint=nearest(verb.upper(), tuple(_VERBS)))
        try:
            words = tuple(shlex.split(rest))
        except ValueError as error:
            raise ConfigError(f"{where}: {verb}: {error}", hint="close the quotation") from error
        instructions.append(Instruction(where, verb.upper(), words, rest.strip()))
    if not instructions or instructions[0].verb != "FROM":
        where = instructions[0].where if instructions else f"{name}:1"
        raise ConfigError(f"{where}: does not begin with FROM", hint="a cluster image begins with FROM scratch")
    return tuple(instructions)


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the lines with their numbers, comments and blanks left out, continued lines joined under the first's."""
    lines: list[tuple[int, str]] = []
    pending: tuple[int, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        first, before = pending or (number, "")
        pending = (first, before + line.removesuffix("\\").rstrip())
        if line.endswith("\\"):
            pending = (first, f"{pending[1]} ")
            continue
        lines.append(pending)
        pending = None
    return [*lines, pending] if pending else lines


def evaluate(instructions: tuple[Instruction, ...], context: tuple[Entry, ...], arch: str) -> Content:
    """Return what the instructions make of the build context for `arch`; raises ConfigError with file and line."""
    content = Content()
    for instruction in instructions:
        _VERBS[instruction.verb](instruction, content, context, arch)
    return content


def _from(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    if instruction.words != ("scratch",):
        raise instruction.error(f"'{instruction.rest}' is not scratch", "a cluster image begins with FROM scratch")


def _copy(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    if len(instruction.words) < 2:
        raise instruction.error("needs a source and a destination")
    *sources, destination = instruction.words
    if len(sources) > 1 and destination != "." and not destination.endswith("/"):
        raise instruction.error(f"'{destination}' must end with / to take several sources")
    for source in sources:
        name = source.replace("${ARCH}", arch).replace("$ARCH", arch).removeprefix("./").rstrip("/") or "."
        found = [entry for entry in context if name == "." or entry.path == name or entry.path.startswith(f"{name}/")]
        if not found:
            raise instruction.error(f"'{name}' is not in the build context")
        for entry in found:
            _put(instruction, content, _place(instruction, entry.path, name, destination, content), entry)


def _put(instruction: Instruction, content: Content, place: str, entry: Entry) -> None:
    """Put `entry` at `place`; what Docker would refuse there too raises ConfigError."""
    parts = place.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        if above in content.tree and not content.tree[above].is_directory:
            raise instruction.error(f"'{place}' lies below the file '{above}'")
        content.parents.add(above)
    if not entry.is_directory and _is_directory(content, place):
        raise instruction.error(f"'{place}' is a directory already")
    content.tree[place] = entry


def _is_directory(content: Content, place: str) -> bool:
    return place in content.parents or (place in content.tree and content.tree[place].is_directory)


def _place(instruction: Instruction, path: str, source: str, destination: str, content: Content) -> str:
    """Return where `path` of the context goes: a directory's content below, a file below or at the destination."""
    target = destination.removeprefix("./").strip("/")
    target = "" if target == "." else target
    if ".." in PurePosixPath(target).parts:
        raise instruction.error(f"'{destination}' leaves the image")
    if path != source:
        inside = path if source == "." else path.removeprefix(f"{source}/")
        return f"{target}/{inside}" if target else inside
    name = PurePosixPath(path).name
    if not target:
        return name
    return f"{target}/{name}" if destination.endswith("/") or _is_directory(content, target) else target


def _label(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    content.labels |= _pairs(instruction)


def _env(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    content.env |= _pairs(instruction)


def _pairs(instruction: Instruction) -> dict[str, str]:
    pairs = {}
    if not instruction.words:
        raise instruction.error("needs key=value")
    for word in instruction.words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise instruction.error(f"'{word}' is not key=value")
        pairs[key] = value
    return pairs


def _cni(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    if len(instruction.words) != 2 or not instruction.words[1].startswith("local://"):
        raise instruction.error("must be: CNI name local://file", "remote files are pinned in versions.toml instead")
    name, file = instruction.words[0], instruction.words[1].removeprefix("local://")
    if "/" in name or name in (".", ".."):
        raise instruction.error(f"'{name}' is no name of an application")
    entry = next((entry for entry in context if entry.path == file and not entry.is_directory), None)
    if entry is None:
        raise instruction.error(f"'{file}' is not in the build context")
    _put(instruction, content, f"application/apps/{name}/{PurePosixPath(file).name}", entry)
    content.labels[_CNI_LABEL.format(name=name)] = "true"
    kind = "shell" if file.endswith(".sh") else "kube"
    files = [PurePosixPath(file).name]
    content.applications.append({"name": name, "type": kind, "files": files, "version": "v1"})


def _launch(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    try:
        names = json.loads(instruction.rest)
    except ValueError:
        names = None
    if not isinstance(names, list):
        raise instruction.error(f"'{instruction.rest}' is not a JSON list of names", 'write LAUNCH ["calico"]')
    known = tuple(application["name"] for application in content.applications)
    for name in names:
        if name not in known:
            raise instruction.error(f"'{name}' is no application of this image", nearest(str(name), known))
    content.launch = names


_VERBS = {"FROM": _from, "COPY": _copy, "LABEL": _label, "ENV": _env, "CNI": _cni, "LAUNCH": _launch}


def entries(content: Content) -> tuple[tuple[Entry, str], ...]:
    """Return the image's entries, sorted, each with the place of its content in the build context."""
    return tuple(
        (replace(entry, path=place), entry.path)
        for place, entry in sorted(content.tree.items())
        if not (entry.is_directory and place in content.parents)
    )


def extension(content: Content, client: str) -> dict[str, Any]:
    """Return the value of the annotation `sealer.image.extension`; `client` says who built the image."""
    launch = {"app_names": content.launch} if content.launch else {}
    return {
        "buildClient": {"sealerVersion": client, "buildahVersion": ""},
        "schemaVersion": "v1alpha1",
        "type": "kube-installer",
        "applications": content.applications,
        "launch": launch,
    }
