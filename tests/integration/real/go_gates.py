"""The feature gates of Kubernetes out of its Go source; `python -m` this writes data/feature-gates.toml.

A gate is a constant of type Feature; components share the list: k8s.io/kubernetes@v1.Y and its staging modules @v0.Y.
"""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.integration.real.go_programs import module
from tests.integration.real.go_types import ranges

# By minor the patch that the module proxy gives; up to 1.14 the staging modules lie in the module of Kubernetes itself.
MODULES = {
    "k8s.io/kubernetes": {
        13: 12,
        14: 10,
        15: 12,
        16: 15,
        17: 12,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 15,
        26: 15,
        27: 16,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 13,
        33: 12,
        34: 12,
        35: 8,
        36: 5,
        37: 2,
    },
    "k8s.io/kube-aggregator": {
        15: 12,
        16: 15,
        17: 12,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 14,
        24: 15,
        25: 15,
        26: 15,
        27: 16,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/component-base": {
        15: 12,
        16: 15,
        17: 15,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 15,
        26: 15,
        27: 15,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/controller-manager": {
        20: 15,
        21: 14,
        22: 15,
        23: 14,
        24: 17,
        25: 6,
        26: 13,
        27: 16,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/cloud-provider": {
        15: 12,
        16: 15,
        17: 12,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 14,
        24: 15,
        25: 16,
        26: 15,
        27: 12,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/apiextensions-apiserver": {
        15: 12,
        16: 15,
        17: 15,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 15,
        26: 15,
        27: 15,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/apiserver": {
        15: 12,
        16: 15,
        17: 15,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 15,
        26: 15,
        27: 15,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
    "k8s.io/client-go": {
        15: 12,
        16: 15,
        17: 15,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 15,
        24: 15,
        25: 15,
        26: 15,
        27: 15,
        28: 15,
        29: 15,
        30: 14,
        31: 14,
        32: 12,
        33: 12,
        34: 12,
        35: 10,
        36: 6,
        37: 2,
    },
}
MINORS = MODULES["k8s.io/kubernetes"]
DATA = ROOT / "data" / "feature-gates.toml"
# They stand for groups of gates, and are no constants of type Feature everywhere; AllBeta came with 1.17.
_GROUPS = {"AllAlpha": 0, "AllBeta": 17}
_GATE = re.compile(r'\b(?:featuregate|utilfeature)?\.?Feature\s*=\s*"([A-Za-z][A-Za-z0-9]*)"')


def of(minor: int) -> set[str]:
    """Return the gates of a Kubernetes minor."""
    found = {name for name, first in _GROUPS.items() if minor >= first}
    for name, patches in MODULES.items():
        if minor in patches:
            version = f"v{1 if name == 'k8s.io/kubernetes' else 0}.{minor}.{patches[minor]}"
            for path in sorted(module(name, version).rglob("*.go")):
                if "feature" in path.as_posix() and not {"test", "vendor", "cluster"} & set(path.parts[-8:]):
                    found |= set(_GATE.findall(path.read_text()))
    return found


def main() -> None:
    """Write data/feature-gates.toml."""
    lines = [
        "# The feature gates that the components of Kubernetes know, by Kubernetes version, out of their Go source:",
        "# tests/integration/real/go_gates.py writes this file and names the modules.",
        "",
        "[gates]",
    ]
    lines += [f'{name} = "{held}"' for name, held in ranges({minor: of(minor) for minor in MINORS}).items()]
    DATA.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
