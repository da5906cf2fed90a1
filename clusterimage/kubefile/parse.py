"""Parser of Kubefiles: lines, instructions, and words with variable expansion.

The syntax is a Dockerfile's (https://docs.docker.com/reference/dockerfile): `#` starts a comment line, a trailing `\\`
continues the line, words are split at whitespace, '…' is literal, "…" and bare words expand $NAME, ${NAME},
${NAME:-default} and ${NAME:+other}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clusterimage.values.errors import ConfigError
from clusterimage.values.table import nearest

VERBS = (
    *("FROM", "ARG", "ENV", "COPY", "ADD", "LABEL", "MAINTAINER", "KUBEVERSION"),
    *("APP", "CNI", "CSI", "APPCMDS", "APPENV", "LAUNCH", "CMDS", "CMD"),
)
_UNSUPPORTED = {
    "RUN": (
        "nothing is executed at build time: it would run foreign code as on this host",
        "do it before the build and COPY the result, or at run time with CMDS or an APP",
    ),
    "ENTRYPOINT": ("a cluster image is not started as a container", "say what is launched with LAUNCH or CMDS"),
}
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `where` is FILE:LINE for messages, `rest` the text after the verb."""

    where: str
    verb: str
    rest: str

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
    for number, line in _lines(text):
        verb, *rest = line.split(maxsplit=1)
        instruction = Instruction(f"{name}:{number}", verb.upper(), rest[0] if rest else "")
        if instruction.verb in _UNSUPPORTED:
            raise instruction.error(*_UNSUPPORTED[instruction.verb])
        if instruction.verb not in VERBS:
            raise ConfigError(f"{name}:{number}: unknown instruction '{verb}'", hint=nearest(verb.upper(), VERBS))
        if not instruction.rest:
            raise instruction.error("needs at least one word")
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


def _lines(text: str) -> list[tuple[int, str]]:
    """Return (number of the first line, text), without comments and blank lines, continuation lines joined."""
    lines: list[tuple[int, str]] = []
    begun, pending = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begun = begun or number
        if line.endswith("\\"):
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
        if char == "\\" and self.at < len(self.text) and (not quoted or self.text[self.at] in '"\\$'):
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
    raise instruction.error(f"${name} is not known", nearest(name, tuple(variables)))


def _expanded(instruction: Instruction, text: str, variables: Mapping[str, str], lenient: bool) -> str:
    return _VARIABLE.sub(lambda found: _value(instruction, found, variables, lenient), text)
