"""The parts of one image name in the keys of a table: registry, repository, tag, digest.

{registry: quay.io, repository: a/b, tag: v1}      {registry: quay.io, image: a/b, tag: v1}     {repo: a/b, tag: v1}
{image: a/b, imageTag: v1}                         {proxyImageRepository: a/b, proxyImageTag: v1}
{repository: quay.io/a, image: b, version: v1}
image: {name: a/b, tag: v1}                        {registry: ~, defaultRegistry: quay.io, repository: a/b}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clusterimage.discover import keys

_HEX = re.compile(r"[0-9a-f]{64}")
_PULLS = ("pullPolicy", "imagePullPolicy", "pullSecrets", "imagePullSecrets")


class Number(str):
    """A number without quotes, as it is written; `rewritten` tells whether Helm writes another one (1.10 as 1.1)."""

    __slots__ = ()

    @property
    def rewritten(self) -> bool:
        """Whether Go's fmt prints it in another way than it is written."""
        return not re.fullmatch(r"0|[1-9]\d{0,5}|(?:0|[1-9]\d{0,5})\.\d{0,9}[1-9]", self)


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to one image; `keys` are those that said it.

    `name` is a repository, or a whole name if `whole`. `has_tag` and `has_registry` tell whether there is such a key,
    even an empty one, `is_image` whether anything but the repository says that this is an image.
    """

    keys: frozenset[str]
    name: str
    whole: bool
    registry: str
    tag: str
    digest: str
    has_tag: bool
    has_registry: bool
    is_image: bool
    rewritten: bool


def grouped(values: dict[Any, Any], key: str) -> Iterator[Parts]:
    """Yield the images whose names stand in parts in the table below `key`, and registries without a name."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for one, value in values.items():
        if isinstance(one, str) and (part := keys.part(one)) and not isinstance(value, dict | list):
            kind = f"default {part.kind}" if part.default else part.kind
            groups.setdefault(part.prefix, {}).setdefault(kind, one)
    if () in groups and "name" in values and keys.words(key)[-1:] == ("image",) and isinstance(values["name"], str):
        groups[()].setdefault("repository", "name")
    if keys.words(key)[-1:] == ("image",) and isinstance(values.get("reference"), str):
        groups.setdefault((), {}).setdefault("image", "reference")
    for prefix, found in groups.items():
        if parts := _parts(values, found, prefix, key):
            yield parts


def _parts(values: dict[Any, Any], found: dict[str, str], prefix: tuple[str, ...], key: str) -> Parts | None:
    def text(kind: str) -> str:
        for one in (kind, f"default {kind}"):
            value = values.get(found.get(one, ""))
            if isinstance(value, str) and "\n" not in value.strip() and value.strip():
                return value.strip()
        return ""

    of = found.get("repository") or found.get("image", "")
    whole = "repository" not in found
    both = not whole and bool(text("image"))  # the repository is that of many images
    version = text("version") if both else ""
    tag, has_tag = text("tag") or version, "tag" in found or "default tag" in found or bool(version)
    if whole and not ({"tag", "digest", "registry"} & found.keys()) and of != "reference":
        return None  # a whole name, and nothing beside it: a field as any other
    if prefix and whole and not has_tag:
        return None
    registry = text("registry").rstrip("/")
    has_registry = "registry" in found or "default registry" in found
    digest = "" if values.get("useDigest") is False else text("digest")
    about = "image" in keys.words(key) or (of and "image" in keys.words(of)) or any(one in values for one in _PULLS)
    is_image = bool(has_tag or digest or has_registry or about)
    told = [values.get(found.get(kind, "")) for kind in ("tag", "default tag", "version")]
    name = "/".join(filter(None, (text("repository"), text("image"))))
    if not is_image or (not name and not registry):
        return None
    return Parts(
        keys=frozenset(found.values()),
        name=name,
        whole=whole,
        registry="" if "://" in registry else registry,
        tag=tag,
        digest=f"sha256:{digest}" if _HEX.fullmatch(digest) else digest,
        has_tag=has_tag,
        has_registry=has_registry,
        is_image=is_image,
        rewritten=any(isinstance(value, Number) and value.rewritten for value in told if str(value).strip() == tag),
    )
