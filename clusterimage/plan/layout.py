"""Where everything lies: path arithmetic from one root. The numbers are those of formats.py.

locks/<version>.toml                        pins; a mirror of other bytes has its own below locks/<mirror>/
     /apps/<name>+<tag>.toml                pins of an application image, by the name of its tasks
_build/cache-v1/{sha256,partial}/<hex>      downloads and blobs
      /trees-v1/<name>/ <name>.manifest     extract
      /rendered-v1/<image>/ <image>.manifest  render-templates
      /context-v1/<image>/ <image>.manifest .copies  merge-rootfs
      /discovered-v2/<name>+<tag>.toml      lock, of an application image: the images that it was found to need
      /images-v1/<image>.manifest           pull-images
      /registry-v1/<set>/ <set>.manifest    save-registry
      /loadable-v1/<image>.tar.gz           save-registry, of the image that the node loads by hand
      /layers-v1/<key>.tar.gz|.tar.zst <key>.json  package
      /packages-v1/<image>.manifest         package
      /noop-v1/<words>.json                 that a build had nothing left to do, by its command line (noop_cache.py)
      /state-v1.sqlite .lock                what doit remembers
      /log/<step>/<name>.log                what every task did
dist/<image>/                               the cluster image: OCI layout and SHA256SUMS
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.plan import formats
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
        return Store(self.build / formats.name("cache"))

    @property
    def layers(self) -> Path:
        """The cache of layers."""
        return self.build / formats.name("layers")

    @property
    def state(self) -> Path:
        """The database of what is up to date."""
        return self.build / f"{formats.name('state')}.sqlite"

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
        return self.build / formats.name("discovered") / f"{name}.toml"

    def tree(self, step: str, name: str) -> Path:
        """Return the tree that `step` makes of that name."""
        return self.build / formats.name(step) / name

    def listing(self, step: str, name: str) -> Path:
        """Return the manifest that stands for that tree."""
        return self.build / formats.name(step) / f"{name}{SUFFIX}"

    def loadable(self, name: str) -> Path:
        """Return the docker-archive of an image."""
        return self.build / formats.name("loadable") / f"{name}.tar.gz"

    def log(self, task: str) -> Path:
        """Return the log file of the task `step:name`."""
        return self.build / "log" / f"{task.replace(':', '/', 1)}.log"

    def package(self, name: str) -> Path:
        """Return the layout of a cluster image."""
        return self.dist / name
