"""kubeadm's configuration for one Kubernetes version: five documents, as a file and as sealer's run-time template.

https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/ (and v1beta1 to v1beta3 before it)

    etc/kubeadm.yml         text(documents)
    etc/kubeadm.yml.tmpl    template(documents): the same, with Go templates for the values that sealer sets at run time

    versions.toml -> rules -> documents(settings, rules) -> merge(documents, parse(a user's kubeadm.yml)) -> both texts
"""

from clusterimage.catalog.kubeadm.merge import image_tags, merge
from clusterimage.catalog.kubeadm.model import Documents, Settings, api, documents, networking
from clusterimage.catalog.kubeadm.rules import Rules, rules
from clusterimage.catalog.kubeadm.text import parse, template, text

__all__ = [
    "Documents",
    "Rules",
    "Settings",
    "api",
    "documents",
    "image_tags",
    "merge",
    "networking",
    "parse",
    "rules",
    "template",
    "text",
]
