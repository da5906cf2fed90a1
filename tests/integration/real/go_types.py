"""The fields of configuration documents out of their Go types; `python -m` this writes data/config-fields.toml.

    k8s.io/kubernetes@vX  cmd/kubeadm/app/apis/kubeadm/<version>/types.go     kubeadm's documents, by API version
    k8s.io/kubelet@v0.Y   config/v1beta1/types.go                             by Kubernetes minor
    k8s.io/kube-proxy@v0.Y  config/v1alpha1/types.go

A field is a path: `[]` is an item of a list, `*` a key of a map, `**` whatever lies below a type of another module.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT
from tests.integration.real.go_programs import module

KUBEADM = {
    "v1beta1": "v1.13.12",
    "v1beta2": "v1.22.15",
    "v1beta3": "v1.22.15",
    "v1beta4": "v1.36.5",
    "v1": "v1.37.2",
}
KUBEADM_KINDS = ("InitConfiguration", "ClusterConfiguration", "JoinConfiguration")
# By minor the patch that the module proxy gives.
MINORS = {
    "k8s.io/kubelet": {
        16: 15,
        17: 15,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 16,
        26: 15,
        27: 16,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 13,
        33: 13,
        34: 13,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/kube-proxy": {
        16: 15,
        17: 17,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 14,
        24: 15,
        25: 9,
        26: 13,
        27: 16,
        28: 15,
        29: 15,
        30: 14,
        31: 11,
        32: 13,
        33: 13,
        34: 13,
        35: 10,
        36: 6,
        37: 2,
    },
}
COMPONENTS = {
    ("KubeletConfiguration", "kubelet.config.k8s.io/v1beta1"): ("k8s.io/kubelet", "config/v1beta1"),
    ("KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1"): ("k8s.io/kube-proxy", "config/v1alpha1"),
}
DATA = ROOT / "data" / "config-fields.toml"
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) ((?:\[\]|map\[)?[\w.\]*]+)$", re.MULTILINE)
_FIELD = re.compile(r'^\s*(?:\w+\s+)?([\w.*\[\]]+)\s+`json:"([^",]*)([^"]*)"`', re.MULTILINE)
_LEAVES = {"string", "bool", "metav1.Duration", "metav1.Time", "resource.Quantity"}
_NUMBERS = re.compile(r"u?int\d*|float\d+|byte")


class _Package:
    """The types of a Go package: struct fields as (type, JSON name, options), and other names of types."""

    def __init__(self, directory: Path) -> None:
        text = "\n".join(path.read_text() for path in sorted(directory.glob("*types*.go")))
        self.structs = {name: _FIELD.findall(body) for name, body in _STRUCT.findall(text)}
        self.aliases = dict(_ALIAS.findall(text))

    def inside(self, prefix: str, struct: str) -> set[str]:
        """Return the paths of the fields of a struct."""
        return set[str]().union(*(self._field(prefix, *field) for field in self.structs[struct]))

    def _field(self, prefix: str, go: str, name: str, options: str) -> set[str]:
        if name and name != "-":
            return self._below(f"{prefix}{name}", go)
        if "inline" not in options or go == "metav1.TypeMeta":
            return set()
        return self.inside(prefix, go) if go in self.structs else {f"{prefix}**"}

    def _below(self, place: str, go: str) -> set[str]:
        go = go.lstrip("*")
        go = self.aliases.get(go, go)
        if go.startswith("[]"):
            return self._below(f"{place}[]", go[2:])
        if go.startswith("map["):
            return self._below(f"{place}.*", go.partition("]")[2])
        if go in self.structs:
            return {place} | self.inside(f"{place}.", go)
        return {place} if go in _LEAVES or _NUMBERS.fullmatch(go) else {f"{place}.**"}


def fields(package: Path, kind: str) -> set[str]:
    """Return the paths of the fields of `kind`, a type of the Go package in that directory."""
    return _Package(package).inside("", kind)


def of_kubeadm(version: str, kind: str) -> set[str]:
    return fields(module("k8s.io/kubernetes", KUBEADM[version]) / "cmd/kubeadm/app/apis/kubeadm" / version, kind)


def of_component(kind: str, minor: int) -> set[str]:
    name, place = next(value for (known, _), value in COMPONENTS.items() if known == kind)
    return fields(module(name, f"v0.{minor}.{MINORS[name][minor]}") / place, kind)


def ranges(by_minor: dict[int, set[str]]) -> dict[str, str]:
    """Return for every field the range of minors that have it; the first and the last are open ends."""
    minors = sorted(by_minor)
    found = {}
    for name in sorted(set[str]().union(*by_minor.values())):
        there = [minor for minor in minors if name in by_minor[minor]]
        terms = [f">=1.{there[0]}"] if there[0] != minors[0] else []
        terms += [f"<1.{there[-1] + 1}"] if there[-1] != minors[-1] else []
        found[name] = ",".join(terms)
    return found


def main() -> None:
    """Write data/config-fields.toml."""
    lines = [
        "# Which fields the documents of a kubeadm.yml have, out of their Go types: tests/integration/real/go_types.py",
        "# writes it and names the modules. `[]` is an item of a list, `*` a key of a map, `**` whatever lies below.",
        "# kubeadm's documents are by API version, the fields of the kubelet and kube-proxy by Kubernetes version.",
    ]
    for version in KUBEADM:
        for kind in KUBEADM_KINDS:
            names = ",\n".join(f'    "{name}"' for name in sorted(of_kubeadm(version, kind)))
            lines += [
                "",
                "[[document]]",
                f'kind = "{kind}"',
                f'api = "kubeadm.k8s.io/{version}"',
                f"fields = [\n{names},\n]",
            ]
    for (kind, api), (name, _) in COMPONENTS.items():
        held = ranges({minor: of_component(kind, minor) for minor in MINORS[name]})
        rows = "\n".join(f'"{field}" = "{text}"' for field, text in held.items())
        lines += ["", "[[document]]", f'kind = "{kind}"', f'api = "{api}"']
        lines += ["[document.by_version]", rows]
    DATA.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
