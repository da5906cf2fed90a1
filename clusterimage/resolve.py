"""Locking: what a Kubernetes version requires, resolved to pins."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from clusterimage import lock, source
from clusterimage.errors import ConfigError
from clusterimage.lock import Lock, LockedImage
from clusterimage.network import Network
from clusterimage.oci import layer, local, remote
from clusterimage.oci.reference import Reference
from clusterimage.requirement import Requirement
from clusterimage.store import Store
from clusterimage.table import Table
from clusterimage.together import together

log = logging.getLogger(__name__)
_AT_ONCE = 8


def write(network: Network, needed: Requirement, witnesses: Path | None, store: Store, dest: Path) -> None:
    """Resolve everything that `needed` asks for and write the lock; pins that nothing asks for are dropped.

    `witnesses` is the table of the second witness, None for a mirror of other bytes.
    """
    _save(network, needed, lock.empty(needed.kubernetes, layer.compressor()), witnesses, store, dest)


def complete(network: Network, needed: Requirement, witnesses: Path | None, store: Store, dest: Path) -> None:
    """Resolve what the lock at `dest` lacks; pins that it has stay as they are."""
    try:
        known = lock.load(dest)
    except ConfigError as error:
        log.warning("%s; made anew", error.problem)
        known = None
    known = known or lock.empty(needed.kubernetes, layer.compressor())
    _save(network, needed, known, witnesses, store, dest)


def refuse(dest: Path, missing: int) -> None:
    """Raise ConfigError: the lock at `dest` lacks `missing` pins, and locked=yes forbids to make them."""
    raise ConfigError(
        f"{dest}: lacks {missing} pins, and locked=yes", hint="run doit lock, review the change, commit it"
    )


def _save(network: Network, needed: Requirement, known: Lock, witnesses: Path | None, store: Store, dest: Path) -> None:
    table = Table.load(witnesses) if witnesses else Table("no table", {})
    requests, images = known.lacks(needed)
    urls = tuple(dict.fromkeys(request.checksum_url for request in requests if request.checksum_url))
    checksums = dict(zip(urls, together(lambda url: source.published(network, url), urls, _AT_ONCE), strict=True))
    files = together(
        lambda request: source.pin(network, request, checksums.get(request.checksum_url, ""), store, table),
        requests,
        _AT_ONCE,
    )
    references = dict.fromkeys(image.reference for image in images)
    pinned = together(lambda reference: pin(network, reference, store), tuple(references), _AT_ONCE)
    kept = known.only(needed)
    gone = {request.key for request in requests}
    files += [file for file in kept.files if file.key not in gone]
    lock.save(dest, replace(kept, files=tuple(files), images=(*pinned, *kept.images)))
    log.info("%s: %d files and %d images pinned", dest, len(requests), len(references))


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Return the pin of an image of a registry, or of the local Docker daemon."""
    return (local.pin if reference.local else remote.pin)(network, reference, store)
