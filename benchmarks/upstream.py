"""Knows the upstream of the matrix: every file and image that three Kubernetes versions need, in realistic sizes.

    files/<host>/<path>    what https://<host>/<path> publishes, with the lists of digests
    registry/              <host>/<repository>:<tag> for amd64 and arm64, on one base layer for each

What is needed comes from versions.toml by clusterimage's own rules.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contents, images
from benchmarks.contents import Donors
from benchmarks.images import ARCHES, Catalogue, Layer, Storage
from clusterimage.catalog import requirement
from clusterimage.catalog import spec as specs
from clusterimage.catalog.flavor import FLAVORS
from clusterimage.catalog.requirement import FileRequest, Requirement
from clusterimage.upstream.contents import is_text, stand_in
from clusterimage.values.version import Version

VERSIONS = ("v1.20.15", "v1.22.15", "v1.24.17")
_MEGABYTE = 1_000_000
_SIZES = {"kubeadm": 22, "kubelet": 56, "kubectl": 23, "docker": 33, "containerd": 22, "runc": 5, "crictl": 20}
_OTHER = 3.0
_IMAGES = {"kube-apiserver": 30, "kube-controller-manager": 28, "kube-scheduler": 15, "kube-proxy": 22, "etcd": 40}
_OTHER_IMAGE = 9.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """What was prepared: where it lies, what each version needs, and the bytes of all files."""

    files: Path
    registry: Path
    catalogue: Catalogue
    needed: tuple[Requirement, ...]
    file_bytes: int

    @property
    def size(self) -> int:
        """Return the bytes of everything that is needed, each once."""
        return self.file_bytes + self.catalogue.size


def requirements(root: Path) -> tuple[Requirement, ...]:
    """Return what the versions need, for every CRI, CNI and architecture; `root` holds versions.toml."""
    spec = specs.load(root / "versions.toml")
    return tuple(
        requirement.require(spec, version, (), root, FLAVORS[0])
        for version in (Version.parse(text) for text in VERSIONS)
    )


def write(root: Path, project: Path, given: Donors, scale: float = 1.0) -> Upstream:
    """Write files and images below `root`."""
    needed = requirements(project)
    requests = {request.url: request for one in needed for request in one.files}
    for request in requests.values():
        _file(root / "files", request, given, scale)
    _lists(root / "files", list(requests.values()))
    storage = Storage(root / "registry")
    bases = {arch: images.layer(storage, f"base {arch}", 14 * scale) for arch in ARCHES}
    references = sorted({f"{image.reference}" for one in needed for image in one.images})
    for reference in references:
        _image(storage, reference, bases, scale)
    file_bytes = sum(_place(root / "files", url).stat().st_size for url in requests)
    return Upstream(root / "files", root / "registry", storage.catalogue, needed, file_bytes)


def _place(root: Path, url: str) -> Path:
    return root / url.partition("://")[2]


def _file(root: Path, request: FileRequest, given: Donors, scale: float) -> None:
    """Write one published file: a text, a program, or an archive with the members that are wanted."""
    path = _place(root, request.url)
    label = f"{request.component} {request.version} {request.arch}"
    size = int(_SIZES.get(request.component, _OTHER) * scale * _MEGABYTE)
    members = [member for member, _ in request.install if member]
    if not path.name.endswith((".tgz", ".tar.gz", ".tar")):
        contents.write(path, _program(given, path.name, label, request.arch, size))
    elif not members:
        contents.write(path, contents.gzipped(contents.noise(label, size)))
    else:
        packed = _tar(given, members, label, request.arch, size // len(members))
        contents.write(path, contents.gzipped(packed) if path.name.endswith("gz") else packed)


def _program(given: Donors, name: str, label: str, arch: str, size: int) -> Iterator[bytes]:
    """Yield a stand-in that says so when it is run, and weighs what a real one does."""
    head = stand_in(name, label, arch, 0)
    yield head
    if not is_text(name) and not name.endswith(".sh"):
        yield from contents.binary(given, f"{label} {name}", max(size - len(head), 0))


def _tar(given: Donors, members: Sequence[str], label: str, arch: str, size: int) -> Iterator[bytes]:
    for member in sorted(members):
        pieces = list(_program(given, Path(member).name, label, arch, size))
        info = tarfile.TarInfo(member)
        info.size, info.mode = sum(map(len, pieces)), 0o755
        yield info.tobuf(tarfile.USTAR_FORMAT)
        yield from pieces
        yield bytes(-info.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _lists(root: Path, requests: Sequence[FileRequest]) -> None:
    """Write the published digests: one in hex for a file of its own, else lines as sha256sum prints them."""
    listed: dict[str, list[str]] = {}
    for request in requests:
        if request.checksum_url:
            path = _place(root, request.url)
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            listed.setdefault(request.checksum_url, []).append(f"{digest}  {path.name}\n")
    for url, lines in listed.items():
        contents.write(_place(root, url), iter(["".join(sorted(set(lines))).encode()]))


def _image(storage: Storage, reference: str, bases: dict[str, Layer], scale: float) -> None:
    """Store an image under its whole name, host and all."""
    repository, _, tag = reference.rpartition(":")
    size = _IMAGES.get(Path(repository).name, _OTHER_IMAGE) * scale
    layers = {arch: [bases[arch], images.layer(storage, f"{reference} {arch}", size)] for arch in ARCHES}
    images.image(storage, repository, tag, layers)
