"""The application instructions APP, CNI, CSI, APPCMDS, APPENV, and the launch instructions LAUNCH, CMDS, CMD.

    application/apps/<name>/    the files of an application

The type selects the launch command: `shell` (bash), `kube` (kubectl apply) or `helm` (helm install); without a type
APPCMDS is required. https://github.com/sealerio/sealer (0.9.2 to 0.11: build/kubefile/parser, pkg/application)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from clusterimage.kubefile.content import Content
from clusterimage.kubefile.parse import Instruction
from clusterimage.kubefile.sources import Context, Found, lay, local
from clusterimage.values.table import nearest

_LABELS = {"CNI": "cluster.alpha.sealer.io/kube-cni-{}", "CSI": "cluster.alpha.sealer.io/kube-csi-{}"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHART = ("Chart.yaml", "values.yaml", "templates")
_TYPES = {".sh": "shell", ".yaml": "kube", ".yml": "kube"}


def app(instruction: Instruction, content: Content, context: Context, variables: Mapping[str, str]) -> None:
    """Copy an application's files and register it; CNI and CSI also set their label."""
    name, *rest = instruction.words(variables)
    if not _NAME.fullmatch(name):
        raise instruction.error(f"'{name}' cannot be the name of an application", "letters, digits, dot, dash")
    if not rest:
        raise instruction.error(f"{name}: names no file", f"write {instruction.verb} {name} local://PATH")
    if name in content.own:
        raise instruction.error(f"'{name}' is an application already", "one line may name several files")
    found = [one for path in local(instruction, rest) for one in context.find(instruction, path)]
    lay(instruction, content, found, f"application/apps/{name}/")
    kind = _kind(found)
    content.applications[name] = {"name": name, "type": kind, "files": _files(name, kind, found), "version": "v1"}
    content.own.add(name)
    if instruction.verb in _LABELS:
        content.labels[_LABELS[instruction.verb].format(name)] = "true"


def _kind(found: list[Found]) -> str:
    """Return helm for a chart, shell or kube if all files have that type, else ""."""
    names = {inside for one in found for inside in _names(one)}
    if all(any(name == part or name.startswith(f"{part}/") for name in names) for part in _CHART):
        return "helm"
    kinds = {_TYPES.get(PurePosixPath(name).suffix.lower(), "") for name in names}
    return kinds.pop() if len(kinds) == 1 else ""


def _names(one: Found) -> list[str]:
    if one.is_directory:
        return [inside for inside, entry in one.inside() if not entry.is_directory]
    return [one.name]


def _files(name: str, kind: str, found: list[Found]) -> list[str]:
    """Return what is launched: of scripts the first source, the others help it (sealer kubefile/parser/utils.go)."""
    if kind == "helm":
        return [name]
    launched = found[:1] if kind == "shell" else found if kind else []
    return [inside for one in launched for inside in _names(one)]


def _check_declared(instruction: Instruction, content: Content, name: str) -> None:
    if name not in content.applications:
        known = tuple(content.applications)
        hint = nearest(name, known) if known else f"declare it first: APP {name} local://PATH"
        raise instruction.error(f"'{name}' is no application of this image", hint)


def appcmds(instruction: Instruction, content: Content) -> None:
    """Set the commands of an application: APPCMDS name ["one", "two"]; variables are left to run time."""
    name, _, rest = instruction.rest.partition(" ")
    _check_declared(instruction, content, name)
    commands = Instruction(instruction.where, instruction.verb, rest.strip()).texts()
    content.applications[name] |= {"cmds": commands}


def appenv(instruction: Instruction, content: Content, variables: Mapping[str, str]) -> None:
    """Add to the environment of an application: APPENV name key=value..."""
    name, *words = instruction.words(variables)
    _check_declared(instruction, content, name)
    pairs_ = pairs(instruction, words)
    content.applications[name]["env"] = {**content.applications[name].get("env", {}), **pairs_}


def pairs(instruction: Instruction, words: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Parse `key=value` words; anything else, or none at all, raises ConfigError."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise instruction.error(f"'{word}' is not key=value", f"write {word.strip('=') or 'key'}=value")
        found[key] = value
    if not found:
        raise instruction.error("names no key=value")
    return found


def launch(instruction: Instruction, content: Content) -> None:
    """Set the applications to launch: those of the base that are not named here, then these in order."""
    names = instruction.texts()
    for name in names:
        _check_declared(instruction, content, name)
    if content.launch_commands:
        raise instruction.error("CMDS or CMD (here or in the base) says what is launched", "use one of them only")
    content.launch_names = [*(name for name in content.launch_names if name not in names), *dict.fromkeys(names)]


def commands(instruction: Instruction, content: Content) -> None:
    """Append run-time commands of CMDS (a list) or CMD (one command) to those of the base.

    sealer runs commands or applications, never both: the applications that the base launches become commands.
    """
    content.launch_commands += lines(content, content.launch_names)
    content.launch_names = []
    if instruction.verb == "CMDS":
        content.launch_commands += instruction.texts()
        content.command += instruction.texts()
        return
    is_list = instruction.rest.startswith("[")
    content.command += instruction.texts() if is_list else [instruction.rest]
    content.launch_commands.append(shlex.join(instruction.texts()) if is_list else instruction.rest)


def command(content: Content) -> list[str]:
    """Return what runs when the image does, as shell lines: CMD and CMDS, or else the applications of LAUNCH."""
    return content.command or lines(content, content.launch_names)


def lines(content: Content, names: Iterable[str]) -> list[str]:
    """Return the shell line that launches each application, as sealer has it (pkg/define/application/v1)."""
    return [_line(content.applications[name]) for name in names]


def _line(one: Mapping[str, Any]) -> str:
    root = f"application/apps/{one['name']}"
    if one.get("cmds"):
        return f"cd {root} && {' '.join(one['cmds'])}"
    files = [shlex.quote(f"{root}/{file.lstrip('/')}") for file in one.get("files") or ()]
    if one["type"] == "helm":
        return f"helm install {one['name']} {root}"
    return " && ".join(f"{'bash' if one['type'] == 'shell' else 'kubectl apply -f'} {file}" for file in files)


def check_last(instructions: tuple[Instruction, ...]) -> None:
    """Refuse instructions after LAUNCH or CMDS: sealer requires them once, at the end."""
    for before, after in zip(instructions, instructions[1:], strict=False):
        if before.verb in ("LAUNCH", "CMDS"):
            raise before.error(f"must be the last line, and {after.verb} follows it", "move it to the end, once")


def check_types(content: Content) -> None:
    """Raise ConfigError for an application of this Kubefile without a type and without APPCMDS."""
    from clusterimage.values.errors import ConfigError

    for name, one in content.applications.items():
        if name in content.own and not one["type"] and not one.get("cmds"):
            problem = f"application '{name}': its files are neither all .sh, nor all YAML, nor a chart"
            raise ConfigError(problem, hint=f'say how it is launched: APPCMDS {name} ["…"]')
