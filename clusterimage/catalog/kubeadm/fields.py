"""Which fields a document of a kubeadm.yml has, by API version (data/config-fields.toml), and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterimage.catalog.kubeadm.forms import ARGUMENTS, OWN, Document
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

if TYPE_CHECKING:
    import yaml

Trie = dict[str, Any]
_ITEM, _KEY, _ANYTHING = "[]", "*", "**"
_HEAD = ("apiVersion", "kind")
# They are converted between maps and lists, whichever was written.
_EXTRA_ARGUMENTS = {place[-1] for _, place in ARGUMENTS}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields by kind and apiVersion, as nested names; those of components are of one Kubernetes version."""

    documents: dict[tuple[str, str], Trie]

    def apis(self, kind: str) -> tuple[str, ...]:
        """Return the apiVersions that have documents of that kind."""
        return tuple(api for known, api in self.documents if known == kind)

    def of(self, kind: str, api: str) -> Trie:
        """Return the fields of a document; without `api` those of any API version."""
        every: Trie = {}
        for one in [api] if api else self.apis(kind):
            _merge(every, self.documents[kind, one])
        return every


def load(path: Path, kubernetes: Version) -> Fields:
    """Read data/config-fields.toml for a Kubernetes version."""
    documents = {}
    for row in Table.load(path).tables("document"):
        names = [name for name, held in row.pairs("by_version") if Range.parse(held).holds(kubernetes)]
        trie: Trie = {}
        for name in (*row.texts("fields", ()), *names):
            inner = trie
            for part in name.replace(_ITEM, f".{_ITEM}").split("."):
                inner = inner.setdefault(part, {})
        documents[row.text("kind"), row.text("api")] = trie
    return Fields(documents)


def check(source: str, fields: Fields) -> None:
    """Raise ConfigError naming the line of the first field of a user's kubeadm.yml that its API version does not have.

    A document without apiVersion may have the fields of any. Documents of other kinds are left to whoever merges them.
    """
    import yaml

    from clusterimage.values import yaml_loader

    for root in yaml.compose_all(source, Loader=yaml_loader.safe()):
        head = _scalars(root)
        kind, api = head.get("kind", ""), head.get("apiVersion", "")
        known = fields.apis(kind)
        if not known:
            continue
        if api and api not in known:
            problem = f"{kind}: no kubeadm, kubelet or kube-proxy has the apiVersion {api}"
            raise ConfigError(f"{OWN}: line {root.start_mark.line + 1}: {problem}", hint=nearest(api, known))
        for node, place, names in _unknown(root, fields.of(kind, api), ()):
            what = f"{'.'.join((kind, *place))}: {api or 'no apiVersion'} has no such field"
            hint = nearest(place[-1], tuple(names)) if names else "leave it out"
            raise ConfigError(f"{OWN}: line {node.start_mark.line + 1}: {what}", hint=hint)


def check_merged(bodies: tuple[Document, ...], fields: Fields, kubernetes: Version) -> None:
    """Raise ConfigError naming a field that the API version of that Kubernetes version does not have."""
    for body in bodies:
        kind, api = body["kind"], body["apiVersion"]
        inner = {key: value for key, value in body.items() if key not in _HEAD}
        for place in _lacking(inner, fields.of(kind, api), ()):
            what = f"{'.'.join((kind, *place))}: {api}, which configures Kubernetes {kubernetes}, has no such field"
            raise ConfigError(f"{OWN}: {what}", hint="leave it out, or build a version that has it")


def _scalars(root: yaml.Node) -> dict[str, str]:
    import yaml

    if not isinstance(root, yaml.MappingNode):
        return {}
    return {str(key.value): str(value.value) for key, value in root.value if isinstance(value, yaml.ScalarNode)}


def _unknown(
    node: yaml.Node, trie: Trie, place: tuple[str, ...]
) -> Iterator[tuple[yaml.Node, tuple[str, ...], list[str]]]:
    """Yield the node of every key that is no field, its path, and the names that it could have."""
    import yaml

    if _ANYTHING in trie or (place and place[-1] in _EXTRA_ARGUMENTS):
        return
    if isinstance(node, yaml.SequenceNode) and _ITEM in trie:
        for item in node.value:
            yield from _unknown(item, trie[_ITEM], place)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = str(key.value)
        if not place and name in _HEAD:
            continue
        inner = trie.get(name, trie.get(_KEY))
        if inner is None:
            yield key, (*place, name), [one for one in trie if one not in (_ITEM, _KEY)]
        else:
            yield from _unknown(value, inner, (*place, name))


def _lacking(value: Any, trie: Trie, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if _ANYTHING in trie or (place and place[-1] in _EXTRA_ARGUMENTS):
        return
    if isinstance(value, list) and _ITEM in trie:
        for item in value:
            yield from _lacking(item, trie[_ITEM], place)
    for name, inner in value.items() if isinstance(value, dict) else ():
        below = trie.get(str(name), trie.get(_KEY))
        if below is None:
            yield (*place, str(name))
        else:
            yield from _lacking(inner, below, (*place, str(name)))


def _merge(trie: Trie, more: Trie) -> None:
    for name, inner in more.items():
        _merge(trie.setdefault(name, {}), inner)
