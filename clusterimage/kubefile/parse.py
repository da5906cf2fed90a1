"""Parser of Kubefiles: lines, instructions, and words with variable expansion.

The syntax is a Dockerfile's (https://docs.docker.com/reference/dockerfile): `#` starts a comment line, a trailing `\\`
continues the line (`# escape=` above all else names another character), words are split at whitespace, '…' is literal,
"…" and bare words expand $NAME, ${NAME}, ${NAME:-default} and ${NAME:+other}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clusterimage.values import text_file
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import nearest

VERBS = (
    *("FROM", "ARG", "ENV", "COPY", "ADD", "LABEL", "MAINTAINER", "KUBEVERSION"),
    *("APP", "CNI", "CSI", "APPCMDS", "APPENV", "LAUNCH", "CMDS", "CMD"),
)
_NOT_STARTED = "a cluster image is not started as a container"
UNSUPPORTED = {
    "RUN": (
        "nothing is executed at build time: it would run foreign code as on this host",
        "do it before the build and COPY the result, or at run time with CMDS or an APP",
    ),
    "ENTRYPOINT": (_NOT_STARTED, "say what is launched with LAUNCH or CMDS"),
    "USER": (_NOT_STARTED, "leave it out; who runs a program is said in its unit file or its manifest"),
    "WORKDIR": (_NOT_STARTED, "write destinations from the root, and `cd` into commands"),
    "VOLUME": (_NOT_STARTED, "leave it out; volumes are said in the manifests of an APP"),
    "EXPOSE": (_NOT_STARTED, "leave it out; ports are said in the manifests of an APP"),
    "HEALTHCHECK": (_NOT_STARTED, "leave it out; probes are said in the manifests of an APP"),
    "STOPSIGNAL": (_NOT_STARTED, "leave it out"),
    "SHELL": ("nothing is executed at build time", "leave it out"),
    "ONBUILD": ("nothing is done when somebody builds on an image", "write it into the other Kubefile"),
}
BUILDER = ("BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT")
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+)")
_ESCAPES = ("\\", "`")
_HERE_DOCUMENT = re.compile(r"(?:^|\s)<<-?[\"']?\w")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `where` is FILE:LINE for messages, `rest` the text after the verb.

    `escape` is the character that takes the next one as it is.
    """

    where: str
    verb: str
    rest: str
    escape: str = "\\"

    def error(self, problem: str, hint: str = "") -> ConfigError:
        """Return a ConfigError with FILE:LINE and the verb."""
        return ConfigError(f"{self.where}: {self.verb}: {problem}", hint=hint)

    def words(self, variables: Mapping[str, str], *, lenient: bool = False) -> tuple[str, ...]:
        """Split `rest` (or parse its JSON list) and expand variables; unknown ones are errors, or "" if `lenient`."""
        if (listed := self._listed()) is not None:
            return tuple(_expanded(self, text, variables, lenient) for text in listed)
        return tuple(_Words(self, variables, lenient).split())

    def _listed(self) -> list[str] | None:
        """Return `rest` if it is a JSON list of strings, else None: a glob pattern can start with a bracket too."""
        try:
            values = json.loads(self.rest) if self.rest.startswith("[") else None
        except ValueError:
            return None
        return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else None

    def texts(self) -> list[str]:
        """Return the JSON list of strings in `rest`; anything else raises ConfigError."""
        values = self._listed()
        if values is None:
            raise self.error(f"'{self.rest}' is not a JSON list of strings", f'write {self.verb} ["one", "two"]')
        return values


def parse(text: str, name: str) -> tuple[Instruction, ...]:
    """Parse a Kubefile; an unknown or unsupported instruction raises ConfigError with file and line."""
    found = []
    text = text_file.without_mark(text)
    escape = _escape(text, name)
    for number, line in _lines(text, escape):
        verb, *rest = line.split(maxsplit=1)
        instruction = Instruction(f"{name}:{number}", verb.upper(), rest[0] if rest else "", escape)
        if instruction.verb in UNSUPPORTED:
            raise instruction.error(*UNSUPPORTED[instruction.verb])
        if instruction.verb not in VERBS:
            raise ConfigError(f"{name}:{number}: unknown instruction '{verb}'", hint=nearest(verb.upper(), VERBS))
        if not instruction.rest:
            raise instruction.error("needs at least one word")
        if instruction.verb in ("COPY", "ADD") and _HERE_DOCUMENT.search(instruction.rest):
            raise instruction.error("here-documents are not read", "write the text into a file of the build context")
        found.append(instruction)
    _check_from(found, name)
    return tuple(found)


def _check_from(instructions: list[Instruction], name: str) -> None:
    stages = [instruction for instruction in instructions if instruction.verb == "FROM"]
    first = next((instruction for instruction in instructions if instruction.verb != "ARG"), None)
    if first is None or first.verb != "FROM":
        where = first.where if first else name
        raise ConfigError(f"{where}: a Kubefile begins with FROM", hint="FROM scratch, or the image to build on")
    if len(stages) > 1:
        raise stages[1].error("only one is possible: there are no build stages", "build the other image by itself")


def _escape(text: str, name: str) -> str:
    """Return the character that escapes: of the directives, which stand above all else, the one that names it."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            break
        if found[1].lower() == "escape":
            if found[2] not in _ESCAPES:
                problem = f"{name}:{number}: '{found[2]}' cannot be what escapes"
                raise ConfigError(problem, hint="# escape=` or # escape=\\, or leave the line out")
            return found[2]
    return _ESCAPES[0]


def _lines(text: str, escape: str) -> list[tuple[int, str]]:
    """Return (number of the first line, text), without comments and blank lines, continuation lines joined."""
    lines: list[tuple[int, str]] = []
    begun, pending = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begun = begun or number
        if line.endswith(escape):
            pending += line[:-1].rstrip() + " "
            continue
        lines.append((begun, pending + line))
        begun, pending = 0, ""
    if pending.strip():
        lines.append((begun, pending.strip()))
    return lines


class _Words:
    """Splits the rest of an instruction into words, with quotes, escapes and variables."""

    def __init__(self, instruction: Instruction, variables: Mapping[str, str], lenient: bool) -> None:
        self.instruction = instruction
        self.text = instruction.rest
        self.variables = variables
        self.lenient = lenient
        self.at = 0

    def split(self) -> list[str]:
        words: list[str] = []
        word: str | None = None
        while self.at < len(self.text):
            if self.text[self.at].isspace():
                words += [] if word is None else [word]
                word = None
                self.at += 1
            else:
                word = (word or "") + self._next(quoted=False)
        return [*words, *([] if word is None else [word])]

    def _next(self, *, quoted: bool) -> str:
        """Consume one character, quoted string or variable."""
        char = self.text[self.at]
        if char == "$" and (found := _VARIABLE.match(self.text, self.at)):
            self.at = found.end()
            return _value(self.instruction, found, self.variables, self.lenient)
        self.at += 1
        escape = self.instruction.escape
        if char == escape and self.at < len(self.text) and (not quoted or self.text[self.at] in f'"{escape}$'):
            self.at += 1
            return self.text[self.at - 1]
        if quoted or char not in "'\"":
            return char
        return self._literal() if char == "'" else self._quotation()

    def _literal(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise self.instruction.error("a quotation is not closed", "add the missing '")
        begin, self.at = self.at, end + 1
        return self.text[begin:end]

    def _quotation(self) -> str:
        parts = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            parts.append(self._next(quoted=True))
        if self.at >= len(self.text):
            raise self.instruction.error("a quotation is not closed", 'add the missing "')
        self.at += 1
        return "".join(parts)


def _value(instruction: Instruction, found: re.Match[str], variables: Mapping[str, str], lenient: bool) -> str:
    name, operator, other = found[1] or found[2], found[3] or "", found[4] or ""
    value = variables.get(name)
    is_set = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return other if is_set else ""
    if is_set:
        return value or ""
    if operator.endswith("-") or lenient:
        return other
    raise unknown(instruction, name, variables)


def unknown(instruction: Instruction, name: str, variables: Mapping[str, str]) -> ConfigError:
    """Return the error of a variable without a value."""
    if name in BUILDER:
        hint = "$ARCH and $TARGETPLATFORM are what is built for; or leave it out"
        return instruction.error(f"${name} is the machine that builds, where nothing is executed", hint)
    hint = nearest(name, tuple(variables)) if variables else f"declare it above: ARG {name}=VALUE"
    return instruction.error(f"${name} is not known", hint)


def _expanded(instruction: Instruction, text: str, variables: Mapping[str, str], lenient: bool) -> str:
    return _VARIABLE.sub(lambda found: _value(instruction, found, variables, lenient), text)
