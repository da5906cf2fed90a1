"""Load a built image into the local Docker daemon, as a docker-archive.

    manifest.json             [{"Config": ..., "RepoTags": [...], "Layers": [...]}]
    <config hex>.json
    <layer hex>.tar.gz        the compressed blobs of the image, unchanged

https://docs.docker.com/reference/api/engine/ (ImageLoad, ImageGet), https://github.com/moby/docker-image-spec (v1.2)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clusterimage.oci import layer
from clusterimage.oci.layer import Layer, Member
from clusterimage.oci.push import document, read
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.media_types import OCI_LAYER_ZSTD
from clusterimage.values.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    import docker

log = logging.getLogger(__name__)
_FIRST_WITH_ZSTD = 23  # https://docs.docker.com/engine/release-notes/23.0/
_TIMEOUT = 600  # seconds, read timeout: the daemon sends nothing while it unpacks a large layer


@contextmanager
def connected() -> Iterator[docker.DockerClient]:
    """Yield a client configured by DOCKER_HOST, DOCKER_TLS_VERIFY …; its failures become ClusterImageErrors."""
    import docker
    import requests
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_TIMEOUT)
        try:
            yield client
        finally:
            client.close()
    except (DockerException, requests.RequestException) as error:
        reason = " ".join(str(error).split())
        hint = "start it, or set DOCKER_HOST; `docker info` says whether it answers"
        raise ClusterImageError(f"the Docker daemon: {reason}", hint=hint) from error


def load(layout: Path, reference: Reference, arch: str, say: Callable[[str], None]) -> None:
    """Load the image in `layout` for linux/`arch` into the local Docker daemon as `reference`."""
    name = familiar(reference)
    members = _members(layout, arch, name)
    with connected() as client:
        _refuse_zstd(layout, arch, str(client.version().get("Version", "")))
        for image in client.images.load(layer.tar(Layer(members))):
            log.info("%s: %s", name, image.id)
    say(f"{name}: linux/{arch} is in the Docker daemon")


def familiar(reference: Reference) -> str:
    """Return Docker's familiar name: without the default docker.io/ and library/."""
    return f"{reference.name}:{reference.tag}".removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def _members(layout: Path, arch: str, name: str) -> tuple[Member, ...]:
    """Return the members of the docker-archive of one platform."""
    body = document(layout, _platform(layout, arch))
    config, *layers = (entry["digest"].removeprefix("sha256:") for entry in (body["config"], *body["layers"]))
    names = {hex_digits: f"{hex_digits}.tar.gz" for hex_digits in layers} | {config: f"{config}.json"}
    listing = [{"Config": names[config], "RepoTags": [name], "Layers": [names[one] for one in layers]}]
    text = json.dumps(listing, separators=(",", ":"), sort_keys=True).encode()
    members = [Member("manifest.json", 0o644, len(text), data=text)]
    for hex_digits, place in names.items():
        path = layout / "blobs" / "sha256" / hex_digits
        members.append(Member(place, 0o644, path.stat().st_size, source=path))
    return tuple(sorted(members, key=lambda member: member.path))


def _refuse_zstd(layout: Path, arch: str, version: str) -> None:
    """Raise ClusterImageError for zstd layers if the daemon is too old to read them."""
    layers = document(layout, _platform(layout, arch))["layers"]
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < _FIRST_WITH_ZSTD and any(one["mediaType"] == OCI_LAYER_ZSTD for one in layers):
        problem = f"{layout}: has layers compressed with zstd, which Docker {version} cannot read"
        raise ClusterImageError(problem, hint="build it with compression=isal")


def _platform(layout: Path, arch: str) -> Digest:
    for entry in document(layout, read(layout).index.digest)["manifests"]:
        if entry["platform"]["architecture"] == arch:
            return Digest.parse(entry["digest"])
    raise ClusterImageError(f"{layout}: has no image for linux/{arch}", hint=f"build it with platform=linux/{arch}")
