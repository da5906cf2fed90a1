"""Which flags the components of a Kubernetes version know (data/component-flags.toml), and the refusal of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clusterimage.catalog.kubeadm import forms
from clusterimage.catalog.kubeadm.forms import ARGUMENTS, CLUSTER, OWN, Document
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

_PROGRAMS = {
    "nodeRegistration": "kubelet",
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
    "etcd": "etcd",
}


def known(path: Path, kubernetes: Version) -> dict[str, frozenset[str]]:
    """Return the flags of a Kubernetes version by program."""
    return {
        program: frozenset(name for name in table.values if table.parse(name, Range.parse).holds(kubernetes))
        for program, table in ((program, Table.load(path).table(program)) for program in _PROGRAMS.values())
    }


def check(bodies: tuple[Document, ...], flags: dict[str, frozenset[str]], kubernetes: Version) -> None:
    """Raise ConfigError naming an argument of a component that its version does not know.

    An etcd of the user's own choice (etcd.local.imageTag) may know others than the one of the table, and is not asked.
    """
    bundle = forms.neutral({body["kind"]: body for body in bodies})
    own_etcd = forms.get(bundle[CLUSTER], ("etcd", "local", "imageTag")) is not None
    for kind, place in ARGUMENTS:
        program = _PROGRAMS[place[0]]
        if program == "etcd" and own_etcd:
            continue
        for name in forms.get(bundle[kind], place) or {}:
            if not any(spelling in flags[program] for spelling in _spellings(program, name)):
                problem = f"{OWN}: {forms.dotted(kind, place)}: the {program} of {kubernetes} has no flag {name}"
                hint = nearest(name, tuple(sorted(flags[program])))
                raise ConfigError(problem, hint=hint if hint.startswith("did you mean") else "leave it out")


def _spellings(program: str, name: str) -> Iterator[str]:
    """Yield the names that a flag may stand under: but for etcd a program reads `_` as `-`."""
    yield name
    if program != "etcd":
        yield name.replace("_", "-")
