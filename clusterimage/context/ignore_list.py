"""ignore=FILE: images that are not saved, and places whose unclear names are left out.

nginx:1.25              an image, as in imageList
charts/web              a path in the image, or a pattern such as manifests/*.txt: what it may name is not said
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from clusterimage.context import imagelist
from clusterimage.values.reference import Reference

_PLACES = ("manifests/", "charts/", "images/", "application/")


@dataclass(frozen=True, slots=True)
class IgnoreList:
    """What a user does not want: images, and patterns of paths in the image."""

    images: frozenset[Reference] = frozenset()
    places: tuple[str, ...] = ()

    def leaves_out(self, place: str) -> bool:
        """Tell whether `place` or a directory that it lies in is left out."""
        return any(fnmatch.fnmatchcase(place, one) or place.startswith(f"{one.rstrip('/')}/") for one in self.places)


def read(path: Path) -> IgnoreList:
    """Read a list; raises ConfigError for a line that is neither."""
    lines = imagelist.lines(path)
    places = {name for _, name in lines if name.startswith(_PLACES)}
    images = imagelist.parsed(path, ((number, name) for number, name in lines if name not in places))
    return IgnoreList(frozenset(images), tuple(sorted(places)))
