"""YAML streams (https://yaml.org/spec/1.2.2), also with Go template actions (https://pkg.go.dev/text/template)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clusterimage.discover.fields import HOLE, Named, images

_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_CONTROL = re.compile(r"\{\{-?\s*(?:if|else|end|range|with|define|template|block|include|/\*|\$)", re.DOTALL)
_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)


def read(text: str, default_tag: str = "") -> Iterator[Named]:
    """Yield the image references in `text`; a document that is not YAML yields a Named with the problem instead."""
    plain = _without_actions(text)
    for number, part in enumerate(_SEPARATOR.split(plain), start=1):
        if not part.strip():
            continue
        documents, problem = _load(part)
        if problem:
            yield Named(f"document {number}", None, f"cannot be read as YAML: {problem}")
        for document in documents:
            yield from images(document, embedded, default_tag)


def embedded(text: str) -> list[Any]:
    """Parse a string embedded in a document; documents that are not YAML are skipped."""
    plain = _without_actions(text)
    return [document for part in _SEPARATOR.split(plain) for document in _load(part)[0]]


def _without_actions(text: str) -> str:
    """Remove template actions: lines with nothing else are dropped, actions within a line become HOLE."""
    if "{{" not in text:
        return text
    marked = _ACTION.sub(lambda found: "" if _CONTROL.match(found[0]) else HOLE, text)
    lines = [line for line in marked.split("\n") if line.strip() not in (HOLE, f"{HOLE}:")]
    return "\n".join(lines)


def _load(text: str) -> tuple[list[Any], str]:
    """Return the documents and "", or an empty list and the problem."""
    import yaml

    # Custom !tags are ignored: only strings, numbers and collections matter.
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("", _any_tag)
    try:
        return [document for document in yaml.load_all(text, Loader) if document is not None], ""  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        return [], f"{getattr(error, 'problem', None) or error}{where}".replace("\n", " ")


def _any_tag(loader: Any, suffix: str, node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)
