"""versions.toml as frozen dataclasses: what can be built, the version rules, and the download sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog import cni as cnis
from clusterimage.catalog import component as components
from clusterimage.catalog import flavor as flavors
from clusterimage.catalog import kubeadm, registry_address
from clusterimage.catalog.cni import NONE, Cni
from clusterimage.catalog.component import Component
from clusterimage.catalog.flavor import Flavor
from clusterimage.catalog.kubeadm_tags import ConstantsFile
from clusterimage.catalog.registry_address import RegistryAddress
from clusterimage.storage import compression
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

EMBEDDED = "embedded"  # the mirror= value of the embedded upstream


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of the command-line variables."""

    kubernetes: str
    platforms: tuple[str, ...]
    cni: tuple[str, ...]
    pod_subnet: str
    service_subnet: str
    oldest: Version
    compression: str


@dataclass(frozen=True, slots=True)
class Runtime:
    """A container runtime, the Kubernetes range it is the default for, and the component that defines its version."""

    name: str
    default: Range
    component: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A value for a version range, optionally only for one `key` (a CRI) or one `flavor`."""

    range: Range
    value: str
    key: str = ""
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """Additional names in the saved registry for the repository `image`; one without a tag gets the image's tag."""

    kubernetes: Range
    image: str
    also: tuple[str, ...]
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Replacement download sources; names and digests in the lock stay the same, except with `own_bytes`.

    In `files` and `registries` a key that is there several times has several places, to be asked in that order. The
    place of a registry is HOST[/PATH], the path a prefix of names, or with /v2 in it that of its API and the prefix.
    """

    name: str
    files: tuple[tuple[str, str], ...] = ()
    registries: tuple[tuple[str, str], ...] = ()
    ca: str = ""
    plain_http: tuple[str, ...] = ()
    own_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """All of versions.toml."""

    defaults: Defaults
    checksums: str
    image_witnesses: str
    compatibility: str
    config_fields: str
    feature_gates: str
    component_flags: str
    kubeadm_images: str
    releases: tuple[tuple[str, str], ...]
    components: tuple[Component, ...]
    runtimes: tuple[Runtime, ...]
    flavors: tuple[Flavor, ...]
    sockets: tuple[Rule, ...]
    containerd_config: tuple[Rule, ...]
    registry_image: str
    registry_install: str
    constants: ConstantsFile | None
    repositories: tuple[Rule, ...]
    cnis: tuple[Cni, ...]
    aliases: tuple[Alias, ...]
    kubeadm: kubeadm.Rules
    sources: tuple[tuple[str, str], ...]
    mirrors: tuple[Mirror, ...]

    def component(self, name: str) -> Component:
        """Return the component of that name, which must exist."""
        return next(component for component in self.components if component.name == name)

    def flavor(self, name: str) -> Flavor:
        """Return the flavor of that name; an unknown one raises ConfigError."""
        for flavor in self.flavors:
            if flavor.name == name:
                return flavor
        raise ConfigError(f"versions.toml: flavor.{name}: is missing", hint="add the row")

    @property
    def cni_choices(self) -> tuple[str, ...]:
        """What cni= can say."""
        return NONE, *(cni.name for cni in self.cnis)

    def cni(self, name: str) -> Cni | None:
        """Return the network of that name, which must exist; None for `none`."""
        return None if name == NONE else next(cni for cni in self.cnis if cni.name == name)

    def runtime(self, name: str) -> Runtime:
        """Return the container runtime of that name; an unknown one raises ConfigError."""
        for runtime in self.runtimes:
            if runtime.name == name:
                return runtime
        known = tuple(runtime.name for runtime in self.runtimes)
        raise ConfigError(f"cri={name}: unknown container runtime", hint=nearest(name, known))

    def mirror(self, name: str) -> Mirror:
        """Return the mirror profile of that name; an unknown one raises ConfigError."""
        for mirror in self.mirrors:
            if mirror.name == name:
                return mirror
        known = (*(mirror.name for mirror in self.mirrors), EMBEDDED)
        raise ConfigError(f"mirror={name}: unknown mirror", hint=nearest(name, known))


def pick(rules: tuple[Rule, ...], version: Version, what: str, key: str = "", flavor: str = "") -> str:
    """Return the value of the first matching rule; no match raises ConfigError. `what` names the table for messages."""
    for rule in rules:
        if rule.key == key and rule.flavor in ("", flavor) and rule.range.holds(version):
            return rule.value
    raise ConfigError(f"versions.toml: no {what} for {key or 'version'} {version}", hint="add a row for it")


def load(path: Path) -> Spec:
    """Read versions.toml; the first error raises ConfigError with its key path."""
    top = Table.load(path)
    top.only(*_SECTIONS)
    image, data = top.table("registry_image"), top.table("data")
    image.only("reference", "install")
    data.only(*_DATA)
    networks = tuple(cnis.read(name, table) for name, table in top.named("cni"))
    version_tables, choices = ((first, *(cni.name for cni in networks)) for first in (components.KUBERNETES, NONE))
    return Spec(
        defaults=_defaults(top.table("defaults")),
        checksums=data.text("checksums"),
        image_witnesses=data.text("image_witnesses", ""),
        compatibility=data.text("compatibility", ""),
        config_fields=data.text("config_fields", ""),
        feature_gates=data.text("feature_gates", ""),
        component_flags=data.text("component_flags", ""),
        kubeadm_images=data.text("kubeadm_images"),
        releases=top.pairs("releases"),
        components=tuple(components.read(name, table, version_tables) for name, table in top.named("component")),
        runtimes=tuple(map(_runtime, top.tables("cri"))),
        flavors=tuple(flavors.read(name, table, choices) for name, table in top.named("flavor")),
        sockets=_rules(top, "socket", "kubernetes", "path", key="cri"),
        containerd_config=_rules(top, "containerd_config", "containerd", "version"),
        registry_image=image.text("reference"),
        registry_install=image.text("install"),
        constants=_constants(top.table("kubeadm_constants")),
        repositories=_rules(top, "kubeadm_repository", "kubernetes", "repository"),
        cnis=networks,
        aliases=tuple(map(_alias, top.tables("alias"))),
        kubeadm=kubeadm.rules(top.table("kubeadm")),
        sources=top.pairs("sources"),
        mirrors=tuple(_mirror(name, table) for name, table in top.named("mirrors")),
    )


_DATA = (
    *("checksums", "image_witnesses", "compatibility", "kubeadm_images"),
    *("config_fields", "feature_gates", "component_flags"),
)
_SECTIONS = (
    *("defaults", "data", "flavor", "component", "cri", "socket", "containerd_config", "registry_image"),
    *("releases", "kubeadm_constants", "kubeadm_repository", "cni", "alias", "kubeadm", "sources", "mirrors"),
)


def _defaults(table: Table) -> Defaults:
    table.only("kubernetes", "platforms", "cni", "pod_subnet", "service_subnet", "oldest", "compression")
    return Defaults(
        kubernetes=table.text("kubernetes"),
        platforms=table.texts("platforms"),
        cni=table.texts("cni"),
        pod_subnet=table.text("pod_subnet"),
        service_subnet=table.text("service_subnet"),
        oldest=table.parse("oldest", Version.parse),
        compression=table.parse("compression", compression.choice),
    )


def _runtime(row: Table) -> Runtime:
    row.only("name", "default", "version")
    return Runtime(row.text("name"), row.parse("default", Range.parse), row.text("version"))


def _constants(row: Table) -> ConstantsFile | None:
    row.only("kubernetes", "url", "coredns")
    if not row.values:
        return None
    return ConstantsFile(row.parse("kubernetes", Range.parse), row.text("url"), row.text("coredns"))


def _alias(row: Table) -> Alias:
    row.only("kubernetes", "image", "also", "flavor")
    return Alias(row.parse("kubernetes", Range.parse), row.text("image"), row.texts("also"), row.text("flavor", ""))


def _rules(top: Table, section: str, range_key: str, value_key: str, key: str = "") -> tuple[Rule, ...]:
    rules = []
    for row in top.tables(section):
        row.only(range_key, value_key, "flavor", *([key] if key else []))
        value = row.values.get(value_key)
        if value is None:
            raise row.error(value_key, "is missing")
        narrowed = row.text(key) if key else ""
        rules.append(Rule(row.parse(range_key, Range.parse), str(value), narrowed, row.text("flavor", "")))
    return tuple(rules)


def _several(table: Table, key: str) -> tuple[tuple[str, str], ...]:
    """Return a table of strings, or of lists of strings, as pairs: a key of several places is there several times."""
    rows = table.table(key)
    return tuple((name, place) for name in rows.values for place in rows.texts(name))


def _registries(table: Table) -> tuple[tuple[str, RegistryAddress], ...]:
    """Return registries and the places that stand for them, however both are written."""
    rows, found = table.table("registries"), []
    for name, text in _several(table, "registries"):
        try:
            key = name if name == "*" else registry_address.host(name)
            found.append((key, registry_address.parse(text)))
        except ConfigError as error:
            raise rows.error(name, error.problem, error.hint) from error
    return tuple(found)


def _hosts(table: Table, key: str) -> tuple[str, ...]:
    try:
        return tuple(map(registry_address.host, table.texts(key, ())))
    except ConfigError as error:
        raise table.error(key, error.problem, error.hint) from error


def _mirror(name: str, table: Table) -> Mirror:
    table.only("files", "registries", "ca", "plain_http", "own_bytes")
    registries = _registries(table)
    plain = (*_hosts(table, "plain_http"), *(place.host for _, place in registries if place.plain))
    return Mirror(
        name=name,
        files=_several(table, "files"),
        registries=tuple((key, address.place) for key, address in registries),
        ca=table.text("ca", ""),
        plain_http=tuple(dict.fromkeys(plain)),
        own_bytes=table.get("own_bytes", bool, False),
    )
