"""The saved registry: a storage directory of docker-distribution 2.7, 2.8 and 3.x (filesystem driver).

    docker/registry/v2/blobs/sha256/<2 hex>/<hex>/data
    docker/registry/v2/repositories/<repository>/_layers/sha256/<hex>/link               configs and layers
                                                 _manifests/revisions/sha256/<hex>/link  indexes and manifests
                                                 _manifests/tags/<tag>/current/link
                                                 _manifests/tags/<tag>/index/sha256/<hex>/link

A link file is "sha256:<hex>" without a newline. Repository names have no host. For sealer a tag points at the original
index although only one platform's children are stored: sealer merges the directories of all platforms on the node. For
sealos, which copies the image of a tag, it points at the platform's own manifest.
https://distribution.github.io/distribution/ (registry/storage/paths.go)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.locks.lock import LockedImage
from clusterimage.storage import files, manifest
from clusterimage.storage.archive import rooted
from clusterimage.storage.manifest import Entry
from clusterimage.transport.store import Store
from clusterimage.values.digest import Digest

_ROOT = "docker/registry/v2"


@dataclass(frozen=True, slots=True)
class Saved:
    """An image and its names in the registry, as (repository, tag); an empty tag means by digest only.

    With `single_platform` the tags point at the platform's manifest, else at the index.
    """

    image: LockedImage
    names: tuple[tuple[str, str], ...]
    single_platform: bool = False


def save(saved: tuple[Saved, ...], arch: str, part: str, store: Store, dest: Path) -> None:
    """Write the registry for `arch` to `dest`, blobs as hard links into `store`; its manifest file is written last."""
    listing = dest.with_name(dest.name + manifest.SUFFIX)
    files.remove(listing)
    links: dict[str, Digest] = {}
    blobs: dict[str, Digest] = {}
    for one in saved:
        platform = one.image.platform(arch)
        top = platform.manifest.digest if one.single_platform else one.image.top.digest
        documents = {top, platform.manifest.digest}
        layers = {blob.digest for blob in platform.blobs}
        blobs |= {f"{_ROOT}/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data": digest for digest in documents | layers}
        for repository, tag in one.names:
            links |= _links(f"{_ROOT}/repositories/{repository}", tag, top, documents, layers)
    with files.atomic_tree(dest) as tree:
        for place, digest in blobs.items():
            target = rooted(tree, place)
            target.parent.mkdir(parents=True, exist_ok=True)
            files.link_or_copy(store.path(digest), target)
        for place, digest in links.items():
            target = rooted(tree, place)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(str(digest).encode())
        entries = [*_blob_entries(tree, blobs, part), *_link_entries(links, part)]
    manifest.write(listing, entries)


def _links(root: str, tag: str, top: Digest, documents: set[Digest], layers: set[Digest]) -> dict[str, Digest]:
    links = {f"{root}/_layers/sha256/{digest.hex}/link": digest for digest in layers}
    links |= {f"{root}/_manifests/revisions/sha256/{digest.hex}/link": digest for digest in documents}
    if tag:
        links[f"{root}/_manifests/tags/{tag}/index/sha256/{top.hex}/link"] = top
        links[f"{root}/_manifests/tags/{tag}/current/link"] = top
    return links


def _blob_entries(tree: Path, blobs: dict[str, Digest], part: str) -> list[Entry]:
    return [
        Entry(place, 0o644, (tree / place).stat().st_size, digest.hex, part=part) for place, digest in blobs.items()
    ]


def _link_entries(links: dict[str, Digest], part: str) -> list[Entry]:
    from clusterimage.values.digest import of_bytes

    return [
        Entry(place, 0o644, len(str(digest)), of_bytes(str(digest).encode()).hex, part=part)
        for place, digest in links.items()
    ]
