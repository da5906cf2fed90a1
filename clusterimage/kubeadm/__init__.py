"""kubeadm's configuration for one Kubernetes version: five documents, as a file and as sealer's run-time template.

https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/ (and v1beta1 to v1beta3 before it)

    etc/kubeadm.yml         text(documents)
    etc/kubeadm.yml.tmpl    template(documents): the same, with Go templates where sealer knows better at run time

    versions.toml -> rules -> documents(settings, rules) -> merge(documents, parse(a user's kubeadm.yml)) -> both texts
"""

from clusterimage.kubeadm.merge import merge
from clusterimage.kubeadm.model import Documents, Settings, documents, networking
from clusterimage.kubeadm.rules import Rules, rules
from clusterimage.kubeadm.text import parse, template, text

__all__ = ["Documents", "Rules", "Settings", "documents", "merge", "networking", "parse", "rules", "template", "text"]
