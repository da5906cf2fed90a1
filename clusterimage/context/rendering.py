"""Render the templates of one cluster image: the files, their variables, and the output tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterimage.catalog import kubeadm
from clusterimage.context import template
from clusterimage.context.template import Template
from clusterimage.values import text_file
from clusterimage.values.version import Version

CHECKED = (".json", ".toml", ".yml", ".yaml")  # what documents.py reads


@dataclass(frozen=True, slots=True)
class Variables:
    """The template variables of a cluster image (CONTRIBUTING.md lists their names in templates)."""

    kubernetes: Version
    cri: str
    cri_version: str
    cni: str
    cni_title: str
    cni_version: str
    cni_files: tuple[str, ...]
    pause: str
    flavor: str
    client: str
    registry: str
    image_repository: str
    registry_image: str
    socket: str
    containerd_config: int
    docker_needs_cri_dockerd: bool
    pod_subnet: str
    service_subnet: str
    images: tuple[str, ...]
    own_images: tuple[str, ...]
    rules: kubeadm.Rules


@dataclass(frozen=True, slots=True)
class Rendering:
    """Templates, their variables, literal texts (place, text), and the path of a user's own kubeadm.yml.

    `facts` are the tables of the fields, feature gates and flags that it may have, `shipped` the user's JSON, TOML and
    YAML that is no template: both refuse, and change nothing.
    """

    templates: tuple[Template, ...]
    variables: Variables
    texts: tuple[tuple[str, str], ...]
    kubeadm: Path | None = None
    facts: tuple[Path, ...] = field(default=(), compare=False)
    shipped: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read, without duplicates."""
        own = (self.kubeadm,) if self.kubeadm else ()
        return tuple(dict.fromkeys((*(template.source for template in self.templates), *own, *self.shipped)))


def write(rendering: Rendering, dest: Path) -> None:
    """Render into the tree `dest`; its manifest is written last."""
    from clusterimage.context import documents  # it knows the formats, which only an action needs

    for path in rendering.shipped:
        documents.check(path)
    values = names(rendering.variables, rendering.kubeadm, rendering.facts)
    template.render(rendering.templates, values, dict(rendering.texts), dest)


def names(variables: Variables, own: Path | None = None, facts: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the template variables by name; `own` is a kubeadm.yml to merge, held against `facts`."""
    domain, _, port = variables.registry.partition(":")
    settings = kubeadm.Settings(
        kubernetes=variables.kubernetes,
        cri_socket=variables.socket,
        image_repository=variables.image_repository,
        pod_subnet=variables.pod_subnet,
        service_subnet=variables.service_subnet,
        flavor=variables.flavor,
    )
    made = kubeadm.documents(settings, variables.rules)
    if own is not None:
        made = _merged(made, text_file.read(own), facts)
    # Other users of the subnets (a CNI's IP pool) need the values after the merge.
    networking = kubeadm.networking(made)
    return {
        "k8s": str(variables.kubernetes),
        "cri": variables.cri,
        "cri_version": variables.cri_version,
        "cni": variables.cni,
        "cni_title": variables.cni_title,
        "cni_version": variables.cni_version,
        "cni_files": variables.cni_files,
        "pause": variables.pause,
        "client": variables.client,
        "registry": variables.registry,
        "registry_domain": domain,
        "registry_port": int(port or 443),
        "registry_image": variables.registry_image,
        "socket": variables.socket,
        "containerd_config": variables.containerd_config,
        "docker_needs_cri_dockerd": variables.docker_needs_cri_dockerd,
        "pod_subnet": networking["podSubnet"],
        "service_subnet": networking["serviceSubnet"],
        "images": variables.images,
        "own_images": variables.own_images,
        "kubeadm_yml": kubeadm.text(made),
        "kubeadm_yml_tmpl": kubeadm.template(made),
    }


def _merged(made: kubeadm.Documents, source: str, facts: tuple[Path, ...]) -> kubeadm.Documents:
    user = kubeadm.parse(source)
    if not facts:
        return kubeadm.merge(made, user)
    from clusterimage.catalog.kubeadm import fields, flags, gates  # for a kubeadm.yml of the user's only

    kubernetes, (of_fields, of_gates, of_flags) = made.settings.kubernetes, facts
    known = fields.load(of_fields, kubernetes)
    fields.check(source, known)
    merged = kubeadm.merge(made, user)
    fields.check_merged(merged.bodies, known, kubernetes)
    gates.check(merged.bodies, gates.known(of_gates, kubernetes), kubernetes)
    flags.check(merged.bodies, flags.known(of_flags, kubernetes), kubernetes)
    return merged
