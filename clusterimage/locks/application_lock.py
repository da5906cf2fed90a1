"""What is kept of an application image besides its source.

locks/apps/<id>.toml          the pins: `compressor`, [[base]] and [[image]] as in locks/<version>.toml
_build/discovered-v2/<id>.toml   the record: `key` of the source that was looked through, what was found in it

The lock belongs to the user and is committed; the record is made again whenever the source is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.locks.lock import FORMAT, LockedImage, image_lines, quote, read_image
from clusterimage.storage import files
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table


@dataclass(frozen=True, slots=True)
class Pins:
    """The lock: how layers are compressed, the base where it is pulled, and every image to save."""

    compressor: str
    base: LockedImage | None
    images: tuple[LockedImage, ...]

    def image(self, reference: Reference) -> LockedImage | None:
        """Return the pin of `reference`, or None."""
        return next((image for image in self.images if image.reference == reference), None)


@dataclass(frozen=True, slots=True)
class Record:
    """What was found: per architecture the images to pull and save, and what archives of the context hold.

    `archives` are paths in the context, each with the names that a list gives to its images. `unclear` are lines about
    what may name images and could not be told.
    """

    key: str
    images: tuple[tuple[str, tuple[Reference, ...]], ...]
    archives: tuple[tuple[str, tuple[str, ...]], ...]
    imported: tuple[LockedImage, ...]
    unclear: tuple[str, ...] = ()


def load_pins(path: Path) -> Pins | None:
    """Read a lock, or None where there is none; raises ConfigError with the key path for a damaged one."""
    if not path.exists():
        return None
    top = Table.load(path)
    top.format(FORMAT)
    top.only("format", "compressor", "base", "image")
    return Pins(
        compressor=top.text("compressor"),
        base=next((read_image(row) for row in top.tables("base")), None),
        images=tuple(read_image(row) for row in top.tables("image")),
    )


def save_pins(path: Path, pins: Pins) -> None:
    """Write a lock, sorted; the same pins give the same bytes."""
    lines = [
        "# Pins of one application image, written by `doit lock`. Review a change as you would review code.",
        f"format = {FORMAT}",
        f"compressor = {quote(pins.compressor)}",
    ]
    lines += image_lines(pins.base, "base") if pins.base else []
    for image in sorted(pins.images, key=lambda image: str(image.reference)):
        lines += image_lines(image)
    files.write(path, ("\n".join(lines) + "\n").encode())


def load_record(path: Path) -> Record | None:
    """Read a record; None where there is none, or none that makes sense."""
    try:
        top = Table.load(path)
        return Record(
            key=top.text("key"),
            images=tuple((row.text("arch"), _references(row)) for row in top.tables("needs")),
            archives=tuple((row.text("path"), row.texts("names")) for row in top.tables("archive")),
            unclear=top.texts("unclear"),
            imported=tuple(read_image(row) for row in top.tables("image")),
        )
    except ConfigError:
        return None


def _references(row: Table) -> tuple[Reference, ...]:
    return tuple(map(Reference.parse_source, row.texts("images")))


def save_record(path: Path, record: Record) -> None:
    """Write a record."""
    lines = [f"key = {quote(record.key)}", f"unclear = {_list(record.unclear)}"]
    for place, names in record.archives:
        lines += ["", "[[archive]]", f"path = {quote(place)}", f"names = {_list(names)}"]
    for arch, references in record.images:
        lines += ["", "[[needs]]", f"arch = {quote(arch)}", f"images = {_list(tuple(map(str, references)))}"]
    for image in record.imported:
        lines += image_lines(image)
    files.write(path, ("\n".join(lines) + "\n").encode())


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(quote, texts))}]"
