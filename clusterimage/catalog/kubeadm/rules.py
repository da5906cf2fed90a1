"""The version rules of kubeadm's configuration: section [kubeadm] of versions.toml as frozen rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from clusterimage.catalog.kubeadm.forms import KINDS, Form
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """A value with the Kubernetes version range and the flavor that it applies to ("" = every flavor)."""

    range: Range
    flavor: str
    value: T


@dataclass(frozen=True, slots=True)
class Gate:
    """A feature gate of the control plane and the value to set it to."""

    name: str
    value: bool

    def __str__(self) -> str:
        return f"{self.name}={str(self.value).lower()}"


@dataclass(frozen=True, slots=True)
class Part:
    """Fields of one kind of document, arguments as maps."""

    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Removed:
    """An argument or a feature gate that a version does not know; `use` names its replacement, if there is one."""

    name: str
    gate: bool
    use: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All rows in file order; of `forms` and `dns` the first match applies, of the others every match."""

    forms: tuple[Row[Form], ...]
    dns: tuple[Row[str], ...]
    gates: tuple[Row[Gate], ...]
    parts: tuple[Row[Part], ...]
    removed: tuple[Row[Removed], ...]


def holding(rows: tuple[Row[T], ...], version: Version, flavor: str) -> Iterator[T]:
    """Yield the values of the rows that apply to `version` and `flavor`."""
    return (row.value for row in rows if row.flavor in ("", flavor) and row.range.holds(version))


def rules(table: Table) -> Rules:
    """Read the section [kubeadm]; the first error raises ConfigError with its key path."""
    table.only("form", "api", "dns", "gate", "part", "removed")
    forms = {name: _form(name, values) for name, values in table.named("form")}
    return Rules(
        forms=tuple(_row(row, _known_form(row, forms), "name") for row in table.tables("api")),
        dns=tuple(_row(row, row.text("path"), "path") for row in table.tables("dns")),
        gates=tuple(
            _row(row, Gate(row.text("name"), row.get("value", bool)), "name", "value") for row in table.tables("gate")
        ),
        parts=tuple(_row(row, _part(row), "kind", "fields") for row in table.tables("part")),
        removed=tuple(_row(row, _removed(row), "argument", "gate", "use") for row in table.tables("removed")),
    )


def _row(table: Table, value: T, *keys: str) -> Row[T]:
    table.only("kubernetes", "flavor", *keys)
    return Row(table.parse("kubernetes", Range.parse), table.text("flavor", ""), value)


def _form(name: str, table: Table) -> Form:
    table.only("arguments", "timeouts", "dns_type")
    arguments = table.text("arguments")
    if arguments not in ("map", "list"):
        raise table.error("arguments", f"must be map or list, not {arguments!r}")
    return Form(name, arguments == "list", table.get("timeouts", bool), table.get("dns_type", bool))


def _known_form(row: Table, forms: dict[str, Form]) -> Form:
    name = row.text("name")
    if name not in forms:
        raise row.error("name", f"{name!r} has no [kubeadm.form]", f"known: {', '.join(forms)}")
    return forms[name]


def _part(row: Table) -> Part:
    kind = row.text("kind")
    if kind not in KINDS:
        raise row.error("kind", f"{kind!r} is not a document of kubeadm's", nearest(kind, KINDS))
    return Part(kind, row.get("fields", dict))


def _removed(row: Table) -> Removed:
    argument, gate = row.text("argument", ""), row.text("gate", "")
    if bool(argument) == bool(gate):
        raise row.error("argument", "a row names an argument or a gate, one of them")
    return Removed(argument or gate, bool(gate), row.text("use", ""))
