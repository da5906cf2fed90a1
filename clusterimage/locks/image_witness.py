"""The second witness of images: what the tags of kubeadm's images are published as (data/image-witnesses.toml)."""

from __future__ import annotations

from dataclasses import replace

from clusterimage.locks.lock import DISPUTED, LockedImage
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.table import Table

TABLE = "table"


def vouch(image: LockedImage, witnesses: Table) -> LockedImage:
    """Return `image` with what the table says of it; one that the table does not know stays as it is.

    Another digest than the table's raises ClusterImageError naming both; if the source of the row is weak, it becomes
    the witness `disputed: …`, for the lock and for whoever reads it.
    """
    reference = image.reference
    if reference.host not in witnesses.texts("hosts", ()) or reference.digest is not None:
        return image
    row = witnesses.table("images").table(reference.repository).table(reference.tag)
    if not row.values:
        return image
    row.only("index", "source")
    known, came = row.parse("index", Digest.parse), image.top.digest
    if known == came:
        return replace(image, witness=TABLE)
    source = witnesses.table("sources").table(row.text("source", ""))
    if source.get("weak", bool, False):
        return replace(image, witness=f"{DISPUTED}: {row.where} has {known} ({source.text('text')})")
    hint = "the tag was moved, or the registry serves other bytes: do not build before you know which"
    raise ClusterImageError(f"{reference}: the registry says {came}, {row.where} says {known}", hint=hint)


def disputed(image: LockedImage) -> bool:
    """Return whether a weak witness has another digest for that image."""
    return image.witness.startswith(DISPUTED)
