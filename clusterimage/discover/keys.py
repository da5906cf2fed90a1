"""What the name of a field says: sidecarProxyImage, PROXY_IMAGE, proxy-image-tag, imageRegistry."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IMAGE, _IMAGES = "image", "images"
# The parts of an image name; what stands before them in the key tells images of one table apart.
_PARTS = {
    "registry": "registry",
    "hub": "registry",
    "repository": "repository",
    "repo": "repository",
    "tag": "tag",
    "digest": "digest",
    "sha": "digest",
    "sha256": "digest",
    "version": "version",
}
_NAMES = ("name", "ref", "reference", "url", "uri")  # imageName is the image's name
_ABOUT = frozenset(
    (
        *("tag", "registry", "repository", "repo", "digest", "version", "prefix", "suffix", "format", "id", "size"),
        *("policy", "secret", "secrets", "type", "path", "dir"),
    )
)
# Values for people, and places that are no images.
_PROSE = frozenset(
    (
        *("description", "title", "summary", "comment", "example", "examples", "help"),
        *("chart", "url", "uri", "server", "endpoint", "address", "host", "path"),
    )
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an image name: "image" is a whole name, the others are registry, repository, tag, digest and version.

    Equal `prefix` (words before it) belongs to the same image; `default` has what holds where the part itself is empty.
    """

    prefix: tuple[str, ...]
    kind: str
    of_image: bool
    default: bool = False


@functools.lru_cache(maxsize=4096)
def words(key: str) -> tuple[str, ...]:
    """Return the words of a key, lower-case."""
    found = [word.lower() for word in _WORD.findall(key)]
    return tuple(_joined(found))


def _joined(found: list[str]) -> list[str]:
    return [*found[:-2], "sha256"] if found[-2:] == ["sha", "256"] else found


@functools.lru_cache(maxsize=4096)
def part(key: str) -> Part | None:
    """Return which part of an image name stands below `key`, or None."""
    told = words(key)
    if told[-2:-1] == (_IMAGE,) and told[-1] in _NAMES:
        told = told[:-1]
    if not told:
        return None
    before, last = told[:-1], told[-1]
    kind = _PARTS.get(last) or (_IMAGE if last == _IMAGE else "")
    if last == "version" and before[-1:] == (_IMAGE,):
        kind = "tag"
    if not kind:
        return None
    of_image = last == _IMAGE or before[-1:] == (_IMAGE,)
    before = before[:-1] if before[-1:] == (_IMAGE,) else before
    default = before[:1] == ("default",) and kind in ("registry", "tag")
    return Part(before[1:] if default else before, kind, of_image, default)


@functools.lru_cache(maxsize=4096)
def holds_image(key: str) -> bool:
    """Whether a value with a tag below `key` is an image: …Image, …_IMAGE, imageName, RELATED_IMAGE_X, …RepoTag."""
    told = words(key)
    if told[-2:] == ("repo", "tag"):
        return True
    if _IMAGE not in told and _IMAGES not in told:
        return False
    if told[-1] in (_IMAGE, _IMAGES):
        return True
    return told[-1] not in _ABOUT and (key == key.upper() or told[-2] == _IMAGE and told[-1] in _NAMES)


@functools.lru_cache(maxsize=4096)
def holds_images(key: str) -> bool:
    """Whether the strings in a list below `key` are images: images, controllerImages."""
    return words(key)[-1:] == (_IMAGES,)


@functools.lru_cache(maxsize=4096)
def is_about(key: str) -> bool:
    """Whether `key` says something else of an image: tag, pullPolicy, registry."""
    told = words(key)
    return bool(told) and told[-1] in _ABOUT


@functools.lru_cache(maxsize=4096)
def is_prose(key: str) -> bool:
    """Whether the values of `key` are for people, or places that are no images."""
    told = words(key)
    return bool(told) and told[-1] in _PROSE
