"""Lock an application image: discover the images that it references, and pin them and its base image."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterimage import discover, kubefile
from clusterimage.context import ignore_list
from clusterimage.context.ignore_list import IgnoreList
from clusterimage.discover import Findings, Helm
from clusterimage.image import base_image
from clusterimage.image.base_image import Contents
from clusterimage.kubefile import Content
from clusterimage.locks.application_lock import Pins, Record, load_pins, save_pins, save_record
from clusterimage.locks.lock import LockedImage
from clusterimage.oci import archive_images, remote
from clusterimage.plan.work_items import LockInputs
from clusterimage.resolve.pin import pin
from clusterimage.storage import compression, manifest
from clusterimage.transport.network import Network
from clusterimage.transport.parallel import parallel_map
from clusterimage.transport.store import Store
from clusterimage.values import text_file
from clusterimage.values.errors import ClusterImageError, ConfigError, NewerFormatError
from clusterimage.values.reference import Reference

_AT_ONCE = 8
log = logging.getLogger(__name__)
_IGNORE = "drop it, or name it in a list: ignore=FILE"


def renew(network: Network, order: LockInputs) -> None:
    """Discover and pin everything again; unused pins are dropped."""
    _refuse_newer(order)
    _write(network, order, Pins(compression.every(), None, ()), drop=True)


def _refuse_newer(order: LockInputs) -> None:
    """Raise NewerFormatError for a lock that this version cannot read and so must not replace."""
    try:
        load_pins(order.lock)
    except NewerFormatError:
        raise
    except ConfigError:
        pass  # damaged: it is made anew


def complete(network: Network, order: LockInputs) -> None:
    """Discover the images and pin those that the lock lacks; existing pins are kept."""
    _write(network, order, load_pins(order.lock) or Pins(compression.every(), None, ()), drop=False)


def refuse(network: Network, order: LockInputs) -> None:
    """Discover the images; a missing pin raises ConfigError (locked=yes)."""
    _write(network, order, load_pins(order.lock) or Pins(compression.every(), None, ()), drop=False, locked=True)


def mentioned(order: LockInputs) -> tuple[str, ...]:
    """Return the tagged images that the context references, and the base image: what an upstream has to publish."""
    base = order.base
    found = _found(order, {arch: base_image.read(base, arch, order.layers) for arch in order.arches} if base else {})
    every = [reference for one in found.values() for reference in one.findings.images]
    names = {f"{one.name}:{one.tag}" for one in every if one.tag and not one.local}
    return tuple(sorted(names | ({str(order.pulled)} if order.pulled and not order.pulled.digest else set())))


def _write(network: Network, order: LockInputs, known: Pins, *, drop: bool, locked: bool = False) -> None:
    base = known.base if known.base and known.base.reference == order.pulled else None
    if order.pulled and base is None:
        _check_may_pin(order, str(order.pulled), locked)
        base = remote.pin(network, order.pulled, order.store)
    contents = _contents(network, order, base)
    found = _found(order, contents)
    archives = sorted({item for one in found.values() for item in one.findings.archives.items()})
    brought = [(order.context / place, names) for place, names in archives]
    images = archive_images.read(brought, order.arches, order.store)
    needed = {arch: _not_saved(one.findings, one.held) for arch, one in found.items()}
    wanted = list(dict.fromkeys(reference for references in needed.values() for reference in references))
    missing = [reference for reference in wanted if known.image(reference) is None]
    for reference in missing:
        _check_may_pin(order, str(reference), locked)
    places = {reference: place for one in found.values() for reference, place in one.findings.images.items()}
    pinned = parallel_map(lambda reference: _pin(network, reference, places[reference], order.store), missing, _AT_ONCE)
    kept = tuple(image for image in known.images if not drop or image.reference in wanted)
    pins = Pins(known.compressor, base, (*kept, *pinned))
    for arch, references in needed.items():
        chosen = [image for reference in references if (image := pins.image(reference))]
        _refuse_shared_names((*chosen, *images), found[arch].held, arch, places)
    if pins != known or not order.lock.exists():
        save_pins(order.lock, pins)
    unclear = tuple(dict.fromkeys(line for one in found.values() for line in one.findings.unclear))
    needs = tuple((arch, tuple(needed[arch])) for arch in order.arches)
    record = Record(order.key, needs, tuple(archives), images, unclear)
    save_record(order.record, record)
    log.info("%s: %d images, %d of them pinned now, %d imported", order.lock, len(wanted), len(missing), len(images))


def _check_may_pin(order: LockInputs, what: str, locked: bool) -> None:
    if locked:
        hint = "run doit lock kubefile=… name=…, review the change, commit it"
        raise ConfigError(f"{order.lock}: has no pin for {what}, and locked=yes", hint=hint)


def _pin(network: Network, reference: Reference, place: str, store: Store) -> LockedImage:
    try:
        return pin(network, reference, store)
    except ClusterImageError as error:
        raise ClusterImageError(f"{place}: {reference}: {error.problem}", hint=f"{error.hint}; or {_IGNORE}") from error


def _contents(network: Network, order: LockInputs, base: LockedImage | None) -> dict[str, Contents]:
    """Return the content of the base image by architecture; empty for scratch."""
    if base is not None:
        for arch in order.arches:
            listing = order.record.with_name(f"{order.record.stem}-base-{arch}{manifest.SUFFIX}")
            remote.pull(network, base, arch, order.store, listing)
    known = base_image.pulled(base, order.store) if base else order.base
    return {arch: base_image.read(known, arch, order.layers) for arch in order.arches} if known else {}


@dataclass(frozen=True, slots=True)
class _Held:
    """The existing saved registry: of the base image, and copied by the Kubefile.

    `tags` maps (repository, tag) to a digest, `revisions` are (repository, digest), `names` full image names.
    """

    tags: dict[tuple[str, str], str]
    revisions: set[tuple[str, str]]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The image references and the existing saved registry of one architecture."""

    findings: Findings
    held: _Held


def _found(order: LockInputs, contents: dict[str, Contents]) -> dict[str, _Found]:
    """Discover the images by architecture, without those in the ignore= list."""
    ignored = ignore_list.read(order.ignore) if order.ignore else IgnoreList()
    by_arch = {}
    for arch in order.arches:
        base = contents.get(arch)
        content = _evaluated(order, arch, base.inherited if base else None)
        places = {entry.path: order.context / source for entry, source in kubefile.entries(content) if entry.sha256}
        found = discover.find(places, Helm(order.helm, base.kubernetes if base else ""), order.work, ignored)
        found.images = {name: place for name, place in found.images.items() if name not in ignored.images}
        by_place = {place: str(path.relative_to(order.context)) for place, path in places.items()}
        found.archives = {by_place[place]: names for place, names in found.archives.items()}
        by_arch[arch] = _Found(found, _held(places, base))
    return by_arch


def _held(places: dict[str, Path], base: Contents | None) -> _Held:
    held = _Held(dict(base.tags), set(base.revisions), base.images) if base else _Held({}, set(), ())
    copied = {place: path.read_text("utf-8") for place, path in places.items() if base_image.is_link(place)}
    base_image.registry_links(copied, held.tags, held.revisions)
    return held


def _evaluated(order: LockInputs, arch: str, inherited: kubefile.Inherited | None) -> Content:
    text = text_file.read(order.kubefile)
    context = manifest.read(order.context.with_name(order.context.name + manifest.SUFFIX))
    instructions = kubefile.parse(text, order.kubefile.as_posix())
    return kubefile.evaluate(instructions, context, arch, inherited, dict(order.arguments))


def _not_saved(found: Findings, base: _Held) -> list[Reference]:
    """Return the images that are missing in the saved registry."""
    wanted = []
    for reference in found.images:
        digest = str(reference.digest) if reference.digest else ""
        held = base.tags.get((reference.repository, reference.tag))
        if not digest and held is not None:
            _refuse_another_host(reference, found.images[reference], base)
        if digest:
            is_held = (reference.repository, digest) in base.revisions and (not reference.tag or held == digest)
        else:
            is_held = held is not None
        if not is_held:
            wanted.append(reference)
    return wanted


def _refuse_another_host(reference: Reference, place: str, base: _Held) -> None:
    """Raise ClusterImageError if the base's registry has an image of another host under the same name."""
    same = [one for one in map(Reference.parse, base.names) if one.repository == reference.repository]
    others = [one for one in same if one.tag == reference.tag]
    if others and reference.host not in {one.host for one in others}:
        problem = f"{reference} ({place}) and {others[0]} (the base image) would be saved under one name"
        raise ClusterImageError(problem, hint=_IGNORE)


def _refuse_shared_names(images: Iterable[LockedImage], held: _Held, arch: str, places: dict[Reference, str]) -> None:
    """Raise ClusterImageError naming both images if one name of the saved registry would get two digests."""
    owners = {name: (digest, "what the image holds already") for name, digest in held.tags.items()}
    for image in images:
        reference = image.reference
        place = places.get(reference, "images/")
        name = (reference.repository, reference.tag)
        digest, owner = owners.setdefault(name, (str(image.top.digest), f"{reference} ({place})"))
        if reference.tag and digest != str(image.top.digest):
            problem = f"{owner} and {reference} ({place}) would be saved under one name, with different content"
            raise ClusterImageError(f"linux/{arch}: {problem}", hint=_IGNORE)
