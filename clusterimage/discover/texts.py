"""YAML streams (https://yaml.org/spec/1.2.2) and JSON, also with Go template actions.

https://pkg.go.dev/text/template
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from clusterimage.discover import actions
from clusterimage.discover.fields import Reading, images
from clusterimage.discover.names import HOLE, Named, exact_name
from clusterimage.discover.names import read as read_name
from clusterimage.discover.parts import Number
from clusterimage.values import yaml_loader

_CONTROL = re.compile(r"(?:if|else|end|range|with|define|block)\b|\$\w*\s*(?:,\s*\$\w+\s*)?:?=|$")
_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_IMAGE_LINE = re.compile(r"\bimage:[ \t]*[\"']?([\w./:@-]+)[\"']?[ \t]*(?:[,}#].*)?$", re.MULTILINE)
_LITERAL = re.compile(r"/[a-z0-9]")
_BOM = "\ufeff"
# What is no string to Go either; dates are strings to Kubernetes and Helm, and numbers are kept as they are written.
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MOST_MERGED = 100_000
_DEEPEST = 100
_DATE = "tag:yaml.org,2002:timestamp"


def read(text: str) -> Iterator[Named]:
    """Yield the image references in `text`; a document that is not YAML yields a Named with the problem instead."""
    for number, part in enumerate(_SEPARATOR.split(_without_actions(text)), start=1):
        if not part.strip():
            continue
        documents, problem = _load(part)
        if problem:
            yield Named(f"document {number}", None, f"cannot be read as YAML: {problem}")
        for document in documents:
            yield from images(document, Reading(embedded))


def read_template(text: str) -> Iterator[Named]:
    """Yield the images that a template of a chart names in full; what its actions write is not known."""
    plain = _without_actions(text)
    for part in _SEPARATOR.split(plain):
        documents, problem = _load(part)
        found = [named for document in documents for named in images(document, Reading(embedded))]
        if problem:  # what actions leave is often no YAML
            lines = "\n".join(line for line in part.splitlines() if len(line) <= actions.LONGEST_LINE)
            names = _IMAGE_LINE.findall(lines)
            found = [named for one in names if (named := read_name(one) if HOLE in one else exact_name(one))]
        yield from (named for named in found if _is_own(named))


def _is_own(named: Named) -> bool:
    """Whether a template names an image by itself: in full, or a part of it that no value has."""
    if named.reference is not None:
        return True
    return bool(_LITERAL.search(named.text.replace("{{…}}", "")))


def embedded(text: str) -> list[Any]:
    """Parse a string embedded in a document; documents that are not YAML are skipped."""
    return [document for part in _SEPARATOR.split(_without_actions(text)) for document in _load(part)[0]]


def _without_actions(text: str) -> str:
    """Remove template actions: lines with nothing else are dropped, actions within a line become HOLE."""
    text = text.removeprefix(_BOM)
    if "{{" not in text:
        return text
    written: list[str] = []
    names_image = False  # on this line: of a name that is written in part, nothing is known, not even that it ends
    for piece, is_action in actions.split(text):
        if not is_action:
            last = piece.rpartition("\n")
            names_image = (names_image and not last[1]) or "image:" in last[2].lower()
            written.append(piece)
        elif names_image or not _CONTROL.match(actions.inside(piece)):
            written.append(HOLE)
    lines = "".join(written).split("\n")
    return "\n".join(line for line in lines if line.strip() not in (HOLE, f"{HOLE}:"))


def _load(text: str) -> tuple[list[Any], str]:
    """Return the documents and "", or an empty list and the problem."""
    import yaml

    try:
        documents = [document for document in yaml.load_all(text, _loader()) if document is not None]  # noqa: S506
        problem = next(filter(None, map(_shape, documents)), "")
        return ([], problem) if problem else (documents, "")
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        return [], f"{getattr(error, 'problem', None) or error}{where}".replace("\n", " ")


def _shape(document: Any) -> str:
    """Return what is wrong with the shape of a document: no user nests so deeply, or names a part within itself."""
    above: list[int] = []  # what the current place lies in
    done: set[int] = set()
    todo = [(document, False)]
    while todo:
        value, left = todo.pop()
        if left:
            done.add(above.pop())
        elif id(value) in above:
            return "an alias of itself"
        elif isinstance(value, dict | list) and id(value) not in done:
            if len(above) == _DEEPEST:
                return f"more than {_DEEPEST} levels"
            above.append(id(value))
            todo.append((value, True))
            todo += [(one, False) for one in (value.values() if isinstance(value, dict) else value)]
    return ""


@functools.cache
def _loader() -> Any:
    """Return a safe loader; where it is libyaml's it takes the tabs that go-yaml takes, which is a port of it.

    Custom !tags are ignored: only strings, numbers and collections matter.
    """
    import yaml

    class Loader(yaml_loader.safe()):  # type: ignore[misc]
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in known if tag != _DATE]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: Any) -> None:
            """Merge what `<<` names; aliases of aliases would grow without an end."""
            super().flatten_mapping(node)
            if len(node.value) > _MOST_MERGED:
                raise yaml.constructor.ConstructorError(None, None, "too many keys are merged", node.start_mark)

    Loader.add_constructor(_DATE, lambda loader, node: loader.construct_scalar(node))
    for tag in _NUMBERS:
        Loader.add_constructor(tag, lambda loader, node: Number(loader.construct_scalar(node)))
    Loader.add_multi_constructor("", _any_tag)
    return Loader


def _any_tag(loader: Any, suffix: str, node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)
