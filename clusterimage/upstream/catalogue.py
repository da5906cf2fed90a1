"""The files and images that the embedded upstream has to publish for a set of requirements."""

from __future__ import annotations

from collections.abc import Sequence

from clusterimage.catalog.kubeadm_tags import KubeadmTags
from clusterimage.catalog.requirement import FileRequest, Requirement
from clusterimage.upstream import releases
from clusterimage.upstream.checksums import Fact, publishes_sha256, publishes_sha512
from clusterimage.upstream.files import UpstreamFile


def published(
    requirements: Sequence[Requirement], more: Sequence[str] = (), facts: tuple[Fact, ...] = ()
) -> tuple[list[UpstreamFile], list[str]]:
    """Return the files and tagged images of `requirements` and the images `more`, without duplicates and digests."""
    requests = {request.url: request for needed in requirements for request in needed.files}
    references = {image.reference for needed in requirements for image in needed.images}
    images = [str(reference) for reference in references if not reference.local]
    tagged = {name.partition("@")[0] for name in (*images, *more)}
    return [_file(request, facts) for request in requests.values()], sorted(name for name in tagged if _has_tag(name))


def constants(url: str, release: KubeadmTags) -> UpstreamFile:
    """Return the source file with the constants of a release's kubeadm."""
    return UpstreamFile(url, label="", arch="any", members=(), text=releases.constants(release))


def _file(request: FileRequest, facts: tuple[Fact, ...]) -> UpstreamFile:
    has_checksum = publishes_sha256(facts, request.component, request.version) is not False
    has_sha512 = publishes_sha512(facts, request.component, request.version) is not False
    return UpstreamFile(
        url=request.url,
        label=f"{request.component} {request.version} linux/{request.arch}",
        arch=request.arch,
        members=tuple(member for member, _ in request.install if member),
        checksum_url=request.checksum_url if has_checksum else "",
        sha512_url=request.sha512_url if has_sha512 else "",
    )


def _has_tag(name: str) -> bool:
    return ":" in name.rsplit("/", 1)[-1]
