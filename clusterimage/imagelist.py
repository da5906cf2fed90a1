"""imageList files: one image a line, `#` begins a comment, quotes and blanks around a name do not count."""

from __future__ import annotations

from pathlib import Path

from clusterimage.errors import ConfigError
from clusterimage.oci.reference import Reference


def read(path: Path) -> tuple[Reference, ...]:
    """Return the images of the list at `path`, in its order, each once; a bad line raises ConfigError."""
    images: dict[Reference, None] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        name = line.partition("#")[0].strip().strip("\"'").strip()
        if not name:
            continue
        try:
            images[Reference.parse(name)] = None
        except ConfigError as error:
            hint = "one image a line, like quay.io/org/name:tag"
            raise ConfigError(f"{path}:{number}: {error.problem}", hint=hint) from error
    return tuple(images)
