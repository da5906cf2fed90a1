"""The networks (CNI) of versions.toml: which release is installed in which Kubernetes version, and its images."""

from __future__ import annotations

from dataclasses import dataclass

from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table
from clusterimage.values.version import Range, Version

NONE = "none"


@dataclass(frozen=True, slots=True)
class CniRelease:
    """The release for a Kubernetes version range, its images, and the {manifest} of its component, if it has one."""

    kubernetes: Range
    version: str
    images: tuple[str, ...]
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class Cni:
    """A network; `releases` is the git repository whose tags are its releases, as v<version>."""

    name: str
    title: str
    versions: tuple[CniRelease, ...]
    releases: str = ""

    def find(self, kubernetes: Version) -> CniRelease | None:
        """Return the first row that holds, or None."""
        return next((row for row in self.versions if row.kubernetes.holds(kubernetes)), None)

    def refuse(self, kubernetes: Version) -> None:
        """Raise ConfigError if there is no release for that Kubernetes version."""
        if self.find(kubernetes) is None:
            known = " or ".join(dict.fromkeys(row.kubernetes.text for row in self.versions))
            problem = f"cni={self.name}: {self.title} has no row for {kubernetes}, only for {known}"
            raise ConfigError(problem, hint=f"take another cni=, or add a [[cni.{self.name}.versions]] row")


def read(name: str, table: Table) -> Cni:
    """Read a [cni.NAME] table; the first error raises ConfigError with its key path."""
    table.only("title", "releases", "versions")
    return Cni(name, table.text("title"), tuple(map(_release, table.tables("versions"))), table.text("releases", ""))


def _release(row: Table) -> CniRelease:
    row.only("kubernetes", "version", "manifest", "images")
    kubernetes = row.parse("kubernetes", Range.parse)
    return CniRelease(kubernetes, row.text("version"), row.texts("images"), row.text("manifest", ""))
