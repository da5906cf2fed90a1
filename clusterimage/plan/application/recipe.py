"""Derive the work items of every step for the image of a user's Kubefile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterimage import kubefile
from clusterimage.catalog.flavor import SEALOS
from clusterimage.image import base_image
from clusterimage.image.base_image import Base
from clusterimage.image.package import Package
from clusterimage.kubefile import EXTRACTED, ignore_file
from clusterimage.locks import application_lock
from clusterimage.locks.application_lock import Pins, Record
from clusterimage.locks.lock import LockedImage
from clusterimage.oci.saved_registry import Saved
from clusterimage.plan.application import sources
from clusterimage.plan.application.request import Application
from clusterimage.plan.layout import Layout
from clusterimage.plan.selection import Selection
from clusterimage.plan.work_items import Import, LockInputs, Merge, Pack, Pinning, Pull, Save, Unpacking
from clusterimage.storage import archive, compression
from clusterimage.storage.own_tree import FOLDER, Own
from clusterimage.storage.tree import Branch, piece_of
from clusterimage.values import digest, text_file
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference

_LARGE = 1 << 20  # bytes; larger files get a separate layer, so that editing a text does not rebuild it
_STAND_IN = ("io.clusterimage.stand-in", "true")


@dataclass(frozen=True, slots=True)
class ApplicationRecipe:
    """A Kubefile, its context and its base; `pins` and `found` are its lock and record, None until it is locked.

    `chosen` is what the Kubefile uses of the context, `archives` the files among it that ADD extracts.
    """

    selection: Selection
    asked: Application
    layout: Layout
    helm: Path | None
    chosen: tuple[Own, ...]
    archives: tuple[str, ...]
    base: Base | None
    pulled: Reference | None
    key: str
    pins: Pins | None
    found: Record | None

    @classmethod
    def read(cls, selection: Selection, asked: Application, layout: Layout, helm: Path | None) -> ApplicationRecipe:
        """Read Kubefile, base and lock, and list the context; of its files only the heads of archives are read.

        Errors in the Kubefile, and sources missing in the context, raise ConfigError with file and line.
        """
        text = text_file.read(asked.kubefile)
        instructions = kubefile.parse(text, asked.kubefile.as_posix())
        arguments = dict(asked.arguments)
        kubefile.check(instructions, arguments)
        ignored = ignore_file.read(asked.context)
        entries = sources.entries(asked.context, (layout.root / "_build", layout.root / "dist"), ignored)
        used: set[str] = set()
        added: set[str] = set()
        for arch in selection.arches:
            needed, archives = kubefile.used(instructions, entries, arch, arguments, ignored)
            used |= needed
            added |= archives
        name = kubefile.base(instructions, arguments)
        base = None if name == kubefile.SCRATCH else base_image.local(name, layout.dist)
        chosen = sources.chosen(asked.context, (entry for entry in entries if entry.path in used))
        texts = [text, repr(asked.arguments), repr(selection.arches), repr(base), name, str(helm)]
        texts += [text_file.read(asked.ignore)] if asked.ignore else []
        return cls(
            selection=selection,
            asked=asked,
            layout=layout,
            helm=helm,
            chosen=chosen,
            archives=tuple(path for path in sorted(added) if archive.is_tar(asked.context / path)),
            base=base,
            pulled=Reference.parse(name) if base is None and name != kubefile.SCRATCH else None,
            key=sources.key(texts, chosen),
            pins=application_lock.load_pins(layout.application_lock(asked.id)),
            found=application_lock.load_record(layout.record(asked.id)),
        )

    @property
    def missing(self) -> bool:
        """Whether it has to be locked first: there is no lock, the key changed, or a pin is missing."""
        if self.pins is None or self.found is None or self.found.key != self.key:
            return True
        if self.pulled is not None and (self.pins.base is None or self.pins.base.reference != self.pulled):
            return True
        return any(self.pins.image(reference) is None for _, all_ in self.found.images for reference in all_)

    # --------------------------------------------------------------- contexts

    @property
    def _context(self) -> Path:
        return self.layout.tree("context", self.asked.id)

    def unpackings(self) -> Iterator[Unpacking]:
        """Yield the extractions of ADD's archives."""
        for path in self.archives:
            name = f"{self.asked.id}-{digest.of_bytes(path.encode()).hex[:12]}"
            yield Unpacking(f"{self.asked.id}+{path}", self.asked.context / path, self.layout.tree("trees", name))

    def merge(self) -> Merge:
        """Return the build context: the files that the Kubefile copies, and the extracted archives."""
        owner = f"context {self.asked.context}"
        pieces = tuple(piece_of(own, own.place, owner, _part(own)) for own in self.chosen if not _is_plain(own))
        branches = tuple(
            Branch(one.tree, f"{EXTRACTED}/{path}", path)
            for path, one in zip(self.archives, self.unpackings(), strict=True)
        )
        empty = tuple(own.place for own in self.chosen if _is_plain(own))
        return Merge(self.asked.id, pieces, branches, empty, self._context)

    def pinning(self) -> Pinning:
        """Return the work item that locks the image."""
        name = self.asked.id
        order = LockInputs(
            key=self.key,
            kubefile=self.asked.kubefile,
            context=self._context,
            arguments=self.asked.arguments,
            arches=self.selection.arches,
            ignore=self.asked.ignore,
            base=self.base,
            pulled=self.pulled,
            helm=self.helm,
            lock=self.layout.application_lock(name),
            record=self.layout.record(name),
            work=self.layout.tree("discovered", name),
            layers=self.layout.layers,
            store=self.layout.store,
        )
        return Pinning(name, order, order.lock, self.missing, (self.layout.listing("context", name),))

    # ----------------------------------------------------------------- images

    def _known(self) -> tuple[Pins, Record]:
        assert self.pins is not None and self.found is not None  # asked for once it is locked only
        return self.pins, self.found

    def _images(self, arch: str) -> list[LockedImage]:
        pins, found = self._known()
        return [image for one in dict(found.images).get(arch, ()) if (image := pins.image(one))]

    def _pull(self, image: LockedImage, arch: str) -> Pull:
        image.platform(arch)
        name = f"{image.reference.label}-{arch}"
        listing = self.layout.listing("images", f"{name.replace('/', '_')}-{image.top.digest.hex[:12]}")
        return Pull(name, image, arch, listing)

    def pulls(self) -> Iterator[Pull]:
        """Yield the pulls of the images to save, and of the base image if it is in a registry."""
        for arch in self.selection.arches:
            for image in (*self._images(arch), *self._base_image()):
                yield self._pull(image, arch)

    def _base_image(self) -> tuple[LockedImage, ...]:
        pins, _ = self._known()
        return (pins.base,) if self.pulled is not None and pins.base else ()

    def imports(self) -> Iterator[Import]:
        """Yield one import for all image archives in the context."""
        _, found = self._known()
        if found.imported:
            name = f"{self.asked.id}-archives"
            archives = tuple((self._context / path, names) for path, names in found.archives)
            yield Import(name, archives, found.imported, self.selection.arches, self.layout.listing("images", name))

    def saves(self) -> Iterator[Save]:
        """Yield the saved registry of every architecture."""
        _, found = self._known()
        brought = tuple(one.listing for one in self.imports())
        for arch in self.selection.arches:
            images = [*self._images(arch), *found.imported]
            if images:
                single = self.asked.flavor == SEALOS  # whose sync passes over an index of other platforms
                saved = tuple(
                    Saved(image, ((image.reference.repository, image.reference.tag),), single) for image in images
                )
                listings = (*(self._pull(image, arch).listing for image in self._images(arch)), *brought)
                name = f"{self.asked.id}-{arch}"
                tree = self.layout.tree("registry", name)
                yield Save(name, saved, arch, "images", tuple(dict.fromkeys(listings)), tree)

    # --------------------------------------------------------------- packages

    def pack(self) -> Pack:
        """Return the package of the image."""
        pins, found = self._known()
        if self.selection.strict and found.unclear:
            shown = "".join(f"\n  {line}" for line in found.unclear)
            problem = f"strict=yes: {len(found.unclear)} places may name images that are not saved:{shown}"
            raise ConfigError(problem, hint="name the images in manifests/imageList, and the places in ignore=FILE")
        name, arches = self.asked.id, self.selection.arches
        saves = tuple(self.saves())
        names = {arch: [*self._images(arch), *found.imported] for arch in arches}
        package = Package(
            reference=self.asked.reference,
            context=self._context,
            registries=tuple((arch, tuple(save.tree for save in saves if save.arch == arch)) for arch in arches),
            images=tuple((arch, tuple(str(image.reference.plain) for image in names[arch])) for arch in arches),
            compressor=compression.chosen(pins.compressor, self.selection.compression),
            labels=(_STAND_IN,) if self.layout.stand_in else (),
            command=self.asked.flavor == SEALOS,
            kubefile=self.asked.kubefile,
            arguments=self.asked.arguments,
            base=base_image.pulled(pins.base, self.layout.store)
            if self.pulled is not None and pins.base
            else self.base,
        )
        inputs = [self.layout.listing("context", name), self.asked.kubefile]
        inputs += [self.layout.listing("registry", save.name) for save in saves]
        inputs += [self._pull(image, arch).listing for image in self._base_image() for arch in arches]
        return Pack(name, None, package, tuple(inputs), self.layout.package(name))


def _part(own: Own) -> str:
    return "files" if own.size >= _LARGE else "config"


def _is_plain(own: Own) -> bool:
    """Return whether it is a directory of which there is nothing to say but that it is there."""
    return own.is_directory and own.mode == FOLDER
