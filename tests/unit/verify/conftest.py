"""Shares the images of one version that tests break."""

from __future__ import annotations

import pytest

from clusterimage.catalog import spec
from clusterimage.plan import plan, selection
from clusterimage.plan.layout import Layout
from clusterimage.verify import rootfs
from tests.builds import Builds
from tests.unit.verify.breaking import WORDS, Images


@pytest.fixture(scope="package")
def images(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Every image of one version, amd64: what it holds and what it was built to be, by its id."""
    words = (f"{name}={value}" for name, value in WORDS.items())
    project = builds.copy(tmp_path_factory.mktemp("whole") / "project", *words)
    rules = spec.load(project.root / "versions.toml")
    chosen = selection.select(rules, WORDS | {"mirror": "embedded"})
    packs = plan.expand(rules, chosen, Layout(project.root, chosen.mirror)).packs
    return {pack.name: (next(rootfs.read(pack.dest)), pack.expected) for pack in packs}
