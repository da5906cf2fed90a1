"""Build kubeadm's default documents from the version rules and the settings of the cluster image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterimage.catalog.kubeadm import forms
from clusterimage.catalog.kubeadm.forms import Bundle, Document, Form
from clusterimage.catalog.kubeadm.rules import Removed, Rules, holding
from clusterimage.values.errors import ConfigError
from clusterimage.values.version import Version


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that depend on the cluster image; without `image_repository` kubeadm's default applies."""

    kubernetes: Version
    cri_socket: str
    image_repository: str
    pod_subnet: str
    service_subnet: str
    cgroup_driver: str = "systemd"
    flavor: str = "sealer"


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents (`bodies`, in file order), their API version (`form`), and the inputs that they were built from."""

    settings: Settings
    form: Form
    removed: tuple[Removed, ...]
    bodies: tuple[Document, ...]


def documents(settings: Settings, rules: Rules) -> Documents:
    """Return kubeadm's documents for `settings`; a version without an API row raises ConfigError."""
    version, flavor = settings.kubernetes, settings.flavor
    form = _form(rules, version, flavor)
    bundle: Bundle = {kind: {} for kind in forms.KINDS}
    gates = ",".join(str(gate) for gate in holding(rules.gates, version, flavor))
    dns = next(holding(rules.dns, version, flavor), "")
    for kind, fields in _computed(settings, dns, gates).items():
        overlay(bundle[kind], fields, kind)
    for part in holding(rules.parts, version, flavor):
        overlay(bundle[part.kind], part.fields, part.kind)
    removed = tuple(holding(rules.removed, version, flavor))
    return Documents(settings, form, removed, forms.shaped(forms.neutral(bundle), form))


def networking(made: Documents) -> dict[str, str]:
    """Return the `networking` mapping of ClusterConfiguration: podSubnet, serviceSubnet and others."""
    cluster = next(body for body in made.bodies if body["kind"] == forms.CLUSTER)
    return dict(cluster["networking"])


def api(rules: Rules, version: Version, flavor: str) -> str:
    """Return the apiVersion of kubeadm.yml; a Kubernetes version without a row raises ConfigError."""
    return _form(rules, version, flavor).name


def _form(rules: Rules, version: Version, flavor: str) -> Form:
    form = next(holding(rules.forms, version, flavor), None)
    if form is None:
        raise ConfigError(f"versions.toml: kubeadm.api: no row for {version}", hint="add one")
    return form


def overlay(base: Document, over: Mapping[str, Any], where: str) -> None:
    """Deep-merge `over` into `base`; replacing a mapping by another type raises ConfigError naming `where`."""
    for key, value in over.items():
        if isinstance(value, Mapping):
            inner = base.setdefault(key, {})
            if isinstance(inner, dict):
                overlay(inner, value, f"{where}.{key}")
                continue
        elif isinstance(base.get(key), dict):
            raise ConfigError(f"{where}.{key}: must be a mapping, not {value!r}")
        base[key] = value


def _computed(settings: Settings, dns: str, gates: str) -> Bundle:
    repository = settings.image_repository
    node = {"nodeRegistration": {"criSocket": settings.cri_socket}}
    arguments = {"extraArgs": {"feature-gates": gates}} if gates else {}
    return {
        forms.INIT: node,
        forms.JOIN: node,
        forms.CLUSTER: {
            "kubernetesVersion": str(settings.kubernetes),
            **({"imageRepository": repository} if repository else {}),
            **({"dns": {"imageRepository": f"{repository}{dns}"}} if repository and dns else {}),
            "networking": {"podSubnet": settings.pod_subnet, "serviceSubnet": settings.service_subnet},
            **{component: arguments for component in forms.COMPONENTS},
        },
        forms.KUBELET: {"cgroupDriver": settings.cgroup_driver},
    }
