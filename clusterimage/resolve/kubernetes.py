"""Lock a Kubernetes version: resolve its requirements to digests."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from clusterimage.catalog.requirement import FileRequest
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

log = logging.getLogger(__name__)
_AT_ONCE = 8


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
    files = parallel_map(
        lambda request: source.pin(network, request, checksums.get(request.checksum_urls), store, of_files),
        requests,
        _AT_ONCE,
    )
    references = dict.fromkeys(image.reference for image in images)
    pinned = parallel_map(
        lambda reference: vouch(pin(network, reference, store), of_images), tuple(references), _AT_ONCE
    )
    kept = known.only(locking.any_flavor)
    if network.mirror.name != EMBEDDED:
        _tell(locking.path, requests, files, pinned, facts)
    gone = {request.key for request in requests}
    files += [file for file in kept.files if file.key not in gone]
    lock.save(locking.path, replace(kept, files=tuple(files), images=(*pinned, *kept.images)))
    log.info("%s: %d files and %d images pinned", locking.path, len(requests), len(references))


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
