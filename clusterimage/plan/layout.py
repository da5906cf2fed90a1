"""Where everything lies: path arithmetic from one root, and nothing else.

locks/<version>.toml                        pins; a mirror of other bytes has its own below locks/<mirror>/
     /apps/<name>+<tag>.toml                pins of an application image, by the name of its tasks
_build/cache/{sha256,partial}/<hex>         downloads and blobs
      /trees/<name>/ <name>.manifest        extract
      /rendered/<image>/ <image>.manifest   render-templates
      /context/<image>/ <image>.manifest .copies  merge-rootfs
      /discovered/<name>+<tag>.toml         lock, of an application image: the images that it was found to need
      /images/<image>.manifest              pull-images
      /registry/<set>/ <set>.manifest       save-registry
      /loadable/<image>.tar.gz              save-registry, of the image that the node loads by hand
      /layers/<key>.tar.gz|.tar.zst <key>.json  package
      /log/<step>/<name>.log                what every task did
      /settled/<words>.json                 that a build had nothing left to do, by its command line
      /state.sqlite .lock                   what doit remembers
dist/<image>/                               the cluster image: OCI layout and SHA256SUMS
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.storage.manifest import SUFFIX
from clusterimage.transport.store import Store
from clusterimage.values.version import Version


@dataclass(frozen=True, slots=True)
class Layout:
    """All paths below `root`; a mirror that serves other bytes than upstream has a world of its own."""

    root: Path
    mirror: Mirror

    def _own(self, place: str) -> Path:
        return self.root / place / self.mirror.name if self.mirror.own_bytes else self.root / place

    @property
    def stand_in(self) -> bool:
        """Whether what is built holds generated stand-ins instead of real software."""
        return self.mirror.name == EMBEDDED

    @property
    def build(self) -> Path:
        """What can be made again at any time."""
        return self._own("_build")

    @property
    def dist(self) -> Path:
        """What is shipped."""
        return self._own("dist")

    @property
    def context(self) -> Path:
        """The user's content of the image."""
        return self.root / "context"

    @property
    def store(self) -> Store:
        """The content store."""
        return Store(self.build / "cache")

    @property
    def layers(self) -> Path:
        """The cache of layers."""
        return self.build / "layers"

    @property
    def state(self) -> Path:
        """The database of what is up to date."""
        return self.build / "state.sqlite"

    @property
    def locks(self) -> Path:
        """The locks; the stand-ins' are no source files."""
        return self.build / "locks" if self.stand_in else self._own("locks")

    def lock(self, kubernetes: Version) -> Path:
        """Return the lock of a version."""
        return self.locks / f"{kubernetes}.toml"

    def application_lock(self, name: str) -> Path:
        """Return the lock of an application image, by the name of its tasks."""
        return self.locks / "apps" / f"{name}.toml"

    def record(self, name: str) -> Path:
        """Return the record of the images that an application image was found to need."""
        return self.build / "discovered" / f"{name}.toml"

    def tree(self, step: str, name: str) -> Path:
        """Return the tree that `step` makes of that name."""
        return self.build / step / name

    def listing(self, step: str, name: str) -> Path:
        """Return the manifest that stands for that tree."""
        return self.build / step / f"{name}{SUFFIX}"

    def loadable(self, name: str) -> Path:
        """Return the docker-archive of an image."""
        return self.build / "loadable" / f"{name}.tar.gz"

    def log(self, task: str) -> Path:
        """Return the log file of the task `step:name`."""
        return self.build / "log" / f"{task.replace(':', '/', 1)}.log"

    def package(self, name: str) -> Path:
        """Return the layout of a cluster image."""
        return self.dist / name
