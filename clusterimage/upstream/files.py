"""The files that the embedded upstream publishes, and the checksum lists beside them.

    /dl.k8s.io/release/v1.22.15/bin/linux/amd64/kubeadm          a plain file
    /dl.k8s.io/release/v1.22.15/bin/linux/amd64/kubeadm.sha256   its digest, hex only
    /HOST/PATH/docker-20.10.24.tgz                               an archive: the requested members, and a README
    /HOST/PATH/SHA256SUMS                                        one line "hex  name" per file with this checksum_url

https://kubernetes.io/releases/download/#binaries (a digest beside each binary)
"""

import hashlib
import posixpath
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from clusterimage.upstream.contents import Blob, gzip_stored, stand_in, tar
from clusterimage.values.errors import ClusterImageError

_GZIPPED = (".tar.gz", ".tgz")
_ARCHIVES = (*_GZIPPED, ".tar")


@dataclass(frozen=True, slots=True)
class UpstreamFile:
    """One file that an upstream publishes.

    `members` are the archive members to generate, () for a plain file; `checksum_url` is the checksum list with its
    digest, which several files may share. `text` is the content of a file that is no stand-in of software.
    """

    url: str
    label: str
    arch: str
    members: tuple[str, ...]
    checksum_url: str = ""
    text: str = ""
    sha512_url: str = ""


class Files:
    """Files by path, generated on first access and cached."""

    def __init__(self, files: Sequence[UpstreamFile], size: int) -> None:
        self._size = size
        self._files: dict[str, UpstreamFile] = {}
        self._lists: dict[str, set[str]] = {}
        self._made: dict[str, Blob] = {}
        self._lock = threading.Lock()
        for file in files:
            self._add(file)

    def find(self, path: str) -> Blob | None:
        """Return the file published at `/HOST/PATH` (percent-encoded or not), or None."""
        path = unquote(path)
        if path not in self._files and path not in self._lists:
            return None
        with self._lock:
            return self._blob(path)

    def _add(self, file: UpstreamFile) -> None:
        path = _path(file.url)
        if file.members and not path.endswith(_ARCHIVES):
            hint = f"use one of {', '.join(_ARCHIVES)}, or no members"
            raise ClusterImageError(f"the embedded upstream cannot make an archive for {file.url}", hint=hint)
        if self._files.setdefault(path, file) != file:
            hint = "describe it once, with every member that is wanted"
            raise ClusterImageError(f"two different stand-ins are wanted for {file.url}", hint=hint)
        for url in filter(None, (file.checksum_url, file.sha512_url)):
            self._lists.setdefault(_path(url), set()).add(path)

    def _blob(self, path: str) -> Blob:
        if path not in self._made:
            data = self._content(path)
            self._made[path] = Blob.of(data)
        return self._made[path]

    def _content(self, path: str) -> bytes:
        file = self._files.get(path)
        if file is None:
            return self._list(path)
        return file.text.encode() or _generate(path, file, self._size)

    def _list(self, path: str) -> bytes:
        blobs = {posixpath.basename(file): self._blob(file) for file in sorted(self._lists[path])}
        kind = "sha512" if path.endswith(".sha512") else "sha256"
        hexes = {name: hashlib.new(kind, blob.data).hexdigest() for name, blob in sorted(blobs.items())}
        if path.endswith((".sha256", ".sha512")) and len(hexes) == 1:
            return "".join(hexes.values()).encode()
        return "".join(f"{hexadecimal}  {name}\n" for name, hexadecimal in hexes.items()).encode()


def _path(url: str) -> str:
    return "/" + unquote(url.partition("://")[2])


def _generate(path: str, file: UpstreamFile, size: int) -> bytes:
    if not path.endswith(_ARCHIVES):
        return stand_in(posixpath.basename(path), file.label, file.arch, size)
    # A member that is not installed, so that extraction has something to skip.
    readme = posixpath.join(posixpath.dirname(next(iter(file.members), "")), "README")
    members = {*file.members, readme}
    packed = tar({member: stand_in(member, file.label, file.arch, size) for member in members})
    return gzip_stored(packed) if path.endswith(_GZIPPED) else packed
