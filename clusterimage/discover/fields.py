"""Find image references in the fields of a YAML document.

image: nginx:1.25                       a key `image`, at any depth, case-insensitive
sidecarImage: nginx:1.25                a key that ends in Image, -image or _image, if the value has a tag or digest
image: {registry: r, repository: a/b, tag: v1, digest: sha256:…}    and the same without the key `image`
args: [--agent-image=nginx:1.25]        an argument, if the value has a tag or digest
{name: RELATED_IMAGE_X, value: a/b:v1}  an environment variable with IMAGE in its name, and a tag or digest in its value
data: {x.yaml: "…"}                     a multi-line string is parsed as YAML
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference

HOLE = "clusterimage-template-hole"
_SUFFIX = re.compile(r"[A-Za-z0-9]*(?:[a-z0-9]Image|[-_][Ii]mage|_IMAGE)$")
_ARGUMENT = re.compile(r"--[\w.-]*image[\w.-]*=(\S+)")
_REPOSITORY, _TAG = "repository", "tag"


@dataclass(frozen=True, slots=True)
class Named:
    """An image reference, or a value that should be one: then `reference` is None and `problem` the reason."""

    text: str
    reference: Reference | None
    problem: str = ""


def images(document: Any, embedded: Callable[[str], list[Any]], default_tag: str = "") -> Iterator[Named]:
    """Yield the image references of a parsed document; `embedded` parses an embedded string as YAML.

    `default_tag` replaces an empty `tag` next to a `repository`, as in Helm charts.
    """
    if isinstance(document, dict):
        yield from _mapping(document, embedded, default_tag)
    elif isinstance(document, list):
        for item in document:
            if isinstance(item, str) and (found := _ARGUMENT.fullmatch(item)):
                yield from _if_exact(found[1])
            else:
                yield from images(item, embedded, default_tag)
    elif isinstance(document, str) and "\n" in document and "image" in document.lower():
        for inner in embedded(document):
            # An embedded string can be anything: accept only references with a tag or digest.
            yield from (
                named for named in images(inner, embedded, default_tag) if named.reference and _exact(named.text)
            )


def _mapping(values: dict[Any, Any], embedded: Callable[[str], list[Any]], default_tag: str) -> Iterator[Named]:
    if isinstance(values.get(_REPOSITORY), str) and (_TAG in values or "digest" in values or "registry" in values):
        yield from _parts(values, default_tag)
        return
    name = values.get("name")
    if isinstance(name, str) and "IMAGE" in name.upper() and isinstance(values.get("value"), str):
        yield from _if_exact(values["value"])
    for key, value in values.items():
        if isinstance(value, str) and "\n" not in value.strip():
            yield from _field(str(key), value.strip(), values)
        else:
            yield from images(value, embedded, default_tag)


def _field(key: str, value: str, values: dict[Any, Any]) -> Iterator[Named]:
    if key.lower() == "image":
        tag = values.get(_TAG)
        if value and isinstance(tag, str | int | float) and not _exact(value):
            value = f"{value}:{tag}"
        yield _read(value)
    elif _SUFFIX.fullmatch(key):
        yield from _if_exact(value)
    elif found := _ARGUMENT.fullmatch(value):
        yield from _if_exact(found[1])


def _parts(values: dict[Any, Any], default_tag: str) -> Iterator[Named]:
    """Compose a reference from registry, repository, tag and digest."""
    registry, repository = str(values.get("registry") or ""), str(values[_REPOSITORY])
    if not repository or "://" in repository:
        return
    tag, digest = str(values.get(_TAG) or default_tag), str(values.get("digest") or "")
    name = f"{registry}/{repository}" if registry else repository
    if _TAG in values and not (tag or digest):
        yield Named(name, None, "has no tag: not saved")
        return
    yield _read(f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}")


def _if_exact(value: str) -> Iterator[Named]:
    """Yield `value` only if it is a reference with a tag or digest."""
    named = _read(value)
    if named.reference is not None and _exact(value):
        yield named


def _exact(value: str) -> bool:
    return "@" in value or ":" in value.rsplit("/", 1)[-1]


def _read(value: str) -> Named:
    if HOLE in value:
        return Named(value.replace(HOLE, "{{…}}"), None, "is known at run time only: not saved")
    if not value:
        return Named(value, None, "is empty: not saved")
    if "/" not in value and not _exact(value) and "." in value:
        return Named(value, None, "looks like a field, not like an image: not saved")
    try:
        return Named(value, Reference.parse(value))
    except ConfigError:
        return Named(value, None, "is no image name: not saved")
