"""The repositories, tags and digests of the embedded upstream; images are generated on first access and cached."""

import threading
from collections.abc import Sequence

from clusterimage.upstream.contents import Blob
from clusterimage.upstream.images import PLATFORMS, Document, Image, Layer, base_layer, image
from clusterimage.values.errors import ClusterImageError


class Repositories:
    """Images by HOST/REPO and by tag or digest."""

    def __init__(self, references: Sequence[str], size: int) -> None:
        self._size = size
        self._tags: dict[str, dict[str, None]] = {}
        self._images: dict[tuple[str, str], Image] = {}
        self._moved: dict[tuple[str, str], Image] = {}
        self._bases: dict[str, Layer] = {}
        self._lock = threading.Lock()
        for reference in references:
            repository, _, tag = reference.rpartition(":")
            if not repository or "/" in tag or "@" in reference:
                hint = "write HOST/REPO:TAG"
                raise ClusterImageError(f"the embedded upstream cannot make the image {reference!r}", hint=hint)
            self._tags.setdefault(repository, {})[tag] = None

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return the sorted tags; empty for an unknown repository."""
        return tuple(sorted(self._tags.get(repository, ())))

    def manifests(self, repository: str, reference: str, *, moved: bool) -> tuple[Document, ...]:
        """Return the documents for a tag or digest, preferred first; empty if unknown.

        A tag has its index and, for clients that do not accept an index, the manifest of the first platform. With
        `moved` these are of another image, which can be pulled from then on.
        """
        if reference in self.tags(repository):
            found = self._image(repository, reference, moved=moved)
            return found.index, found.manifests[0]
        documents = [known for each in self._all(repository) for known in (each.index, *each.manifests)]
        return tuple(known for known in documents if known.blob.digest == reference)[:1]

    def blob(self, repository: str, digest: str) -> Blob | None:
        """Return a blob of any image of `repository`, or None; its manifest need not have been requested."""
        return next((each.blobs[digest] for each in self._all(repository) if digest in each.blobs), None)

    def _all(self, repository: str) -> list[Image]:
        current = [self._image(repository, tag, moved=False) for tag in self.tags(repository)]
        with self._lock:
            return current + [each for (name, _), each in self._moved.items() if name == repository]

    def _image(self, repository: str, tag: str, *, moved: bool) -> Image:
        known, suffix = (self._moved, " moved") if moved else (self._images, "")
        key = repository, tag
        with self._lock:
            if key not in known:
                label = f"{repository}:{tag}{suffix}"
                known[key] = image(repository, label, self._base_layers(), self._size)
            return known[key]

    def _base_layers(self) -> dict[str, Layer]:
        if not self._bases:
            self._bases = {arch: base_layer(arch, self._size) for arch in (p["architecture"] for p in PLATFORMS)}
        return self._bases
