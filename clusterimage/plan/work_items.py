"""The distinct things of each step, as values: a sub-task is made of one of them, and of nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.contract import Expected
from clusterimage.catalog.kubeadm_tags import ConstantsFile, KubeadmTags
from clusterimage.catalog.requirement import Demand, Requirement
from clusterimage.context.rendering import Rendering
from clusterimage.image.base_image import Base
from clusterimage.image.package import Package
from clusterimage.locks.lock import LockedFile, LockedImage
from clusterimage.oci.saved_registry import Saved
from clusterimage.plan.selection import Combination
from clusterimage.storage.tree import Branch, Piece
from clusterimage.transport.store import Store
from clusterimage.values.reference import Reference


@dataclass(frozen=True, slots=True)
class LockInputs:
    """What is to be locked. `key` stands for all of the source; `base` is on this machine, `pulled` is to be pulled.

    `context` is the build context with its manifest, `work` a directory to unpack in.
    """

    key: str
    kubefile: Path
    context: Path
    arguments: tuple[tuple[str, str], ...]
    arches: tuple[str, ...]
    ignore: Path | None
    base: Base | None
    pulled: Reference | None
    helm: Path | None
    lock: Path
    record: Path
    work: Path
    layers: Path
    store: Store


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A release that no table has: where its kubeadm's tags are read, and what its requirement follows from then."""

    constants: ConstantsFile
    demand: Demand

    @property
    def url(self) -> str:
        """Where the constants of its kubeadm are."""
        return self.constants.place(self.demand.kubernetes)


@dataclass(frozen=True, slots=True)
class Locking:
    """A version to lock: what is needed now and what any flavor may need, whose pins are kept; where the lock goes.

    `missing` counts what is not pinned yet of images with `cris` (() for all); `flavors` is what each flavor needs for
    itself. `tags` are those of kubeadm's images; those of a release that is `unlisted` are in its lock; without them
    the requirement lacks these images.
    """

    requirement: Requirement
    any_flavor: Requirement
    path: Path
    missing: int
    cris: tuple[str, ...] = ()
    flavors: tuple[Requirement, ...] = ()
    tags: KubeadmTags | None = None
    unlisted: Unlisted | None = None

    @property
    def name(self) -> str:
        """The name of its task."""
        return str(self.requirement.kubernetes)


@dataclass(frozen=True, slots=True)
class Pinning:
    """An application image to lock; `missing` says that its lock or its record is not what it has to be."""

    name: str
    order: LockInputs
    path: Path
    missing: bool
    inputs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Download:
    """A pinned file to fetch."""

    name: str
    pin: LockedFile
    mode: int
    path: Path

    @property
    def pinned(self) -> str:
        """What tells it from another of its name."""
        return self.pin.digest.hex[:12]


@dataclass(frozen=True, slots=True)
class Extraction:
    """An archive to take members out of."""

    name: str
    archive: Path
    install: tuple[tuple[str, str], ...]
    mode: int
    part: str
    tree: Path

    @property
    def pinned(self) -> str:
        """What tells it from another of its name."""
        return self.archive.name[:12]


@dataclass(frozen=True, slots=True)
class Unpacking:
    """An archive of a user's, to be unpacked whole."""

    name: str
    archive: Path
    tree: Path


@dataclass(frozen=True, slots=True)
class Render:
    """The templates of a cluster image."""

    name: str
    rendering: Rendering
    tree: Path


@dataclass(frozen=True, slots=True)
class Merge:
    """The build context of a cluster image."""

    name: str
    pieces: tuple[Piece, ...]
    branches: tuple[Branch, ...]
    empty: tuple[str, ...]
    tree: Path


@dataclass(frozen=True, slots=True)
class Pull:
    """An image of one architecture to fetch."""

    name: str
    image: LockedImage
    arch: str
    listing: Path

    @property
    def pinned(self) -> str:
        """What tells it from another of its name."""
        return self.image.top.digest.hex[:12]


@dataclass(frozen=True, slots=True)
class Import:
    """Images to take out of archives of the build context; `expected` is what they are known to hold.

    Each archive comes with the names that a list gives to its image.
    """

    name: str
    archives: tuple[tuple[Path, tuple[str, ...]], ...]
    expected: tuple[LockedImage, ...]
    arches: tuple[str, ...]
    listing: Path


@dataclass(frozen=True, slots=True)
class Save:
    """A set of images of one architecture, to be saved as a registry."""

    name: str
    saved: tuple[Saved, ...]
    arch: str
    part: str
    listings: tuple[Path, ...]
    tree: Path


@dataclass(frozen=True, slots=True)
class Load:
    """An image that the node loads by hand, to be saved as a docker-archive."""

    name: str
    image: LockedImage
    arch: str
    compressor: str
    listing: Path
    path: Path

    @property
    def pinned(self) -> str:
        """What tells it from another of its name."""
        return self.image.top.digest.hex[:12]


@dataclass(frozen=True, slots=True)
class Pack:
    """A cluster image to package; one of a user's Kubefile is no combination."""

    name: str
    combination: Combination | None
    package: Package
    inputs: tuple[Path, ...]
    dest: Path
    expected: Expected | None = None
