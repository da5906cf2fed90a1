"""imageList files: one image per line, `#` starts a comment, quotes and blanks around a name are stripped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clusterimage.values import text_file
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference


def read(path: Path) -> tuple[Reference, ...]:
    """Return the images of the list at `path` in file order, without duplicates; a bad line raises ConfigError."""
    return parsed(path, lines(path))


def lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not empty with their numbers, without comments, quotes and blanks."""
    try:
        found = text_file.read(path).splitlines()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file", hint="make it, one image a line; it may be empty") from error
    plain = (line.partition("#")[0].strip().strip("\"'").strip() for line in found)
    return [(number, name) for number, name in enumerate(plain, start=1) if name]


def parsed(path: Path, names: Iterable[tuple[int, str]]) -> tuple[Reference, ...]:
    """Return the images of numbered lines, without duplicates; a bad one raises ConfigError."""
    images: dict[Reference, None] = {}
    for number, name in names:
        try:
            images[Reference.parse_source(name)] = None
        except ConfigError as error:
            hint = "one image a line, like quay.io/org/name:tag"
            raise ConfigError(f"{path}:{number}: {error.problem}", hint=hint) from error
    return tuple(images)
