"""kubeadm's documents of every release of the image table, and what a user's own parts make of them."""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog import kubeadm, spec
from clusterimage.catalog.kubeadm.forms import CLUSTER, get
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table
from clusterimage.values.version import Version

ROOT = Path(__file__).resolve().parents[3]
FACTS = tomllib.loads((Path(__file__).parent / "kubeadm_facts.toml").read_text())
SPEC = spec.load(ROOT / "versions.toml")
RULES = kubeadm.rules(Table.load(ROOT / "versions.toml").table("kubeadm"))
MINORS = tuple(FACTS["apis"])
REGISTRY = "sea.hub:5000"


def releases() -> Iterator[Version]:
    for minor, runs in FACTS["releases"].items():
        for run in runs.split():
            first, _, last = run.partition("-")
            for patch in range(int(first), int(last or first) + 1):
                yield Version.parse(f"v{minor}.{patch}")


def minor_of(version: Version) -> str:
    return f"{version.major}.{version.minor}"


def make(version: str | Version, cri: str = "containerd", flavor: str = "sealer") -> kubeadm.Documents:
    kubernetes = Version.parse(str(version))
    socket = spec.pick(SPEC.sockets, kubernetes, "socket", cri)
    settings = kubeadm.Settings(kubernetes, socket, REGISTRY, "100.64.0.0/10", "10.96.0.0/22", flavor=flavor)
    return kubeadm.documents(settings, RULES)


@functools.cache
def every() -> tuple[tuple[Version, kubeadm.Documents], ...]:
    choices = itertools.product(releases(), ("docker", "containerd"), ("sealer", "sealos"))
    return tuple((version, make(version, cri, flavor)) for version, cri, flavor in choices)


def first_of_each_minor() -> Iterator[tuple[Version, kubeadm.Documents]]:
    return ((version, documents) for version, documents in every() if version.patch == 0)


def body(documents: kubeadm.Documents, kind: str) -> dict[str, Any]:
    return next(document for document in documents.bodies if document["kind"] == kind)


def arguments(documents: kubeadm.Documents, place: tuple[str, ...]) -> dict[str, str]:
    value = get(body(documents, CLUSTER), place) or {}
    return value if isinstance(value, dict) else {item["name"]: item["value"] for item in value}


def paths(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, item in value.items():
        yield f"{prefix}{key}"
        if isinstance(item, dict) and key not in ("extraArgs", "kubeletExtraArgs"):
            yield from paths(item, f"{prefix}{key}.")


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from scalars(item)
    else:
        yield value


def user(text: str) -> tuple[dict[str, Any], ...]:
    return kubeadm.parse(text)


def merged(version: str, text: str, flavor: str = "sealer") -> kubeadm.Documents:
    return kubeadm.merge(make(version, flavor=flavor), user(text))


def refusal(version: str, text: str, flavor: str = "sealer") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        merged(version, text, flavor)
    return caught.value
