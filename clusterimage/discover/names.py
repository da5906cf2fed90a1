"""Which strings are image names, and how sure that is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference

HOLE = "clusterimage-template-hole"
# A tag as versions are written; a port has no more than five digits and nothing else.
_VERSION = re.compile(r"(?!\d{1,5}$)v?\d[\w.-]*|latest|stable|edge|main|master|nightly", re.ASCII)
_HOLES = re.compile(rf"{HOLE}-?\d*")


@dataclass(frozen=True, slots=True)
class Named:
    """An image reference, or a value that should be one: then `reference` is None and `problem` the reason."""

    text: str
    reference: Reference | None
    problem: str = ""


def said(text: str, problem: str) -> Named:
    """Return what is not saved, and why."""
    return Named(_HOLES.sub("{{…}}", text), None, f"{problem}: not saved")


def read(value: str) -> Named:
    """Read what has to be an image name; a name without a tag is that of `latest`, as for Kubernetes."""
    if HOLE in value:
        return said(value, "is known at run time only")
    if not value:
        return said(value, "is empty")
    if "/" not in value and not exact(value) and "." in value:
        return said(value, "looks like a field, not like an image")
    try:
        return Named(value, Reference.parse(value))
    except ConfigError:
        return said(value, "is no image name")


def exact(value: str) -> bool:
    """Whether a name has a tag or a digest."""
    return "@" in value or ":" in value.rsplit("/", 1)[-1]


def exact_name(value: str) -> Named | None:
    """Return the image of a value that may be one: it has to be a name with a tag or a digest."""
    if not exact(value) or "://" in value:
        return None
    named = read(value)
    return named if named.reference is not None or HOLE in value else None


def certain_name(value: str) -> Named | None:
    """Return the image of a value that can hardly be anything else: HOST/REPOSITORY:VERSION, or with a digest."""
    named = exact_name(value) if "/" in value and "." in value.partition("/")[0] else None
    if named is None or named.reference is None:
        return None
    reference = named.reference
    return named if reference.digest or _VERSION.fullmatch(reference.tag) else None
