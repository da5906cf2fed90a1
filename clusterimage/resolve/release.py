"""What only a Kubernetes release itself knows of it: read from its source, for one that no table has."""

from __future__ import annotations

from clusterimage.catalog import kubeadm_tags
from clusterimage.locks import source
from clusterimage.locks.lock import LockedConstants
from clusterimage.plan.work_items import Unlisted
from clusterimage.transport.network import Network
from clusterimage.values import digest
from clusterimage.values.errors import ClusterImageError


def constants(network: Network, release: Unlisted) -> LockedConstants:
    """Return the image tags of a release out of the source of its kubeadm, and what they were read from.

    A release that upstream does not have raises ConfigError; so does a file that cannot be understood.
    """
    demand, url = release.demand, release.url
    kubernetes = demand.kubernetes
    try:
        data = source.small_file(network, url)
    except ClusterImageError as error:
        hint = f"{error.hint}; or add its row: {kubeadm_tags.row(kubernetes, kubeadm_tags.KubeadmTags('', '', ''))}"
        raise ClusterImageError(
            f"k8s={kubernetes}: {demand.spec.kubeadm_images} lacks it: {error.problem}", hint=hint
        ) from error
    if data is None:
        why = f", and upstream has no such release ({url}: 404)"
        raise kubeadm_tags.unknown(demand.root / demand.spec.kubeadm_images, kubernetes, why)
    tags = kubeadm_tags.parse(data.decode(errors="replace"), url, kubernetes, release.constants.coredns)
    return LockedConstants(url, digest.of_bytes(data), tags)
