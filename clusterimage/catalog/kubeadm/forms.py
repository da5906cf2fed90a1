"""Conversion between kubeadm's API versions and the neutral form that documents are merged in.

https://github.com/kubernetes/kubernetes/blob/v1.31.0/cmd/kubeadm/app/apis/kubeadm/v1beta3/conversion.go

Neutral is v1beta4, with arguments as name -> [values] and the fields that only older versions have.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from clusterimage.values.errors import ConfigError

OWN = "context/kubeadm.yml"  # path of the user's own configuration, for error messages
REMOVED = "\0null"  # the value of an explicit null in a user's document; no YAML text has that character
Document = dict[str, Any]
Bundle = dict[str, Document]
Place = tuple[str, ...]

INIT, CLUSTER, JOIN = "InitConfiguration", "ClusterConfiguration", "JoinConfiguration"
KUBELET, PROXY = "KubeletConfiguration", "KubeProxyConfiguration"
KINDS = (INIT, CLUSTER, JOIN, KUBELET, PROXY)
GROUPS = {KUBELET: "kubelet.config.k8s.io/v1beta1", PROXY: "kubeproxy.config.k8s.io/v1alpha1"}
COMPONENTS = ("apiServer", "controllerManager", "scheduler")

ARGUMENTS: tuple[tuple[str, Place], ...] = (
    (INIT, ("nodeRegistration", "kubeletExtraArgs")),
    (JOIN, ("nodeRegistration", "kubeletExtraArgs")),
    *((CLUSTER, (component, "extraArgs")) for component in COMPONENTS),
    (CLUSTER, ("etcd", "local", "extraArgs")),
)
# Fields that v1beta4 moved: (old kind, old path, new kinds, new path).
MOVED: tuple[tuple[str, Place, tuple[str, ...], Place], ...] = (
    (CLUSTER, ("apiServer", "timeoutForControlPlane"), (INIT, JOIN), ("timeouts", "controlPlaneComponentHealthCheck")),
    (JOIN, ("discovery", "timeout"), (JOIN,), ("timeouts", "discovery")),
)
# Parts of which a document has one: (kind, path, names).
EXCLUSIVE: tuple[tuple[str, Place, tuple[str, ...]], ...] = (
    (CLUSTER, ("etcd",), ("local", "external")),
    (JOIN, ("discovery",), ("bootstrapToken", "file")),
)
# What the image or a CNI takes out of the result.
NEEDED: frozenset[tuple[str, Place]] = frozenset(
    {
        (CLUSTER, ("kubernetesVersion",)),
        (CLUSTER, ("networking",)),
        (CLUSTER, ("networking", "podSubnet")),
        (CLUSTER, ("networking", "serviceSubnet")),
    }
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a kubeadm API version supports: arguments as `lists` (else maps), `timeouts`, `dns_type`."""

    name: str
    lists: bool
    timeouts: bool
    dns_type: bool


def neutral(bundle: Bundle) -> Bundle:
    """Convert documents of any API version to the neutral form; missing kinds become empty documents."""
    result = {kind: copy.deepcopy(bundle.get(kind, {})) for kind in KINDS}
    for old_kind, old, kinds, new in MOVED:
        value = _take(result[old_kind], old)
        for kind in kinds if value is not None else ():
            put(result[kind], new, value)
    for kind, place in ARGUMENTS:
        value = get(result[kind], place)
        if value is not None:
            put(result[kind], place, _by_name(dotted(kind, place), value))
    return result


def shaped(bundle: Bundle, form: Form) -> tuple[Document, ...]:
    """Convert neutral documents to the API version `form`; a field that it lacks raises ConfigError."""
    result = copy.deepcopy(bundle)
    if not form.timeouts:
        _without_timeouts(result, form)
    if not form.dns_type and (dns := _take(result[CLUSTER], ("dns", "type"))) not in (None, "", "CoreDNS"):
        raise ConfigError(f"{CLUSTER}.dns.type: {form.name} knows CoreDNS only, not {dns}", hint="leave it out")
    for kind, place in ARGUMENTS:
        value = get(result[kind], place)
        if value is not None:
            put(result[kind], place, _written(dotted(kind, place), value, form))
    return tuple({"apiVersion": GROUPS.get(kind, form.name), "kind": kind, **result[kind]} for kind in KINDS)


def _without_timeouts(bundle: Bundle, form: Form) -> None:
    for old_kind, old, kinds, new in MOVED:
        values = [value for kind in kinds if (value := _take(bundle[kind], new)) is not None]
        if any(value != values[0] for value in values):
            what = f"{dotted(kinds[0], new)} and {dotted(kinds[1], new)} differ"
            raise ConfigError(f"{what}: {form.name} has one field for both", hint="give them one value")
        if values:
            put(bundle[old_kind], old, values[0])
    for kind in (INIT, JOIN):
        for name in bundle[kind].get("timeouts", ()):
            raise ConfigError(f"{kind}.timeouts.{name}: {form.name} has no such field", hint="leave it out")


def dotted(kind: str, place: Place) -> str:
    """Return the dotted path of the field at `place`, for error messages."""
    return ".".join((kind, *place))


def get(body: Document, place: Place) -> Any:
    """Return the value at `place`, or None."""
    value: Any = body
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def put(body: Document, place: Place, value: Any) -> None:
    """Set the value at `place`, creating parent mappings."""
    for key in place[:-1]:
        body = body.setdefault(key, {})
    body[place[-1]] = value


def _take(body: Document, place: Place) -> Any:
    """Remove and return the value at `place`; parent mappings that become empty are removed too."""
    value = get(body, place)
    if value is not None:
        del get(body, place[:-1])[place[-1]]
        for end in range(len(place) - 1, 0, -1):
            if get(body, place[:end]) == {}:
                del get(body, place[: end - 1])[place[end - 1]]
    return value


def _by_name(where: str, value: Any) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    if isinstance(value, dict):
        return {str(name): [_argument(where, item)] for name, item in value.items() if item is not None}
    for item in value if isinstance(value, list) else [None]:
        if not isinstance(item, dict) or "name" not in item or "value" not in item:
            raise ConfigError(f"{where}: must map names to values, or list them", hint="{name: v, value: '2'}")
        result.setdefault(str(item["name"]), []).append(_argument(where, item["value"]))
    return result


def _argument(where: str, value: Any) -> str:
    # kubeadm takes strings only; users also write bare numbers and booleans.
    if isinstance(value, dict | list):
        raise ConfigError(f"{where}: a value must be a string, not {value!r}", hint="quote it")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(where: str, value: dict[str, list[str]], form: Form) -> Any:
    if form.lists:
        return [{"name": name, "value": item} for name, items in value.items() for item in items]
    for name, items in value.items():
        if len(items) > 1:
            raise ConfigError(f"{where}.{name}: given {len(items)} times, {form.name} takes one", hint="give it once")
    return {name: items[0] for name, items in value.items()}
