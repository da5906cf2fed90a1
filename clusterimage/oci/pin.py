"""Pinning an image, wherever it comes from."""

from __future__ import annotations

from clusterimage.lock import LockedImage
from clusterimage.network import Network
from clusterimage.oci import remote
from clusterimage.oci.reference import Reference
from clusterimage.store import Store


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Return the pin of an image of a registry, or of the local Docker daemon."""
    if reference.local:
        from clusterimage.oci import local  # for images of the Docker daemon only

        return local.pin(network, reference, store)
    return remote.pin(network, reference, store)
