"""The lines of a chart's templates that name an image, as far as values alone decide them.

image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
value: "{{ .Values.registry }}/agent:{{ .Values.agent.version }}"        of an environment variable
- --helper-image={{ .Values.helper }}
{{ if .Values.metrics.enabled }} … {{ end }}                             what a value leaves out is left out

Known are the paths of values and of the chart, strings, a few functions, and `if … else … end` (https://pkg.go.dev/
text/template, https://masterminds.github.io/sprig). A line with anything else is not decided, and of a condition with
anything else both ways are taken.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterimage.discover import actions, arguments, keys
from clusterimage.discover.names import Named, certain_name, exact, exact_name, read, said
from clusterimage.discover.parts import Number

_FIELD = re.compile(r"[\s-]*(?P<key>\w[\w.-]*):[ \t]+(?P<value>\S.*)")
_ITEM = re.compile(r"\s*-\s+[\"']?(?P<item>-{1,2}[A-Za-z][\w.-]*=.*)")
_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`|[()|]|[^\s()|]+")
_SAME = ("quote", "squote", "toString", "trim")  # what they do is undone when the line is read as YAML, or nothing
_MOST_BRACKETS = 20
_OPENING = ("if", "with", "range", "define", "block")


_LOGIC: dict[str, Callable[[list[Any]], Any]] = {
    "and": lambda all_: next((one for one in all_ if not _is_true(one)), all_[-1]),
    "or": lambda all_: next((one for one in all_ if _is_true(one)), all_[-1]),
    "not": lambda all_: not _is_true(all_[0]),
    "eq": lambda all_: all_[0] in all_[1:],
    "ne": lambda all_: all_[0] != all_[1],
    "empty": lambda all_: not _is_true(all_[0]),
}


class _Unknown(Exception):  # noqa: N818 -- no error: the line is not decided
    """Something that values alone do not decide."""


@dataclass(slots=True)
class Chart:
    """What a chart's templates are read with; `used` collects the paths of values that decided a line."""

    values: Mapping[str, Any]
    about: Mapping[str, Any]
    used: set[tuple[str, ...]] = field(default_factory=set)


def images(text: str, chart: Chart) -> Iterator[Named]:
    """Yield the images that lines of a template write."""
    plain = actions.replaced(text, lambda action: action if actions.inside(action) else "")
    for line in _taken(plain, chart).splitlines():
        if "{{" not in line or len(line) > actions.LONGEST_LINE:
            continue
        if found := _FIELD.match(line):
            yield from _decided(found["value"], chart, functools.partial(_of_key, found["key"]))
        elif found := _ITEM.match(line):
            yield from _decided(found["item"], chart, _of_argument)


def _decided(value: str, chart: Chart, read_all: Callable[[str], list[Named]]) -> list[Named]:
    """Return the images of a value; only what names one counts as explained."""
    before = set(chart.used)
    try:
        found = read_all(_line(value, chart))
    except _Unknown:
        found = []
    if not found:
        chart.used = before
    return found


def _of_argument(item: str) -> list[Named]:
    return list(arguments.line(item))


def _of_key(key: str, name: str) -> list[Named]:
    if key.lower() != "image":
        named = exact_name(name) if keys.holds_image(key) else certain_name(name)
        return [named] if named else []
    if exact(name):
        return [read(name)]
    return [said(name, "has no tag")] if read(name).reference else []


def _taken(text: str, chart: Chart) -> str:
    """Return a template without the lines that a condition on values leaves out."""
    taken = []
    blocks: list[bool | None] = []  # whether each open block is written; None: it is not known
    for line in text.splitlines():
        if False not in blocks:
            taken.append(line)
        for piece, is_action in actions.split(line):
            if is_action:
                _follow(actions.inside(piece), blocks, chart)
    return "\n".join(taken)


def _follow(action: str, blocks: list[bool | None], chart: Chart) -> None:
    """Open, turn or close a block."""
    word, _, rest = action.partition(" ")
    if word in _OPENING:
        blocks.append(_holds(rest, chart) if word == "if" else None)
    elif word == "else" and blocks and blocks[-1] is not None:
        blocks[-1] = not blocks[-1] and (_holds(rest.removeprefix("if "), chart) if rest else True)
    elif word == "end" and blocks:
        blocks.pop()


def _holds(condition: str, chart: Chart) -> bool | None:
    """Return whether a condition holds, None if values alone do not decide it; no line is explained by it."""
    before = set(chart.used)
    try:
        return _is_true(_evaluated(condition, chart))
    except _Unknown:
        return None
    finally:
        chart.used = before


def _is_true(value: Any) -> bool:
    """Whether Go's templates take a value as true; a number is kept as it is written."""
    return bool(value) and not (isinstance(value, Number) and not float(value.replace("_", "") or 0))


def _line(value: str, chart: Chart) -> str:
    """Return what a line writes; raises _Unknown."""
    written = ""
    blocks: list[bool | None] = []
    for piece, is_action in actions.split(value):
        action = actions.inside(piece) if is_action else ""
        if not is_action:
            written += piece if all(blocks) else ""
        elif action.split(" ")[0] in (*_OPENING, "else", "end"):
            _follow(action, blocks, chart)
        elif all(blocks):
            written += _value(action, chart)
        if None in blocks:
            raise _Unknown
    plain = written.split(" #")[0].strip().rstrip(",}").strip()
    return plain.strip("\"'")


def _value(action: str, chart: Chart) -> str:
    value = _evaluated(action, chart)
    if isinstance(value, dict | list) or value is None or isinstance(value, bool):
        raise _Unknown
    if isinstance(value, Number) and value.rewritten:
        raise _Unknown
    return str(value)


def _evaluated(expression: str, chart: Chart) -> Any:
    if expression.count("(") > _MOST_BRACKETS:
        raise _Unknown
    tokens = _TOKEN.findall(expression)
    value = _pipeline(tokens, chart)
    if tokens:
        raise _Unknown
    return value


def _pipeline(tokens: list[str], chart: Chart) -> Any:
    """Evaluate `a b | c d` up to the end or a closing bracket; the tokens are taken away."""
    value = _call(tokens, chart, [])
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        value = _call(tokens, chart, [value])
    return value


def _call(tokens: list[str], chart: Chart, piped: list[Any]) -> Any:
    operands: list[Any] = []
    name = tokens.pop(0) if tokens and re.fullmatch(r"[A-Za-z]\w*", tokens[0]) else ""
    while tokens and tokens[0] not in ("|", ")"):
        operands.append(_operand(tokens, chart))
    return _applied(name, [*operands, *piped])


def _operand(tokens: list[str], chart: Chart) -> Any:
    token = tokens.pop(0)
    if token == "(":
        value = _pipeline(tokens, chart)
        if not tokens or tokens.pop(0) != ")":
            raise _Unknown
        return value
    if token[0] in '"`':
        return token[1:-1]
    path = token.removeprefix("$").split(".")
    if path[:2] == ["", "Values"]:
        chart.used.add(tuple(path[2:]))
        return _at(chart.values, path[2:])
    if path[:2] == ["", "Chart"] and len(path) == 3:
        return chart.about.get(f"{path[2][0].lower()}{path[2][1:]}")
    raise _Unknown


def _applied(name: str, operands: list[Any]) -> Any:
    if (not name or name in _SAME) and len(operands) == 1:
        return operands[0]
    if name == "default" and len(operands) == 2:
        return operands[1] if _is_true(operands[1]) else operands[0]
    if name in _LOGIC and operands:
        return _LOGIC[name](operands)
    if name in ("required", "trimSuffix", "trimPrefix") and len(operands) == 2:
        return _changed(name, *operands)
    if name == "printf" and operands and all(isinstance(one, str) for one in operands):
        form = operands[0]
        if form.count("%") == form.count("%s") == len(operands) - 1:
            return form % tuple(operands[1:])
    raise _Unknown


def _changed(name: str, first: Any, value: Any) -> Any:
    if name == "required":
        return value
    return str(value).removesuffix(str(first)) if name == "trimSuffix" else str(value).removeprefix(str(first))


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def without(values: Mapping[str, Any], used: set[tuple[str, ...]], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return values without those at the paths `used`, which are explained."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = (*at, str(key))
        if path not in used:
            found[key] = without(value, used, path) if isinstance(value, dict) else value
    return found
