"""Registry client (https://github.com/opencontainers/distribution-spec): resolve tags to digests, pull by digest."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from clusterimage.values.errors import ClusterImageError, ConfigError, DigestMismatch, FetchError, shown
from clusterimage.values.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    other_document,
    unknown_artifact,
)
from clusterimage.values.reference import Reference

log = logging.getLogger(__name__)
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LIMIT = 4 << 20
_DROP = "drop it from imageList"
_SPEC = "push it again with a tool that keeps to the specification of OCI images"
_GENERAL = ("", "application/json", "text/plain", "text/html", "application/octet-stream", "binary/octet-stream")
_LOOKS = 16  # entries of an index, at most, whose configs are asked for their platform
_VARIANTS = {"amd64": "v1", "arm64": "v8"}  # the default of a platform without a variant


def pin(network: Network, reference: Reference, store: Store) -> LockedImage:
    """Resolve `reference` to descriptors: its index, and manifest, config and layers of every supported architecture.

    Index and manifests are put into `store`. Raises FetchError or ClusterImageError naming the image.
    """
    top, body = _document(network, reference, str(reference.digest or reference.tag), store)
    if top.media_type in MANIFESTS:
        _refuse_others(reference, top, body)
        return LockedImage(reference, top, (_single(network, reference, top, body, store),))
    platforms = tuple(_platforms(network, reference, body, store))
    only, nested = _listed(reference, body)
    if not platforms and nested:
        raise _nested(reference)
    if not platforms:
        problem = f"{reference}: has no image for {' or '.join(ARCHES)}{f', only for {only}' if only else ''}"
        raise ClusterImageError(problem, hint=_DROP)
    there = {platform.arch for platform in platforms}
    for arch in ARCHES:
        if arch not in there and f"linux/{arch}" in only:
            log.warning("%s: has no linux/%s, only %s", reference, arch, only, extra={"notice": True})
    return LockedImage(reference, top, platforms)


def _platforms(network: Network, reference: Reference, index: dict[str, Any], store: Store) -> Iterator[LockedPlatform]:
    """Yield the image of an index for every architecture; where entries name no platform, their configs do."""

    @functools.cache
    def look(digest: Digest) -> str:
        with _passed_over(reference, digest):
            found, document = _document(network, reference, str(digest), store)
            if found.media_type in MANIFESTS and not artifact(document):
                config = _config(network, reference, _blobs(reference, document), store)
                return str(config.get("architecture")) if config.get("os") == "linux" else ""
        return ""

    for arch in ARCHES:
        digest = child(str(reference), index, arch, look)
        if digest is not None:
            found, document = _document(network, reference, str(digest), store)
            _refuse_others(reference, found, document, f" for linux/{arch}")
            yield LockedPlatform(arch, found, _blobs(reference, document))


@contextmanager
def _passed_over(reference: Reference, digest: Digest) -> Iterator[None]:
    """Note what is not there, or makes no sense, of an entry that nobody may need; what may pass is raised."""
    try:
        yield
    except DigestMismatch:
        raise
    except ClusterImageError as error:
        if isinstance(error, FetchError) and (error.retryable or error.status not in (0, 404)):
            raise
        log.warning("%s: %s is passed over: %s", reference, digest, error.problem)


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
    told, data = got[-1]
    digest = digests.of_bytes(data)
    if what.startswith("sha256:") and str(digest) != what:
        raise DigestMismatch(str(reference), expected=what, actual=str(digest))
    told = told.partition(";")[0].strip()
    body = _parse(reference, data, told)
    media_type = str(body.get("mediaType") or _guessed(body, told))
    name, hint = other_document(media_type)
    if name:
        raise FetchError(f"{reference}: is {name}", hint=hint)
    if media_type not in (*INDEXES, *MANIFESTS):
        hint = "only OCI and Docker schema 2 images can be saved"
        raise FetchError(f"{reference}: unknown media type '{shown(media_type, most=100)}'", hint=hint)
    store.put(data)
    return Descriptor(digest, len(data), media_type), body


def _guessed(body: dict[str, Any], told: str) -> str:
    """Return the media type of a document that has none; servers of files tell a general one, or none.

    What could be both, an index and a manifest, is neither (CVE-2021-41190).
    """
    is_index, is_manifest = "manifests" in body, "config" in body and "layers" in body
    if told not in _GENERAL or body.get("schemaVersion") != 2 or is_index == is_manifest:
        return told
    if is_index:
        return OCI_INDEX
    with suppress(AttributeError):
        return DOCKER_MANIFEST if body["config"].get("mediaType") == DOCKER_CONFIG else OCI_MANIFEST
    return told


def _parse(reference: Reference, data: bytes, told: str = "") -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        if told == "text/html":
            hint = "a login page or a proxy answers for the registry: check the address, or use another mirror"
            raise FetchError(f"{reference}: is a web page", hint=hint) from error
        raise FetchError(f"{reference}: its manifest is not JSON: {shown(str(error))}") from error
    if not isinstance(body, dict):
        raise FetchError(f"{reference}: its manifest is not an object")
    return body


def _refuse_others(reference: Reference, found: Descriptor, document: dict[str, Any], what: str = "") -> None:
    """Raise ClusterImageError for a manifest that is known to be something else than an image."""
    if found.media_type in INDEXES:
        raise _nested(reference, what)
    other = artifact(document)
    if other:
        raise ClusterImageError(f"{reference}: is {other}{what}, and no image", hint=_DROP)


def _nested(reference: Reference, what: str = "") -> ClusterImageError:
    problem = f"{reference}: is an index of indexes{what}, which cannot be saved"
    return ClusterImageError(problem, hint="name one of its images by its digest: NAME@sha256:…")


@contextmanager
def _reading(name: str, what: str) -> Iterator[None]:
    """Convert errors about the structure of a document into ClusterImageErrors naming the image."""
    try:
        yield
    except KeyError as error:
        raise ClusterImageError(f"{name}: its {what} lacks {shown(str(error))}", hint=_SPEC) from error
    except (AttributeError, ConfigError, TypeError, ValueError) as error:
        raise ClusterImageError(f"{name}: its {what} makes no sense: {shown(str(error))}", hint=_SPEC) from error


def child(name: str, index: dict[str, Any], arch: str, look: Callable[[Digest], str]) -> Digest | None:
    """Return the digest of the manifest for linux/`arch` in the index of the image `name`, or None.

    Attestations (platform unknown) and other variants are ignored. An entry need not name its platform: then
    `look(digest)` has to know the architecture, "" for another operating system.
    """
    with _reading(name, "index"):
        unlabelled = []
        for entry in index["manifests"]:
            platform = entry.get("platform") or {}
            usual = _VARIANTS.get(arch, "")
            found = platform.get("os"), platform.get("architecture"), platform.get("variant") or usual
            if found == ("linux", arch, usual):
                return Digest.parse(entry["digest"])
            if not platform and not entry.get("artifactType"):
                unlabelled.append(Digest.parse(entry["digest"]))
    return next((digest for digest in unlabelled[:_LOOKS] if look(digest) == arch), None)


def _listed(reference: Reference, index: dict[str, Any]) -> tuple[str, bool]:
    """Return the platforms that an index names, but for those of attestations; and whether it lists other indexes."""
    found, nested = [], False
    with _reading(str(reference), "index"):
        for entry in index["manifests"]:
            nested = nested or entry.get("mediaType") in INDEXES
            platform = entry.get("platform") or {}
            parts = [str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key)]
            found += ["/".join(parts)] if parts and "unknown" not in parts else []
    return shown(", ".join(dict.fromkeys(found)), most=100), nested


def _blobs(reference: Reference, document: dict[str, Any]) -> tuple[Descriptor, ...]:
    with _reading(str(reference), "manifest"):
        return tuple(
            Descriptor(Digest.parse(blob["digest"]), int(blob["size"]), str(blob["mediaType"]))
            for blob in (document["config"], *(document["layers"] or ()))  # Go writes null for none
        )


def _single(
    network: Network, reference: Reference, top: Descriptor, body: dict[str, Any], store: Store
) -> LockedPlatform:
    """Return the only platform of an image without an index; the architecture is read from its config."""
    blobs = _blobs(reference, body)
    config = _config(network, reference, blobs, store)
    system, arch = config.get("os"), config.get("architecture")
    if not system and not arch:
        what = unknown_artifact(body)
        problem = f"is {what}, and no image" if what else "its config names no platform"
        raise ClusterImageError(f"{reference}: {problem}", hint=_DROP)
    if system != "linux" or arch not in ARCHES:
        raise ClusterImageError(f"{reference}: is for {shown(f'{system}/{arch}', most=100)} only", hint=_DROP)
    return LockedPlatform(arch, top, blobs)


def _config(network: Network, reference: Reference, blobs: tuple[Descriptor, ...], store: Store) -> dict[str, Any]:
    """Fetch the config, the first of the blobs of an image."""
    if blobs[0].size > _LIMIT:
        raise ClusterImageError(f"{reference}: its config is larger than {_LIMIT} bytes")
    _fetch(network, reference, store, blobs[0], "blobs")
    return _parse(reference, store.path(blobs[0].digest).read_bytes())
