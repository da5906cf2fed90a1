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
    """What a Kubefile made; `tree` maps a place in the image to an entry, whose `path` is its place in the context."""

    tree: dict[str, Entry] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    applications: list[dict[str, Any]] = field(default_factory=list)
    launch: list[str] = field(default_factory=list)


def parse(text: str, name: str) -> tuple[Instruction, ...]:
    """Read the lines of a Kubefile; an unknown instruction raises ConfigError with file and line."""
    instructions = []
    for number, line in _lines(text):
        verb, _, rest = line.partition(" ")
        where = f"{name}:{number}"
        if verb.upper() not in _VERBS:
            raise ConfigError(f"{where}: unknown instruction '{verb}'", hint=nearest(verb.upper(), tuple(_VERBS)))
        try:
            words = tuple(shlex.split(rest))
        except ValueError as error:
            raise ConfigError(f"{where}: {verb}: {error}", hint="close the quotation") from error
        instructions.append(Instruction(where, verb.upper(), words, rest.strip()))
    return tuple(instructions)


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the lines with their numbers, comments and blanks left out, continued lines joined."""
    lines: list[tuple[int, str]] = []
    pending = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith("\\"):
            pending += line[:-1].rstrip() + " "
            continue
        lines.append((number, pending + line))
        pending = ""
    return lines


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
    for source in sources:
        name = source.replace("${ARCH}", arch).replace("$ARCH", arch).removeprefix("./").rstrip("/") or "."
        found = [entry for entry in context if name == "." or entry.path == name or entry.path.startswith(f"{name}/")]
        if not found:
            raise instruction.error(f"'{name}' is not in the build context")
        for entry in found:
            place = _place(instruction, entry.path, name, destination, content)
            content.tree[place] = entry


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
    is_directory = destination.endswith("/") or any(
        place.startswith(f"{target}/") or (place == target and entry.is_directory)
        for place, entry in content.tree.items()
    )
    return f"{target}/{name}" if is_directory else target


def _label(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    content.labels |= _pairs(instruction)


def _env(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    content.env |= _pairs(instruction)


def _pairs(instruction: Instruction) -> dict[str, str]:
    pairs = {}
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
    entry = next((entry for entry in context if entry.path == file), None)
    if entry is None:
        raise instruction.error(f"'{file}' is not in the build context")
    content.tree[f"application/apps/{name}/{PurePosixPath(file).name}"] = entry
    content.labels[_CNI_LABEL.format(name=name)] = "true"
    kind = "shell" if file.endswith(".sh") else "kube"
    files = [PurePosixPath(file).name]
    content.applications.append({"name": name, "type": kind, "files": files, "version": "v1"})


def _launch(instruction: Instruction, content: Content, context: tuple[Entry, ...], arch: str) -> None:
    try:
        names = json.loads(instruction.rest)
    except ValueError as error:
        raise instruction.error(f"'{instruction.rest}' is not a JSON list", 'write LAUNCH ["calico"]') from error
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
        if not (entry.is_directory and any(other.startswith(f"{place}/") for other in content.tree))
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
