"""Merge a user's kubeadm.yml, partial and of any API version since kubeadm v1.13, into the default one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from clusterimage.catalog.kubeadm import forms
from clusterimage.catalog.kubeadm.forms import ARGUMENTS, CLUSTER, GROUPS, KINDS, KUBELET, OWN, Bundle, Document
from clusterimage.catalog.kubeadm.model import Documents, overlay
from clusterimage.catalog.kubeadm.rules import Removed
from clusterimage.values.errors import ConfigError
from clusterimage.values.table import nearest


def merge(documents: Documents, user: Iterable[Document]) -> Documents:
    """Deep-merge the user's documents into `documents`: by kind, arguments by name, lists replaced.

    An explicit null removes a field. Only the group of the user's apiVersion is checked; the result has the API version
    of the Kubernetes version.
    Raises ConfigError for another kubernetesVersion, and for arguments or feature gates that it has removed.
    """
    bundle = forms.neutral(_bundle(documents.bodies))
    for document in user:
        kind = _kind(document)
        piece = _without_nulls(document)
        _check_mappings(kind, piece)
        if kind == CLUSTER:
            _check_version(documents, piece)
        for name, fields in forms.neutral(_bundle((piece,))).items():
            _drop_others(bundle[name], fields, name)
            overlay(bundle[name], fields, name)
        for place in _nulls(document):
            _remove(bundle[kind], kind, place)
    _rebase_dns(documents, bundle[CLUSTER])
    _refuse_removed(documents, bundle)
    return replace(documents, bodies=forms.shaped(bundle, documents.form))


def image_tags(user: Iterable[Document]) -> tuple[str, str]:
    """Return the image tags of CoreDNS and etcd that a user's documents set, "" for none."""
    tags = {("dns", "imageTag"): "", ("etcd", "local", "imageTag"): ""}
    for document in user:
        for place in tags:
            is_cluster = isinstance(document, dict) and document.get("kind") == CLUSTER
            value = forms.get(document, place) if is_cluster else None
            if isinstance(value, str) and value != forms.REMOVED:
                tags[place] = value
    dns, etcd = tags.values()
    return dns, etcd


def _bundle(bodies: Iterable[Document]) -> Bundle:
    return {body["kind"]: {k: v for k, v in body.items() if k not in ("apiVersion", "kind")} for body in bodies}


def _drop_others(body: Document, over: Document, kind: str) -> None:
    """Drop the parts of `body` that exclude one that `over` has; two of them in `over` raise ConfigError."""
    for owner, place, names in forms.EXCLUSIVE:
        given = [name for name in names if owner == kind and forms.get(over, (*place, name)) is not None]
        if len(given) > 1:
            where = forms.dotted(kind, place)
            raise ConfigError(f"{OWN}: {where}: {' and '.join(given)} exclude each other", hint="keep one of them")
        held = forms.get(body, place)
        for name in names:
            if given and name != given[0] and isinstance(held, dict):
                held.pop(name, None)


def _nulls(value: Any, place: forms.Place = ()) -> Iterator[forms.Place]:
    """Yield the place of every explicit null below the mappings of a document."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if item is forms.REMOVED:
            yield (*place, str(key))
        yield from _nulls(item, (*place, str(key)))


def _remove(body: Document, kind: str, place: forms.Place) -> None:
    if (kind, place) in forms.NEEDED:
        hint = "give it a value, or leave it out"
        raise ConfigError(f"{OWN}: {forms.dotted(kind, place)}: cannot be removed", hint=hint)
    held = forms.get(body, place[:-1])
    if isinstance(held, dict):
        held.pop(place[-1], None)


def _without_nulls(value: Any) -> Any:
    """Return a copy without nulls: an empty `cgroupDriver:` keeps the default."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item not in (None, forms.REMOVED)}
    return [_without_nulls(item) for item in value if item is not forms.REMOVED] if isinstance(value, list) else value


def _check_mappings(kind: str, document: Document) -> None:
    places = {(old, place[:-1]) for old, place, _, _ in forms.MOVED}
    places |= {(new, place[:-1]) for _, _, kinds, place in forms.MOVED for new in kinds}
    places |= {(owner, place[:end]) for owner, place in ARGUMENTS for end in range(1, len(place))}
    places |= {(CLUSTER, ("dns",)), (KUBELET, ("featureGates",))}
    for owner, place in sorted(places):
        value = forms.get(document, place)
        if owner == kind and value is not None and not isinstance(value, dict):
            raise ConfigError(f"{OWN}: {forms.dotted(kind, place)}: must be a mapping, not {value!r}")


def _kind(document: Any) -> str:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in KINDS:
        what = f"kind {kind!r}" if kind else "a document without kind"
        hint = nearest(str(kind), KINDS) if kind else f"known: {', '.join(KINDS)}"
        raise ConfigError(f"{OWN}: {what} is not for kubeadm", hint=hint)
    group = GROUPS.get(kind, "kubeadm.k8s.io/").partition("/")[0]
    given = document.get("apiVersion")
    if given is not None and str(given).partition("/")[0] != group:
        raise ConfigError(f"{OWN}: {kind} with apiVersion {given}", hint=f"its group is {group}")
    return str(kind)


def _check_version(documents: Documents, document: Document) -> None:
    given, built = document.get("kubernetesVersion"), documents.settings.kubernetes
    if given is not None and str(given).removeprefix("v") != built.number:
        raise ConfigError(
            f"{OWN}: {CLUSTER}.kubernetesVersion is {given}, the image holds {built}",
            hint="leave kubernetesVersion out, the image sets it",
        )


def _rebase_dns(documents: Documents, cluster: Document) -> None:
    """When the user changed imageRepository, change the default repository of CoreDNS below it too."""
    default, chosen = documents.settings.image_repository, cluster.get("imageRepository", "")
    dns = forms.get(cluster, ("dns", "imageRepository"))
    if isinstance(dns, str) and chosen != default and dns.startswith(f"{default}/"):
        cluster["dns"]["imageRepository"] = f"{chosen}{dns.removeprefix(default)}"


def _refuse_removed(documents: Documents, bundle: Bundle) -> None:
    gates = {KUBELET: set(bundle[KUBELET].get("featureGates") or {})}
    arguments = {forms.dotted(kind, place): forms.get(bundle[kind], place) or {} for kind, place in ARGUMENTS}
    for where, values in arguments.items():
        text = ",".join(values.get("feature-gates", ()))
        gates[where] = {gate.partition("=")[0].strip() for gate in text.split(",")}
    for removed in documents.removed:
        for where, names in (gates if removed.gate else arguments).items():
            if removed.name in names:
                raise _unknown(documents, removed, where)


def _unknown(documents: Documents, removed: Removed, where: str) -> ConfigError:
    what = "feature gate" if removed.gate else "argument"
    return ConfigError(
        f"{OWN}: {where}: Kubernetes {documents.settings.kubernetes} does not know the {what} {removed.name}",
        hint=f"use {removed.use}" if removed.use else "leave it out",
    )
