"""Lock a Kubernetes version: resolve its requirements to digests."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from clusterimage.locks import lock, source
from clusterimage.locks.lock import FIRST_USE, Lock, LockedFile
from clusterimage.plan.work_items import Locking
from clusterimage.resolve.pin import pin
from clusterimage.storage import compression
from clusterimage.transport.network import Network
from clusterimage.transport.parallel import parallel_map
from clusterimage.transport.store import Store
from clusterimage.values.errors import ConfigError, NewerFormatError
from clusterimage.values.table import Table

log = logging.getLogger(__name__)
_AT_ONCE = 8


def write(network: Network, locking: Locking, witnesses: Path | None, store: Store) -> None:
    """Resolve all requirements again and write the lock; pins that no flavor requires are dropped.

    `witnesses` is the table of independently published checksums, None for a mirror with other bytes (own_bytes).
    """
    others = _known(locking).without(locking.requirement)
    _save(network, locking, replace(others, compressor=compression.every()), witnesses, store)


def complete(network: Network, locking: Locking, witnesses: Path | None, store: Store) -> None:
    """Resolve the requirements that the lock lacks; existing pins are kept."""
    _save(network, locking, _known(locking), witnesses, store)


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


def _tell_first_use(path: Path, files: list[LockedFile], witnesses: Path | None) -> None:
    """Say which of the files pinned now nobody vouched for; a mirror of other bytes has no witnesses to miss."""
    unwitnessed = [f"{file.component} {file.version} {file.arch}" for file in files if file.witness == FIRST_USE]
    if unwitnessed and witnesses is not None:
        names = ", ".join(sorted(unwitnessed))
        problem = f"trusted on first use: no published checksum, no row in {witnesses.as_posix()}: {names}"
        log.warning("%s: %s", path.as_posix(), problem, extra={"notice": True})


def _save(network: Network, locking: Locking, known: Lock, witnesses: Path | None, store: Store) -> None:
    table = Table.load(witnesses) if witnesses else Table("no table", {})
    requests, images = known.lacks(locking.requirement)
    urls = tuple(dict.fromkeys(request.checksum_url for request in requests if request.checksum_url))
    checksums = dict(zip(urls, parallel_map(lambda url: source.published(network, url), urls, _AT_ONCE), strict=True))
    files = parallel_map(
        lambda request: source.pin(network, request, checksums.get(request.checksum_url), store, table),
        requests,
        _AT_ONCE,
    )
    references = dict.fromkeys(image.reference for image in images)
    pinned = parallel_map(lambda reference: pin(network, reference, store), tuple(references), _AT_ONCE)
    kept = known.only(locking.any_flavor)
    _tell_first_use(locking.path, files, witnesses)
    gone = {request.key for request in requests}
    files += [file for file in kept.files if file.key not in gone]
    lock.save(locking.path, replace(kept, files=tuple(files), images=(*pinned, *kept.images)))
    log.info("%s: %d files and %d images pinned", locking.path, len(requests), len(references))
