"""The components of versions.toml: upstream files by version and architecture, and which version is taken when."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

ENDED = "ended"  # until that day, where it is not known
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
ARCHES = ("amd64", "arm64")
KUBERNETES = "kubernetes"  # `versions` of what has the version of Kubernetes


@dataclass(frozen=True, slots=True)
class VersionRow:
    """The version of a component for a Kubernetes range, of one flavor or ("") of all.

    `until` is the date that its line ends, `vulnerable` lists the CVEs that it is known to have, `why` the reason for
    taking it nevertheless.
    """

    kubernetes: Range
    version: str
    flavor: str = ""
    until: str = ""
    vulnerable: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """One upstream file by version and architecture; `install` maps archive members ("" = the file) to image paths.

    `flavors` limits it to those flavors, each with a Kubernetes version range; empty means all flavors. `others` are
    where the same file is published too, to be asked in that order; `releases` is the git repository whose tags are its
    releases, as v<version>.
    """

    name: str
    part: str
    url: str
    checksum: str
    table: str
    arches: tuple[tuple[str, str], ...]
    install: tuple[tuple[str, str], ...]
    mode: int
    cri: str
    cni: str
    kubernetes: Range
    versions: tuple[VersionRow, ...]
    version_of: str
    flavors: tuple[tuple[str, Range], ...] = ()
    sha512: str = ""
    others: tuple[str, ...] = ()
    releases: str = ""

    def row(self, kubernetes: Version, flavor: str) -> VersionRow:
        """Return the first row that holds; without one raise ConfigError."""
        for row in self.versions:
            if row.flavor in ("", flavor) and row.kubernetes.holds(kubernetes):
                return row
        where = f"versions.toml: component.{self.name}.versions"
        raise ConfigError(f"{where}: no row for {kubernetes}", hint="add a row")

    def holds(self, kubernetes: Version, flavor: str) -> bool:
        """Return whether images of that Kubernetes version and flavor need it."""
        ranges = dict(self.flavors) or {flavor: self.kubernetes}
        return flavor in ranges and ranges[flavor].holds(kubernetes) and self.kubernetes.holds(kubernetes)


def read(name: str, table: Table, version_tables: tuple[str, ...]) -> Component:
    """Read a [component.NAME] table; the first error raises ConfigError with its key path.

    `version_tables` are the names that `versions` may have in place of rows: KUBERNETES, and those of the CNIs.
    """
    table.only(*_COMPONENT_KEYS)
    urls = table.texts("urls", ())
    if bool(urls) == ("url" in table.values):
        raise table.error(
            "url", "is missing" if not urls else "and `urls` say the same", "one of both: `urls` in order"
        )
    versions = table.values.get("versions", KUBERNETES)
    if isinstance(versions, str) and versions not in version_tables:
        raise table.error("versions", f"must be rows or a name, not {versions!r}", nearest(versions, version_tables))
    return Component(
        name=name,
        part=table.text("part"),
        url=urls[0] if urls else table.text("url"),
        checksum=table.text("checksum", ""),
        table=table.text("table", ""),
        arches=table.pairs("arch") or tuple((arch, arch) for arch in ARCHES),
        install=table.pairs("install"),
        mode=_mode(table),
        cri=table.text("cri", ""),
        cni=table.text("cni", ""),
        kubernetes=table.parse("kubernetes", Range.parse, ""),
        versions=() if isinstance(versions, str) else _version_rows(table),
        version_of=versions if isinstance(versions, str) else "",
        flavors=tuple((name, table.table("flavor").parse(name, Range.parse)) for name, _ in table.pairs("flavor")),
        sha512=table.text("sha512", ""),
        others=urls[1:],
        releases=table.text("releases", ""),
    )


_COMPONENT_KEYS = (
    *("part", "url", "urls", "releases", "checksum", "sha512", "table", "arch", "install"),
    *("mode", "cri", "cni", "kubernetes", "flavor", "versions"),
)


def _mode(table: Table) -> int:
    text = table.text("mode", "0755")
    if text not in ("0644", "0755"):
        raise table.error("mode", f"must be 0644 or 0755, not {text!r}")
    return int(text, 8)


def _version_rows(table: Table) -> tuple[VersionRow, ...]:
    return tuple(
        _version_row(table, f"versions[{index}]", row) for index, row in enumerate(table.get("versions", list))
    )


def _until(row: Table) -> str:
    text = row.text("until", "")
    if text not in ("", ENDED) and not _DATE.fullmatch(text):
        raise row.error("until", f"must be a date or {ENDED}, not '{text}'", "write it like 2026-09-30")
    return text


def _version_row(table: Table, key: str, row: object) -> VersionRow:
    match row:
        case [str(kubernetes), str(version)]:
            more = Table(f"{table.where}.{key}", {})
        case [str(kubernetes), str(version), dict(values)]:
            more = Table(f"{table.where}.{key}", values)
        case _:
            raise table.error(key, 'must be ["range", "version"], or with a table behind')
    more.only("flavor", "until", "vulnerable", "why")
    try:
        held = Range.parse(kubernetes)
    except ConfigError as error:
        raise table.error(key, error.problem, error.hint) from error
    return VersionRow(
        held,
        version,
        more.text("flavor", ""),
        _until(more),
        more.texts("vulnerable", ()),
        more.text("why", ""),
    )
