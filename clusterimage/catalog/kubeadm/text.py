"""Serialise the documents as YAML for kubeadm and as sealer's template, and parse a user's kubeadm.yml.

https://pkg.go.dev/text/template for the template; kubeadm reads YAML with https://github.com/kubernetes-sigs/yaml.
That resolves numbers, booleans and dates differently from PyYAML: strings that either would resolve to another type
are quoted, and dates in a user's file (expiry of a token) stay strings.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from clusterimage.catalog.kubeadm.forms import CLUSTER, OWN, REMOVED, Document, get, put
from clusterimage.catalog.kubeadm.model import Documents
from clusterimage.values.errors import ConfigError

if TYPE_CHECKING:
    import yaml

# Plain scalars that only go-yaml resolves to another type than string: y, 0o17, 1e3.
_NOT_A_STRING = re.compile(r"[yYnN]|[-+]?0o[0-7]+|[-+]?[0-9][0-9_.]*[eE][-+]?[0-9]+")


def text(documents: Documents) -> str:
    """Return the documents as one YAML stream."""
    return _yaml(documents.bodies)


def template(documents: Documents) -> str:
    """Return the same stream with sealer's run-time variables, each with the built-in value as default.

    sealer always sets RegistryURL; the user of the cluster sets PodCIDR and SvcCIDR. Values that a user's own
    kubeadm.yml changed are left alone.
    """
    settings = documents.settings
    bodies = [_escaped(body) for body in documents.bodies]
    cluster = next(body for body in bodies if body["kind"] == CLUSTER)
    for place, variable, default in (
        (("imageRepository",), "RegistryURL", settings.image_repository),
        (("dns", "imageRepository"), "RegistryURL", settings.image_repository),
        (("networking", "podSubnet"), "PodCIDR", settings.pod_subnet),
        (("networking", "serviceSubnet"), "SvcCIDR", settings.service_subnet),
    ):
        value = get(cluster, place)
        if default and isinstance(value, str) and (value == default or value.startswith(f"{default}/")):
            rest = value.removeprefix(default)
            put(cluster, place, f"{{{{or .{variable} {json.dumps(default)}}}}}{rest}")
    return _yaml(bodies)


def parse(source: str) -> tuple[Document, ...]:
    """Return the non-empty documents of a user's kubeadm.yml; malformed YAML raises ConfigError."""
    import yaml

    from clusterimage.values import yaml_loader

    try:
        read = tuple(yaml.load_all(source, Loader=_loader()))  # a SafeLoader without timestamps
    except yaml.YAMLError as error:
        raise ConfigError(f"{OWN}: {yaml_loader.said(error, source)}", hint="mend that line") from error
    return tuple(document for document in read if document not in (None, REMOVED))


def _escaped(value: Any) -> Any:
    """Return a copy with `{{` in strings escaped, so that Go templates leave them alone."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("{{", '{{"{{"}}') if isinstance(value, str) else copy.copy(value)


def _yaml(bodies: Any) -> str:
    import yaml

    return yaml.dump_all(bodies, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=1 << 20)


def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "'" if _NOT_A_STRING.fullmatch(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, represent)
    return Dumper


def _loader() -> type[yaml.SafeLoader]:
    import yaml

    from clusterimage.values import yaml_loader

    base: Any = yaml_loader.safe()

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    def null(_: yaml.SafeLoader, node: yaml.ScalarNode) -> str | None:
        return REMOVED if node.value else None  # `key:` says nothing, `key: null` does

    Loader.add_constructor("tag:yaml.org,2002:null", null)
    return Loader
