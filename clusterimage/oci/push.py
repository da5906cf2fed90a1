"""Pushing an image to a registry (https://github.com/opencontainers/distribution-spec, "Push").

HEAD  /v2/<repository>/blobs/<digest>                          every blob: existing ones are skipped
POST  /v2/<repository>/blobs/uploads/?mount=<digest>&from=…    mount from another repository of that registry
POST, PATCH …, PUT ?digest=<digest>                            upload in chunks (oci/upload.py)
HEAD  /v2/<repository>/manifests/<tag>                         whether the tag names the index already
PUT   /v2/<repository>/manifests/<digest>                      every platform
PUT   /v2/<repository>/manifests/<tag>                         the index, last: a tag never names an incomplete image

A tag that names the index already is left alone: many registries do not let a tag be written twice.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterimage.locks.lock import Descriptor
from clusterimage.oci.upload import MOUNTED, PRESENT, UPLOADED, Repository, upload
from clusterimage.transport.network import Network
from clusterimage.transport.parallel import parallel_map
from clusterimage.transport.retry import retry
from clusterimage.transport.store import single_flight
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError, FetchError, shown
from clusterimage.values.reference import Reference

log = logging.getLogger(__name__)
_AT_ONCE = 4
_STORED = (200, 201, 202)  # 201 by the specification; crane and skopeo take these for manifests


@dataclass(frozen=True, slots=True)
class Content:
    """The descriptors of a layout: the index, its manifests, and every config and layer once."""

    index: Descriptor
    manifests: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def push(network: Network, layout: Path, reference: Reference, mount: str, say: Callable[[str], None]) -> None:
    """Push the image in `layout` as `reference` and report the numbers of blobs with `say`.

    `mount` is a repository of the same registry to mount blobs from, "" for none. Raises FetchError if a push fails.
    """
    if network.offline:
        raise ClusterImageError(f"{reference}: offline=yes, nothing can be pushed", hint="push without offline=yes")
    content = read(layout)
    repository = Repository(network, reference, mount.removeprefix(f"{reference.host}/"))
    try:
        ways = parallel_map(lambda blob: _blob(repository, blob, layout), content.blobs, _AT_ONCE)
        tagged = _is_there(repository, content.index, reference.tag)
        for manifest in content.manifests:
            if not (tagged and _is_there(repository, manifest, str(manifest.digest))):
                _manifest(repository, manifest, layout, str(manifest.digest))
        if not tagged:
            _manifest(repository, content.index, layout, reference.tag)
    except FetchError as error:
        from clusterimage.oci import refusals  # only a push that fails needs it

        raise FetchError(error.problem, hint=refusals.hint(error), status=error.status) from error
    counts = Counter(ways)
    said = ", ".join(f"{counts[way]} {way}" for way in (UPLOADED, MOUNTED, PRESENT))
    done = "; nothing to do" if tagged and set(ways) == {PRESENT} else ""
    say(f"{reference}@{content.index.digest}: blobs {said}{done}")


def read(layout: Path) -> Content:
    """Read the descriptors of the OCI layout at `layout`; raises ClusterImageError if there is none."""
    try:
        top = json.loads((layout / "index.json").read_text("utf-8"))["manifests"][0]
    except FileNotFoundError as error:
        raise ClusterImageError(f"{layout}: is not a built image", hint="run doit build") from error
    index = _descriptor(top)
    manifests = tuple(_descriptor(entry) for entry in document(layout, index.digest)["manifests"])
    blobs: dict[Digest, Descriptor] = {}
    for manifest in manifests:
        body = document(layout, manifest.digest)
        for entry in (body["config"], *body["layers"]):
            blob = _descriptor(entry)
            blobs[blob.digest] = blob
    return Content(index, manifests, tuple(blobs.values()))


def document(layout: Path, digest: Digest) -> dict[str, Any]:
    """Return the index, manifest or config of that digest."""
    values: dict[str, Any] = json.loads(blob_path(layout, digest).read_text("utf-8"))
    return values


def blob_path(layout: Path, digest: Digest) -> Path:
    """Return the path of a blob of the layout."""
    return layout / "blobs" / "sha256" / digest.hex


def _descriptor(entry: dict[str, Any]) -> Descriptor:
    return Descriptor(Digest.parse(entry["digest"]), entry["size"], entry["mediaType"])


def _blob(repository: Repository, blob: Descriptor, layout: Path) -> str:
    """Push one blob and return the result; a blob shared by concurrent pushes is uploaded once."""
    with single_flight(Path(repository.url) / blob.digest.hex):
        way = upload(repository, blob, blob_path(layout, blob.digest))
    log.info("%s: %d bytes %s", blob.digest, blob.size, way)
    return way


def _is_there(repository: Repository, manifest: Descriptor, name: str) -> bool:
    """Return whether `name`, a tag or its digest, names the manifest in the registry."""
    found: list[bool] = []

    def act() -> bool:
        found.append(repository.names(name, manifest))
        return True

    retry(f"{repository.url}/manifests/{name}", repository.network.attempts, act)
    return found[-1]


def _manifest(repository: Repository, manifest: Descriptor, layout: Path, name: str) -> None:
    data = blob_path(layout, manifest.digest).read_bytes()
    url = f"{repository.url}/manifests/{name}"

    def act() -> bool:
        answer = repository.call("PUT", url, _STORED, data, (("Content-Type", manifest.media_type),))
        stored = answer.headers.get("Docker-Content-Digest", str(manifest.digest))
        if stored != str(manifest.digest):
            problem = f"{url}: the registry stored {shown(stored)} instead of {manifest.digest}"
            raise FetchError(problem, hint="push to a registry that keeps what it is given")
        return True

    retry(url, repository.network.attempts, act)
    log.info("%s: manifest %s", manifest.digest, name)
