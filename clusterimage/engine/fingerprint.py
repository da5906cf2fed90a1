"""Fingerprints: the digest of what decides a task's result, besides the content of its inputs.

That is the action with its version, and its arguments. Two clones in different folders, of different users, on
different machines have the same fingerprints: a path of the project counts relative to it, any other by its name alone
(its content counts as an input); what only messages need (fields with `compare=False`) does not count; what has no
order, or no one spelling, is refused. tests/keys/ holds the fingerprints of some tasks: a change makes every user's
tasks stale, and is made on purpose or not at all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# What the steps run. Raise the number of an action that makes other bytes of the same arguments and inputs.
VERSIONS = {
    "archive.extract": 1,
    "archive.unpack": 2,
    "archive_images.bring": 1,
    "daemon_pull.pull": 1,
    "docker_archive.save": 1,
    "package.write": 3,
    "remote.pull": 1,
    "rendering.write": 1,
    "saved_registry.save": 1,
    "source.fetch": 1,
    "tree.merge": 1,
}


def of(function: Callable[..., None], arguments: Sequence[object]) -> str:
    """Return the fingerprint of a task: 64 hex characters."""
    return hashlib.sha256(json.dumps(document(function, arguments)).encode()).hexdigest()


def document(function: Callable[..., None], arguments: Sequence[object]) -> list[Any]:
    """Return what is hashed, as JSON has it; raises TypeError for what two machines may spell differently."""
    action = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    return [action, VERSIONS[action], [_value(one) for one in arguments]]


def _value(value: object) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Path):
        return _place(value)
    if isinstance(value, tuple | list):
        return [_value(one) for one in value]
    if isinstance(value, dict):
        return [[_value(key), _value(value[key])] for key in sorted(value)]
    if dataclasses.is_dataclass(value):
        return [_value(getattr(value, name)) for name in _fields(value.__class__)]
    raise TypeError(f"{value!r}: {type(value).__name__} cannot be part of a fingerprint")


@functools.cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if field.compare)


def _place(path: Path) -> str:
    """Return a path of the project relative to it, which is the working directory; of any other path the name."""
    place = os.path.relpath(path) if path.is_absolute() else os.path.normpath(path)
    return os.path.basename(place) if place.startswith("..") else place.replace(os.sep, "/")  # noqa: PTH119
