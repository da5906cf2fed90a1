"""`doit prune`: remove unreferenced files from `_build/` (garbage collection; the roots are the locks and dist/).

In use: everything that a lock references, for every combination: files and blobs by digest, trees and registries by
name; and the layers of the images in dist/. Unused: leftovers of deleted locks, replaced pins, abandoned partial
downloads, layers of former images. Never touched: dist/, the locks, the logs, the
database, the worlds of other mirrors, and whatever a link in `_build/` leads to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.component import ARCHES
from clusterimage.catalog.flavor import FLAVORS, SEALER
from clusterimage.catalog.requirement import BASE, KUBERNETES
from clusterimage.catalog.spec import Spec
from clusterimage.locks import application_lock, lock
from clusterimage.locks.lock import LockedImage
from clusterimage.plan import formats
from clusterimage.plan.layout import Layout
from clusterimage.plan.selection import Combination
from clusterimage.storage import files
from clusterimage.storage.manifest import SUFFIX
from clusterimage.values import formatting
from clusterimage.values.errors import ConfigError

_BY_NAME = ("rendered", "context", "registry", "packages", "discovered")
_BY_DIGEST = ("trees", "images", "loadable")  # named NAME-DIGEST, by the first characters of a digest
_SHORT = 12
_ENDINGS = (SUFFIX, ".copies", ".tar.gz", ".tar.zst", ".toml")


@dataclass(frozen=True, slots=True)
class References:
    """What is in use: the locks, blobs by hex digest, names of trees, and the blobs of images in dist/ (`shipped`).

    `applications` are the names of application images: prefixes of the names of their parts.
    """

    locks: tuple[Path, ...]
    blobs: frozenset[str]
    names: frozenset[str]
    applications: frozenset[str]
    shipped: frozenset[str]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed from one directory: the number of files, and the bytes freed (other hard links keep theirs)."""

    files: int
    bytes: int


def prune(spec: Spec, layout: Layout, form: str, say: Callable[[str], None]) -> None:
    """Remove unused files and print their number and size; `form` is text or json.

    Not safe during a build. A lock that cannot be read raises ConfigError before anything is removed.
    """
    if form == "paths":
        raise ConfigError("format=paths: is of doit diff", hint="format=json")
    kept = in_use(spec, layout)
    found = {place: tuple(_unused(layout, place, kept)) for place in _places()}
    dropped = _counted(found)
    for paths in found.values():
        for path in paths:
            files.remove(path)
    total = Removed(sum(one.files for one in dropped.values()), sum(one.bytes for one in dropped.values()))
    locks = [path.as_posix() for path in kept.locks]
    if form == "json":
        places = {place: {"files": one.files, "bytes": one.bytes} for place, one in dropped.items()}
        say(json.dumps({"kind": "prune", "files": total.files, "bytes": total.bytes, "places": places, "locks": locks}))
        return
    rows = [
        (f"{_folder(layout, place)}", f"{one.files:,}", formatting.size(one.bytes)) for place, one in dropped.items()
    ]
    for line in formatting.columns([("dropped", "files", "bytes"), *rows], right="12") if rows else ():
        say(line)
    say(f"{formatting.count(total.files, 'file')}, {formatting.size(total.bytes)} freed")
    say(f"kept is what these need: {', '.join(locks) or 'no lock'}; and the layers of {layout.dist.as_posix()}/")


def in_use(spec: Spec, layout: Layout) -> References:
    """Collect what is in use; a lock that cannot be read raises ConfigError."""
    blobs, names = set[str](), set[str]()
    versions, applications = sorted(layout.locks.glob("*.toml")), sorted((layout.locks / "apps").glob("*.toml"))
    for path in versions:
        pins = lock.load(path)
        assert pins is not None  # it is there
        blobs |= {file.digest.hex for file in pins.files} | set(_image_blobs(pins.images))
        for cri in (runtime.name for runtime in spec.runtimes):
            names |= {
                Combination(pins.kubernetes, cri, cni, flavor).id for cni in spec.cni_choices for flavor in FLAVORS
            }
        for flavor in FLAVORS:
            suffix = "" if flavor == SEALER else f"-{flavor}"
            groups = (BASE, *FLAVORS, KUBERNETES, *spec.cni_choices)
            names |= {f"{group}-{pins.kubernetes}-{arch}{suffix}" for group in groups for arch in ARCHES}
    for path in applications:
        application = application_lock.load_pins(path)
        assert application is not None
        found = application_lock.load_record(layout.record(path.stem))
        base = (application.base,) if application.base else ()
        blobs |= set(_image_blobs((*base, *application.images, *(found.imported if found else ()))))
        names |= {path.stem, f"{path.stem}-archives", *(f"{path.stem}-{arch}" for arch in ARCHES)}
    return References(
        locks=(*versions, *applications),
        blobs=frozenset(blobs),
        names=frozenset(names),
        applications=frozenset(path.stem for path in applications),
        shipped=frozenset(path.name for path in layout.dist.glob("*/blobs/sha256/*")),
    )


def _image_blobs(images: tuple[LockedImage, ...]) -> Iterator[str]:
    for image in images:
        yield image.top.digest.hex
        for platform in image.platforms:
            yield from (blob.digest.hex for blob in (platform.manifest, *platform.blobs))


def _places() -> tuple[str, ...]:
    return (*_BY_DIGEST, *_BY_NAME, "layers", "cache/partial", "cache/sha256")


def _folder(layout: Layout, place: str) -> Path:
    """Return the directory of a place, in the format of this version; those of other formats are not ours to prune."""
    what, _, below = place.partition("/")
    return layout.build / formats.name(what) / below


def _unused(layout: Layout, place: str, kept: References) -> Iterator[Path]:
    """Yield the unused entries of one directory in the build directory; a symlinked directory is skipped."""
    folder = _folder(layout, place)
    if not folder.is_dir() or folder.is_symlink() or ("/" in place and folder.parent.is_symlink()):
        return
    short = {hex_digits[:_SHORT] for hex_digits in kept.blobs}
    for path in sorted(folder.iterdir()):
        name = path.name
        for ending in _ENDINGS:
            name = name.removesuffix(ending)
        start, _, end = name.rpartition("-")
        if place.startswith("cache/"):
            used = name in kept.blobs
        elif place == "layers":
            used = _is_shipped(path, name, kept)
        else:
            used = name in kept.names or (place in _BY_DIGEST and (end in short or start in kept.applications))
        if not used:
            yield path


def _is_shipped(path: Path, name: str, kept: References) -> bool:
    """Return whether a file in the layer cache belongs to an image in dist/, or lists the files of a base layer."""
    if path.name.endswith(".list.json"):
        return path.name.removesuffix(".list.json") in kept.shipped | kept.blobs
    try:
        noted = json.loads(path.with_name(f"{name.removesuffix('.json')}.json").read_bytes())
        return noted["digest"] in kept.shipped
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _counted(found: dict[str, tuple[Path, ...]]) -> dict[str, Removed]:
    """Count the files and bytes to remove by directory; a hard-linked file is freed with its last link."""
    names: Counter[tuple[int, int]] = Counter()
    counted = {}
    for place, paths in found.items():
        inside = [one for path in paths for one in (files.walk(path) if path.is_dir() else [path])]
        freed = 0
        for path in inside:
            status = path.lstat()
            names[status.st_dev, status.st_ino] += 1
            freed += status.st_size if names[status.st_dev, status.st_ino] == status.st_nlink else 0
        if paths:
            counted[place] = Removed(len(inside), freed)
    return counted
