"""Lock a Kubernetes version: resolve its requirements to digests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from clusterimage.catalog.flavor import FLAVORS
from clusterimage.catalog.requirement import BASE, KUBERNETES, NODE, FileRequest, ImageRequest
from clusterimage.catalog.spec import EMBEDDED
from clusterimage.locks import lock, source
from clusterimage.locks.image_witness import disputed, vouch
from clusterimage.locks.lock import FIRST_USE, Lock, LockedConstants, LockedFile, LockedImage
from clusterimage.plan.work_items import Locking
from clusterimage.resolve.pin import pin
from clusterimage.storage import compression
from clusterimage.transport.network import Network
from clusterimage.transport.parallel import parallel_map
from clusterimage.transport.store import Store
from clusterimage.values.errors import ClusterImageError, ConfigError, NewerFormatError
from clusterimage.values.table import Table

R = TypeVar("R", FileRequest, ImageRequest)
P = TypeVar("P", LockedFile, LockedImage)
log = logging.getLogger(__name__)
_AT_ONCE = 8
_OF_EVERY_IMAGE = ("", BASE, KUBERNETES, NODE, *FLAVORS)  # groups that are no CNI


@dataclass(frozen=True, slots=True)
class Facts:
    """The tables that a lock is held against: sha256 of files, digests of images, versions that fit; None for none.

    There are no digests for a mirror with other bytes (own_bytes).
    """

    files: Path | None = None
    images: Path | None = None
    compatibility: Path | None = None


def write(network: Network, locking: Locking, facts: Facts, store: Store) -> None:
    """Resolve all requirements again and write the lock; pins that no flavor requires are dropped."""
    known = _known(locking)
    locking, constants = _learned(network, locking, known, anew=True)
    others = known.without(locking.requirement)
    _save(network, locking, replace(others, compressor=compression.every(), constants=constants), facts, store)


def complete(network: Network, locking: Locking, facts: Facts, store: Store) -> None:
    """Resolve the requirements that the lock lacks; existing pins are kept."""
    known = _known(locking)
    locking, constants = _learned(network, locking, known, anew=False)
    _save(network, locking, replace(known, constants=constants), facts, store)


def _learned(network: Network, locking: Locking, known: Lock, *, anew: bool) -> tuple[Locking, LockedConstants | None]:
    """Return the locking with the images of kubeadm that the table does not know, and where their tags are from."""
    if locking.unlisted is None:
        return locking, None
    from clusterimage.resolve import release  # for a release that no table has only

    constants, demand = known.constants, locking.unlisted.demand
    if constants is None or anew:
        read = release.constants(network, locking.unlisted)
        if constants is not None and constants.digest != read.digest:
            problem = f"{read.url}: was {constants.digest} when it was locked, is {read.digest}"
            raise ClusterImageError(problem, hint=f"a tag does not change: find out why, then delete {locking.path}")
        constants = read
    needed, any_flavor = demand.wanted(demand.requirements(constants.tags))
    return replace(locking, requirement=needed, any_flavor=any_flavor), constants


def _known(locking: Locking) -> Lock:
    empty = lock.empty(locking.requirement.kubernetes, compression.every())
    try:
        return lock.load(locking.path) or empty
    except NewerFormatError:
        raise  # what this version cannot read it must not replace
    except ConfigError as error:
        log.warning("%s; made anew", error.problem)
        return empty


def refuse(dest: Path, missing: int) -> None:
    """Raise ConfigError: the lock at `dest` lacks `missing` pins, and locked=yes forbids adding them."""
    raise ConfigError(
        f"{dest}: lacks {missing} pins, and locked=yes", hint="run doit lock, review the change, commit it"
    )


def _save(network: Network, locking: Locking, known: Lock, facts: Facts, store: Store) -> None:
    of_files, of_images = (Table.load(path) if path else Table("no table", {}) for path in (facts.files, facts.images))
    if facts.compatibility:
        from clusterimage.catalog import compatibility  # for what is pinned now only

        pairs = compatibility.load(facts.compatibility)
        for needed in locking.flavors:
            compatibility.refuse(needed, pairs)
    requests, images = known.lacks(locking.requirement)
    urls = tuple(dict.fromkeys(request.checksum_urls for request in requests if request.checksum_urls))
    texts = parallel_map(lambda places: source.published(network, *places), urls, _AT_ONCE)
    checksums = dict(zip(urls, texts, strict=True))
    gone: list[_Gone] = []
    files = _some(
        lambda one: source.pin(network, one, checksums.get(one.checksum_urls), store, of_files), requests, gone
    )
    distinct = {image.reference: image for image in images}
    pinned = _some(lambda one: vouch(pin(network, one.reference, store), of_images), tuple(distinct.values()), gone)
    kept = known.only(locking.any_flavor)
    if network.mirror.name != EMBEDDED:
        _tell(locking.path, requests, files, pinned, facts)
    replaced = {request.key for request in requests}
    others = [file for file in kept.files if file.key not in replaced]
    lock.save(locking.path, replace(kept, files=(*files, *others), images=(*pinned, *kept.images)))
    log.info("%s: %d files and %d images pinned", locking.path, len(files), len(pinned))
    _raise_first(gone, locking)


def _raise_first(gone: list[_Gone], locking: Locking) -> None:
    """Raise the first error of what is to be built now; the others are told."""
    for one in gone:
        if one.cri and locking.cris and one.cri not in locking.cris:
            log.warning("%s: %s", locking.path.as_posix(), one.error.problem, extra={"notice": True})
    for one in gone:
        if not one.cri or not locking.cris or one.cri in locking.cris:
            raise one.error


@dataclass(frozen=True, slots=True)
class _Gone:
    """Why a part cannot be pinned that only images with a CRI (or, without one, with a CNI) need."""

    error: ClusterImageError
    cri: str


def _some(act: Callable[[R], P], requests: tuple[R, ...], gone: list[_Gone]) -> list[P]:
    """Return what `act` makes of each request; what only some images need may fail, and is added to `gone`."""

    def attempt(request: R) -> P | _Gone:
        try:
            return act(request)
        except ClusterImageError as error:
            cri, cni = (request.cri, request.cni) if isinstance(request, FileRequest) else ("", request.group)
            needs = f"cri={cri}" if cri else f"cni={cni}" if cni not in _OF_EVERY_IMAGE else ""
            if not needs:
                raise
            hint = f"{error.hint}; the other images can be built: all else is locked"
            return _Gone(ClusterImageError(f"{error.problem}; images with {needs} need it", hint=hint), cri)

    made = parallel_map(attempt, requests, _AT_ONCE)
    gone += [one for one in made if isinstance(one, _Gone)]
    return [one for one in made if not isinstance(one, _Gone)]


def _tell(
    path: Path, requests: tuple[FileRequest, ...], files: list[LockedFile], images: list[LockedImage], facts: Facts
) -> None:
    """Say what whoever pins this has to know: nobody vouched for it, a weak witness disputes it, it has known CVEs."""
    problems = [f"{one.reference}: pinned as {one.top.digest}, {one.witness}" for one in images if disputed(one)]
    unwitnessed = [f"{file.component} {file.version} {file.arch}" for file in files if file.witness == FIRST_USE]
    if unwitnessed:
        table = f", no row in {facts.files.as_posix()}" if facts.files else ""
        problems.append(f"trusted on first use: no published checksum{table}: {', '.join(sorted(unwitnessed))}")
    vulnerable = {
        f"{one.component} {one.version} has known CVEs ({', '.join(one.vulnerable)}): {one.why}": None
        for one in requests
        if one.vulnerable
    }
    for problem in (*problems, *vulnerable):
        log.warning("%s: %s", path.as_posix(), problem, extra={"notice": True})
