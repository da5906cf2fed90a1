"""`doit push` to a stock docker-registry, and what it is held against."""

from __future__ import annotations

import json

from tests.conftest import Project, Result
from tests.integration.stock_registry import StockRegistry

NAME = "v1.22.15-docker"
ONE = ("mirror=embedded", "cni=none")


def built_digest(project: Project, name: str = NAME) -> str:
    index = json.loads((project.root / "dist/embedded" / name / "index.json").read_text())
    return str(index["manifests"][0]["digest"])


def push_to(project: Project, registry: StockRegistry, *words: str, **environment: str) -> Result:
    return project.doit("push", *ONE, f"name={registry.address}/team/kubernetes", *words, **environment)
