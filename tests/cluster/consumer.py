"""Knows what sealer and sealos have in common: run-time templates, merged kubeadm configuration, a file on a node."""

from __future__ import annotations

import copy
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.node import Node

Document = dict[str, Any]
# What tells why a control plane does not come up: the last words of its containers, and of the kubelet.
KUBELET_LOG = (
    'for log in /var/log/pods/*/*/*.log; do echo "== $log"; tail -n 4 $log; done; '
    "journalctl -u kubelet --no-pager | grep -vE 'not found|connection refused' | tail -n 12"
)


@functools.cache
def _template_program() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="clusterimage-template-"))
    source = Path(__file__).parent / "template.go"
    subprocess.run(["go", "build", "-o", folder / "template", source], check=True, capture_output=True)
    return folder / "template"


def fill_templates(rootfs: Path, folders: Iterable[str], values: Mapping[str, str]) -> None:
    """Fill in every *.tmpl of the folders, beside it and over what has the name without the ending."""
    settings = [f"{key}={value}" for key, value in values.items()]
    for folder in folders:
        for path in sorted((rootfs / folder).rglob("*.tmpl")):
            command = [str(_template_program()), *settings]
            done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True)
            path.with_suffix("").write_bytes(done.stdout)


def forget_templates() -> None:
    """Remove the program that fills in templates."""
    if _template_program.cache_info().currsize:
        shutil.rmtree(_template_program().parent)
        _template_program.cache_clear()


def documents(text: str) -> dict[str, Document]:
    """Return the documents of a YAML text by their kind."""
    return {document["kind"]: document for document in yaml.safe_load_all(text) if document}


def merged(over: Mapping[str, Document], under: Mapping[str, Document]) -> dict[str, Document]:
    """Return `over`, filled in with what only `under` says or what `over` leaves empty (mergo.Merge in Go)."""
    found = {kind: copy.deepcopy(document) for kind, document in under.items()}
    for kind, document in over.items():
        found[kind] = _merge(document, under.get(kind, {}))
    return found


def _merge(over: Document, under: Document) -> Document:
    both = dict(copy.deepcopy(under))
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(both.get(key), dict):
            both[key] = _merge(value, both[key])
        elif value not in (None, "", {}, []) or key not in both:
            both[key] = copy.deepcopy(value)
    return both


def write(node: Node, path: str, text: str) -> None:
    """Write a file of the node."""
    target = node.root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def replace(source: Path, target: Path) -> None:
    """Copy a file over another in one step: a program that runs from it is not disturbed."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh, follow_symlinks=False)
    fresh.rename(target)


def dumped(found: Mapping[str, Document]) -> str:
    """Return documents as one YAML text."""
    return yaml.safe_dump_all(found.values(), sort_keys=False)
