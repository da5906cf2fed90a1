"""Pin an image from a registry or the local Docker daemon."""

from __future__ import annotations

from clusterimage.locks.lock import LockedImage
from clusterimage.oci import remote
from clusterimage.transport.network import Network
from clusterimage.transport.store import Store
from clusterimage.values.reference import Reference


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Resolve an image of a registry, or of the local Docker daemon, to digests."""
    if reference.local:
        from clusterimage.oci import daemon_pull  # for images of the Docker daemon only

        return daemon_pull.pin(network, reference, store)
    return remote.pin(network, reference, store)
