"""imageList files: one image per line, `#` starts a comment, quotes and blanks around a name are stripped."""

from __future__ import annotations

from pathlib import Path

from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference


def read(path: Path) -> tuple[Reference, ...]:
    """Return the images of the list at `path` in file order, without duplicates; a bad line raises ConfigError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file", hint="make it, one image a line; it may be empty") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text", hint="one image a line, like quay.io/org/name:tag") from error
    images: dict[Reference, None] = {}
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip().strip("\"'").strip()
        if not name:
            continue
        try:
            images[Reference.parse_source(name)] = None
        except ConfigError as error:
            hint = "one image a line, like quay.io/org/name:tag"
            raise ConfigError(f"{path}:{number}: {error.problem}", hint=hint) from error
    return tuple(images)
