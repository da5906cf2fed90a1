"""Find image references in the fields of a YAML document.

image: nginx:1.25                       a key `image`, at any depth, case-insensitive; without a tag it is `latest`
sidecarImage: nginx:1.25                a key that says image (keys.py), if the value has a tag or digest
images: {proxy: nginx:1.25}             strings below a key that ends in images, if they have a tag or digest
{registry: r, repository: a/b, tag: v1, digest: sha256:…}           also as proxyImageRepository, proxyImageTag; repo
{name: RELATED_IMAGE_X, value: a/b:v1}  an environment variable, as the key of that name
volumes: [{image: {reference: a/b:v1}}] image volumes
args: [--agent-image=nginx:1.25]        arguments and lines of a shell (arguments.py)
anything: quay.io/a/b:v1.2              a value that can hardly be anything else (names.py)
data: {x.yaml: "…"}                     a string with lines, or JSON, is read as YAML, and as a script

https://kubernetes.io/docs/concepts/containers/images/#image-names
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from clusterimage.discover import arguments, keys
from clusterimage.discover.names import Named, certain_name, exact, exact_name, read, said
from clusterimage.discover.parts import Parts, grouped

Embedded = Callable[[str], list[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a document is read.

    `values`: it is a chart's values, whose names are completed by templates that are not seen. There `default_tag`
    takes the place of a tag that is missing, "" if none is known; `registry` is the one that holds for all images, and
    `above` stands above this place without being known to hold for it.
    """

    embedded: Embedded
    values: bool = False
    default_tag: str = ""
    registry: str = ""
    above: str = ""
    key: str = ""
    seen: dict[int, object] = field(default_factory=dict)  # tables and lists by id, kept alive so that ids stay theirs


def images(document: Any, reading: Reading) -> Iterator[Named]:
    """Yield the image references of a parsed document, and what should be one and cannot be told."""
    if isinstance(document, dict | list):
        if id(document) in reading.seen:
            return  # an alias: read where it stands first
        reading.seen[id(document)] = document
    if isinstance(document, dict):
        yield from _mapping(document, reading)
    elif isinstance(document, list):
        yield from _list(document, reading)
    elif isinstance(document, str):
        yield from _field(reading.key, document.strip(), reading)


def _list(items: list[Any], reading: Reading) -> Iterator[Named]:
    plain = [item for item in items if isinstance(item, str)]
    if keys.holds_images(reading.key):
        yield from (named for item in plain if (named := exact_name(item.strip())))
    else:
        yield from arguments.arguments([item for item in plain if not _is_text(item)])
        for item in plain:
            yield from _text(reading.key, item, reading) if _is_text(item) else ()
    for item in items:
        if not isinstance(item, str):
            yield from images(item, reading)


def _mapping(values: dict[Any, Any], reading: Reading) -> Iterator[Named]:
    if reading.values and values.get("enabled") is False:
        return  # a part of a chart that is off
    told: set[str] = set()
    above = reading.above
    for parts in grouped(values, reading.key):
        told |= parts.keys
        yield from _composed(parts, reading)
        above = above if parts.name else parts.registry
    name = values.get("name")
    if isinstance(name, str) and isinstance(values.get("value"), str):
        told.add("value")
        yield from _value(name, values["value"].strip(), reading)
    for key, value in values.items():
        if key not in told:
            yield from images(value, replace(reading, key=_path(reading.key, str(key)), above=above))


def _path(above: str, key: str) -> str:
    """Return the key that tells what a value is: below images it is still one, whatever its own key."""
    says = keys.part(key) or keys.is_about(key) or keys.is_prose(key)
    return "images" if not says and keys.words(above)[-1:] in (("image",), ("images",)) else key


def _field(key: str, value: str, reading: Reading) -> Iterator[Named]:
    if key.lower() != "image" or _is_text(value):
        yield from _value(key, value, reading)
    elif not reading.values:
        yield read(value)
    elif value and (named := read(value)).reference:
        yield named if exact(value) else said(value, "has no tag")


def _value(key: str, value: str, reading: Reading) -> Iterator[Named]:
    if _is_text(value):
        yield from _text(key, value, reading)
    elif keys.holds_image(key):
        yield from arguments.arguments([f"{key}={value}"]) if "," in value else _one(exact_name(value))
        if "," not in value and not exact(value) and _may_be_image(key, value):
            yield said(value, "has no tag")
    elif not keys.is_prose(key):
        yield from _one(certain_name(value))
        yield from arguments.arguments([value]) if value.startswith("-") else ()


def _may_be_image(key: str, value: str) -> bool:
    """Whether a value without a tag is worth a line: sidecarImage: busybox, and not images/…: docs."""
    return keys.words(key)[-1:] != ("images",) and "://" not in value and read(value).reference is not None


def _one(named: Named | None) -> Iterator[Named]:
    if named is not None:
        yield named


def _is_text(value: str) -> bool:
    return "\n" in value or " " in value or value.startswith(("{", "["))


def _text(key: str, text: str, reading: Reading) -> Iterator[Named]:
    """Yield the images in a string of lines or words: YAML or JSON in it, and what a shell would read."""
    if keys.is_prose(key):
        return
    if "image" in text.lower() and ("\n" in text or text.startswith(("{", "["))):
        for inner in reading.embedded(text):
            found = (
                images(inner, replace(reading, key="", above="", values=False)) if not isinstance(inner, str) else ()
            )
            # An embedded string can be anything: accept only references with a tag or digest.
            yield from (named for named in found if named.reference and exact(named.text))
    yield from arguments.line(text)


def _composed(parts: Parts, reading: Reading) -> Iterator[Named]:
    """Yield the image of the parts of one name."""
    if not parts.name or "://" in parts.name:
        return
    name = _with_registry(parts, reading)
    if not name:
        yield said(parts.name, f"may be of {reading.above}, which stands above it, or of Docker Hub")
    else:
        yield read(name) if _is_whole(parts, reading) else _with_tag(name, parts, reading)


def _is_whole(parts: Parts, reading: Reading) -> bool:
    """Whether nothing is added to the name: it has its tag, or is a field that may be without one."""
    if exact(parts.name):
        return parts.whole or not (parts.tag or parts.digest)
    return parts.whole and not parts.has_tag and not parts.digest and not reading.values


def _with_registry(parts: Parts, reading: Reading) -> str:
    """Return HOST/REPOSITORY, or "" if another host stands above it in values, and nothing says that it counts."""
    registry = reading.registry if parts.has_registry and reading.registry else parts.registry
    name = parts.name.lstrip("/")
    if registry:
        known = (parts.whole and _has_host(name)) or name.startswith(f"{registry}/")
        return name if known else f"{registry}/{name}"
    unsure = reading.values and reading.above and not parts.has_registry and not _has_host(name)
    return "" if unsure else name


def _with_tag(name: str, parts: Parts, reading: Reading) -> Named:
    tag = parts.tag or ("" if parts.digest or not reading.values else reading.default_tag)
    if not (tag or parts.digest):
        return said(name, "has no tag")
    if parts.rewritten:
        return said(f"{name}:{tag}", "has a number as its tag, which Helm writes in another way: put it in quotes")
    return read(f"{name}{_tagged(tag)}{f'@{parts.digest}' if parts.digest else ''}")


def _tagged(tag: str) -> str:
    if tag.startswith((":", "@")):
        return tag
    return f"@{tag}" if tag.startswith("sha256:") else f":{tag}" if tag else ""


def _has_host(name: str) -> bool:
    first, slash, _ = name.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
