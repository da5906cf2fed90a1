"""Which feature gates a Kubernetes version knows (data/feature-gates.toml), and the refusal of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clusterimage.catalog.kubeadm import forms
from clusterimage.catalog.kubeadm.forms import ARGUMENTS, CLUSTER, KUBELET, OWN, Bundle, Document
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

_ARGUMENT = "feature-gates"


def known(path: Path, kubernetes: Version) -> frozenset[str]:
    """Return the gates of a Kubernetes version."""
    return frozenset(name for name, held in Table.load(path).pairs("gates") if Range.parse(held).holds(kubernetes))


def check(bodies: tuple[Document, ...], gates: frozenset[str], kubernetes: Version) -> None:
    """Raise ConfigError naming a gate of the kubelet or the control plane that the version does not know."""
    bundle = {body["kind"]: {key: value for key, value in body.items()} for body in bodies}
    for where, name in _named(forms.neutral(bundle)):
        if name not in gates:
            problem = f"{OWN}: {where}: Kubernetes {kubernetes} does not know the feature gate {name}"
            hint = nearest(name, tuple(sorted(gates)))
            raise ConfigError(problem, hint=hint if hint.startswith("did you mean") else "leave it out")


def _named(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Yield every gate that is set, and where; kubeadm's own gates are others."""
    for name in bundle[KUBELET].get("featureGates") or {}:
        yield forms.dotted(KUBELET, ("featureGates",)), str(name)
    for kind, place in ARGUMENTS:
        if kind == CLUSTER and place[0] == "etcd":
            continue
        for text in (forms.get(bundle[kind], place) or {}).get(_ARGUMENT, ()):
            for gate in text.split(","):
                name = gate.partition("=")[0].strip().strip('"')
                if name:
                    yield forms.dotted(kind, place), name
