"""Registry client (https://github.com/opencontainers/distribution-spec): resolve tags to digests, pull by digest."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clusterimage.catalog.component import ARCHES
from clusterimage.locks.lock import Descriptor, LockedImage, LockedPlatform
from clusterimage.storage import manifest
from clusterimage.storage.manifest import Entry
from clusterimage.transport.network import Network, chunks
from clusterimage.transport.parallel import parallel_map
from clusterimage.transport.retry import retry
from clusterimage.transport.store import Store, Wanted
from clusterimage.values import digest as digests
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError, ConfigError, DigestMismatch, FetchError
from clusterimage.values.media_types import INDEXES, MANIFESTS
from clusterimage.values.reference import Reference

_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LIMIT = 4 << 20
_VARIANTS = {"amd64": "v1", "arm64": "v8"}  # the default of a platform without a variant


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Resolve `reference` to descriptors: its index, and manifest, config and layers of every supported architecture.

    Index and manifests are put into `store`. Raises FetchError or ClusterImageError naming the image.
    """
    top, body = _document(network, reference, str(reference.digest or reference.tag), store)
    if top.media_type in MANIFESTS:
        return LockedImage(reference, top, (_single(network, reference, top, body, store),))
    platforms = []
    for arch in ARCHES:
        digest = child(str(reference), body, arch)
        if digest is not None:
            found, document = _document(network, reference, str(digest), store)
            platforms.append(LockedPlatform(arch, found, _blobs(reference, document)))
    if not platforms:
        raise ClusterImageError(f"{reference}: has no image for {' or '.join(ARCHES)}", hint="drop it from imageList")
    return LockedImage(reference, top, tuple(platforms))


def pull(network: Network, image: LockedImage, arch: str, store: Store, dest: Path) -> None:
    """Fetch every blob of `image` for `arch` into `store` by digest, and write their manifest file to `dest`."""
    platform = image.platform(arch)
    kinds = {**dict.fromkeys(platform.blobs, "blobs"), **dict.fromkeys((image.top, platform.manifest), "manifests")}
    fetch = functools.partial(_fetch, network, image.reference, store)
    parallel_map(lambda one: fetch(*one), tuple(kinds.items()), len(kinds))
    write_list(image, arch, dest)


def write_list(image: LockedImage, arch: str, dest: Path) -> None:
    """Write the manifest file with all blobs of `image` for `arch` to `dest`."""
    platform = image.platform(arch)
    blobs = {blob.digest: blob for blob in (image.top, platform.manifest, *platform.blobs)}
    manifest.write(dest, (Entry(f"sha256/{hex_.hex}", 0o444, blob.size, hex_.hex) for hex_, blob in blobs.items()))


def _fetch(network: Network, reference: Reference, store: Store, descriptor: Descriptor, kind: str) -> None:
    headers = {"Accept": _ACCEPT} if kind == "manifests" else {}
    wanted = Wanted(f"{reference} {descriptor.digest}", descriptor.digest, descriptor.size)
    if store.has(wanted.digest):
        return

    def fetch(base: str, attempts: int) -> None:
        opener = network.opener(f"{base}/{kind}/{descriptor.digest}", headers, descriptor.size)
        store.fetch(wanted, opener, attempts, network.moved)

    network.ask(wanted.what, network.repository_places(reference.host, reference.repository), fetch)


def _document(network: Network, reference: Reference, what: str, store: Store) -> tuple[Descriptor, dict[str, Any]]:
    """Fetch the manifest or index of a tag or digest (`what`) and store it."""
    places = network.repository_places(reference.host, reference.repository)

    def fetch(base: str, attempts: int) -> tuple[Descriptor, dict[str, Any]]:
        return _read(network, reference, f"{base}/manifests/{what}", what, store, attempts)

    return network.ask(str(reference), places, fetch)


def _read(
    network: Network, reference: Reference, url: str, what: str, store: Store, attempts: int
) -> tuple[Descriptor, dict[str, Any]]:
    """Fetch the manifest or index at `url`; at most 4 MiB. What is neither raises FetchError."""
    got: list[tuple[str, bytes]] = []

    def act() -> bool:
        with network.open(url, headers={"Accept": _ACCEPT}) as response:
            data = b""
            for chunk in chunks(response):
                data += chunk
                if len(data) > _LIMIT:
                    raise FetchError(f"{reference}: its manifest is larger than {_LIMIT} bytes")
            got.append((response.headers.get("Content-Type", ""), data))
        return True

    retry(str(reference), attempts, act)
    media_type, data = got[-1]
    digest = digests.of_bytes(data)
    if what.startswith("sha256:") and str(digest) != what:
        raise DigestMismatch(str(reference), expected=what, actual=str(digest))
    body = _parse(reference, data)
    media_type = body.get("mediaType") or media_type.partition(";")[0].strip()
    if media_type not in (*INDEXES, *MANIFESTS):
        hint = "only OCI and Docker schema 2 images can be saved"
        raise FetchError(f"{reference}: unknown media type {media_type!r}", hint=hint)
    store.put(data)
    return Descriptor(digest, len(data), media_type), body


def _parse(reference: Reference, data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise FetchError(f"{reference}: its manifest is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise FetchError(f"{reference}: its manifest is not an object")
    return body


@contextmanager
def _reading(name: str, what: str) -> Iterator[None]:
    """Convert errors about the structure of a document into ClusterImageErrors naming the image."""
    try:
        yield
    except KeyError as error:
        raise ClusterImageError(f"{name}: its {what} lacks {error}") from error
    except (AttributeError, ConfigError, TypeError, ValueError) as error:
        raise ClusterImageError(f"{name}: its {what} makes no sense: {error}") from error


def child(name: str, index: dict[str, Any], arch: str) -> Digest | None:
    """Return the digest of the manifest for linux/`arch` in the index of the image `name`, or None.

    Attestations (platform unknown) and other variants are ignored.
    """
    with _reading(name, "index"):
        for entry in index["manifests"]:
            platform = entry.get("platform") or {}
            usual = _VARIANTS.get(arch, "")
            found = platform.get("os"), platform.get("architecture"), platform.get("variant") or usual
            if found == ("linux", arch, usual):
                return Digest.parse(entry["digest"])
    return None


def _blobs(reference: Reference, document: dict[str, Any]) -> tuple[Descriptor, ...]:
    with _reading(str(reference), "manifest"):
        return tuple(
            Descriptor(Digest.parse(blob["digest"]), int(blob["size"]), str(blob["mediaType"]))
            for blob in (document["config"], *document["layers"])
        )


def _single(
    network: Network, reference: Reference, top: Descriptor, body: dict[str, Any], store: Store
) -> LockedPlatform:
    """Return the only platform of an image without an index; the architecture is read from its config."""
    blobs = _blobs(reference, body)
    _fetch(network, reference, store, blobs[0], "blobs")
    config = _parse(reference, store.path(blobs[0].digest).read_bytes())
    if config.get("os") != "linux" or config.get("architecture") not in ARCHES:
        raise ClusterImageError(f"{reference}: is for {config.get('os')}/{config.get('architecture')} only")
    return LockedPlatform(config["architecture"], top, blobs)
