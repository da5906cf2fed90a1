"""Evaluating a Kubefile against a build context, for one architecture.

    FROM  ARG  ENV  COPY  ADD  LABEL  MAINTAINER  KUBEVERSION        here
    APP  CNI  CSI  APPCMDS  APPENV  LAUNCH  CMDS  CMD                applications.py

The semantics are sealer's (0.9.2 to 0.11: build/kubefile), and docker's for instructions that sealer passes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clusterimage.kubefile import applications, flags
from clusterimage.kubefile.applications import pairs
from clusterimage.kubefile.content import Content, Inherited
from clusterimage.kubefile.ignore_file import IgnoreFile
from clusterimage.kubefile.parse import BUILDER, Instruction, unknown
from clusterimage.kubefile.sources import Context, lay, local
from clusterimage.storage.manifest import Entry
from clusterimage.values.table import nearest

SCRATCH = "scratch"
_KUBEVERSION = "app.alpha.sealer.io/supported-kube-version"


@dataclass(slots=True)
class _Run:
    """The state of an evaluation; `variables` are set by ARG, ENV and the platform."""

    content: Content
    context: Context
    variables: dict[str, str]
    arguments: Mapping[str, str]
    begun: bool = False

    def words(self, instruction: Instruction) -> tuple[str, ...]:
        """Return the words of an instruction behind its flags; one that is not read raises ConfigError."""
        flags.check(instruction)
        return flags.behind(instruction).words(self.variables)


def evaluate(
    instructions: tuple[Instruction, ...],
    context: Iterable[Entry],
    arch: str,
    base: Inherited | None = None,
    arguments: Mapping[str, str] | None = None,
) -> Content:
    """Evaluate the instructions on the build context for `arch`; raises ConfigError with file and line.

    `base` is None for scratch; `arguments` are the ARG values of the command line.
    """
    check(instructions, arguments or {})
    run = _Run(Content(base), Context.of(context), _platform(arch), arguments or {})
    for instruction in instructions:
        _step(run, instruction)
    applications.check_types(run.content)
    return run.content


def check(instructions: tuple[Instruction, ...], arguments: Mapping[str, str]) -> None:
    """Raise ConfigError for errors independent of the context: an unknown argument, an instruction after LAUNCH."""
    applications.check_last(instructions)
    known = tuple(one.rest.partition("=")[0].strip() for one in instructions if one.verb == "ARG")
    for name in arguments:
        if name not in known:
            where = instructions[0].where.rpartition(":")[0]
            raise instructions[0].error(f"{where} has no ARG {name}, and args= gives it a value", nearest(name, known))


def base(instructions: tuple[Instruction, ...], arguments: Mapping[str, str]) -> str:
    """Return the image name of FROM, or `scratch`."""
    variables: dict[str, str] = {}
    run = _Run(Content(), Context(), variables, arguments)
    for instruction in instructions:
        if instruction.verb == "FROM":
            return _from(run, instruction)
        _arg(run, instruction)
    raise AssertionError("parse() refuses a Kubefile without FROM")


def used(
    instructions: tuple[Instruction, ...],
    paths: Iterable[Entry],
    arch: str,
    arguments: Mapping[str, str],
    ignored: IgnoreFile | None = None,
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the context paths that the Kubefile uses for `arch`, and the files among them that ADD may extract.

    `ignored` says why a path may be missing.
    """
    run = _Run(Content(), Context.of(paths), _platform(arch), arguments)
    run.context.ignored = ignored or IgnoreFile()
    needed: set[str] = set()
    added: set[str] = set()
    for instruction in instructions:
        if instruction.verb == "ARG":
            _arg(run, instruction)
        if instruction.verb == "ENV":
            run.variables |= _assignments(instruction, run.variables, lenient=True)
        for source in _sources(run, instruction):
            for found in run.context.find(instruction, source):
                needed.update((*(entry.path for entry in found.entries), *found.links))
                added.update([found.path] if instruction.verb == "ADD" and not found.is_directory else [])
    return frozenset(needed), frozenset(added)


def _sources(run: _Run, instruction: Instruction) -> list[str]:
    if instruction.verb in ("COPY", "ADD"):
        return list(run.words(instruction)[:-1])
    if instruction.verb in ("APP", "CNI", "CSI"):
        return local(instruction, run.words(instruction)[1:])
    return []


def _platform(arch: str) -> dict[str, str]:
    target = {"TARGETARCH": arch, "TARGETOS": "linux", "TARGETPLATFORM": f"linux/{arch}", "TARGETVARIANT": ""}
    return {"ARCH": arch, **target}


def _step(run: _Run, instruction: Instruction) -> None:
    """Execute one instruction."""
    content = run.content
    match instruction.verb:
        case "APP" | "CNI" | "CSI":
            applications.app(instruction, content, run.context, run.variables)
        case "APPCMDS":
            applications.appcmds(instruction, content)
        case "APPENV":
            applications.appenv(instruction, content, run.variables)
        case "LAUNCH":
            applications.launch(instruction, content)
        case "CMDS" | "CMD":
            applications.commands(instruction, content)
        case verb:
            _OWN[verb](run, instruction)


def _from(run: _Run, instruction: Instruction) -> str:
    words = run.words(instruction)
    if len(words) != 1:
        raise instruction.error(f"'{instruction.rest}' is not one image", "there are no build stages, so no AS either")
    run.begun = True
    return words[0]


def _arg(run: _Run, instruction: Instruction) -> None:
    """Declare a variable: ARG name[=default]; args= of the command line overrides the default."""
    for word in run.words(instruction):
        name, equals, default = word.partition("=")
        if name in run.arguments or equals:
            run.variables[name] = run.arguments.get(name, default)
        elif name in BUILDER:
            raise unknown(instruction, name, run.variables)
        elif name not in run.variables:
            hint = f"give it one: args={name}=VALUE, or ARG {name}=DEFAULT"
            raise instruction.error(f"{name} has no value", hint)


def _assignments(instruction: Instruction, variables: Mapping[str, str], *, lenient: bool = False) -> dict[str, str]:
    """Parse `key=value...`, or the legacy form `key value`."""
    words = instruction.words(variables, lenient=lenient)
    if len(words) > 1 and "=" not in words[0] and words[1] != "=":
        return {words[0]: " ".join(words[1:])}
    return pairs(instruction, words)


def _env(run: _Run, instruction: Instruction) -> None:
    values = _assignments(instruction, {**run.content.env, **run.variables})
    run.content.env |= values
    run.content.extension_env |= values
    run.variables |= values


def _label(run: _Run, instruction: Instruction) -> None:
    run.content.labels |= _assignments(instruction, {**run.content.env, **run.variables})


def _maintainer(run: _Run, instruction: Instruction) -> None:
    run.content.author = instruction.rest.strip("\"'")


def _kubeversion(run: _Run, instruction: Instruction) -> None:
    run.content.labels[_KUBEVERSION] = " ".join(run.words(instruction))


def _copy(run: _Run, instruction: Instruction) -> None:
    """Copy sources of the context; ADD copies the extracted content of a tar archive instead of the archive."""
    *sources, destination = run.words(instruction) or ("",)
    if not sources:
        raise instruction.error("needs a source and a destination", f"write {instruction.verb} SOURCE DESTINATION")
    found = [one for source in sources for one in run.context.find(instruction, source)]
    if instruction.verb == "ADD":
        found = [(None if one.is_directory else run.context.archive(one.path)) or one for one in found]
    lay(instruction, run.content, found, destination, flags.mode(instruction, run.variables))


_OWN = {
    "FROM": _from,
    "ARG": _arg,
    "ENV": _env,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "KUBEVERSION": _kubeversion,
    "COPY": _copy,
    "ADD": _copy,
}
