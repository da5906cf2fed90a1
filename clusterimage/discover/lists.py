"""Lists of images: imageList, and what sealos reads below images/.

imageList               one image a line
images/shim/*           the same (github.com/labring/sreg pkg/buildimage/images.go ParseShimImages)
images/skopeo/tar.txt   docker-archive:FILE@NAME:TAG or oci-archive:…, FILE beside it (tar_images.go TarList)
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from clusterimage.discover.names import Named, said
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference

SHIM = "images/shim/"
ARCHIVES = "images/skopeo/tar.txt"
_KINDS = ("docker-archive:", "oci-archive:")
_STORAGE = "containers-storage:"


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a list without comments, blanks and quotes."""
    for line in path.read_text("utf-8", errors="replace").removeprefix("\ufeff").splitlines():
        if name := line.partition("#")[0].strip().strip("\"'").strip():
            yield name


def shim(path: Path) -> Iterator[Named]:
    """Yield the images of a list below images/shim/; a line that is none is said."""
    for name in lines(path):
        if name.startswith(_STORAGE):
            yield said(name, "is in the storage of one host's podman")
            continue
        try:
            yield Named(name, Reference.parse_source(name))
        except ConfigError:
            yield said(name, "is no image name")


def archives(place: str, path: Path) -> Iterator[tuple[str, str, Named | None]]:
    """Yield archives by their path in the image, each with the name of its image; or what a line has wrong."""
    for line in lines(path):
        source, at, name = line.partition("@")
        kind, colon, file = source.partition(":")
        try:
            if not at or f"{kind}{colon}" not in _KINDS:
                raise ConfigError("")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(place), file))
            yield target, str(Reference.parse(name)), None
        except ConfigError:
            yield "", "", Named(line, None, "is not KIND:FILE@NAME:TAG with docker-archive or oci-archive: not saved")
