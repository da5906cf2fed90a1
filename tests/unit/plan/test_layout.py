"""Where everything lies: a mirror of other bytes has a world of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.plan.layout import Layout
from clusterimage.values.digest import Digest
from clusterimage.values.version import Version
from tests.unit.conftest import HEX_A

ROOT = Path("root")
UPSTREAM = Layout(ROOT, Mirror("none"))
VERSION = Version(1, 22, 15)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (UPSTREAM.build, "_build"),
        (UPSTREAM.dist, "dist"),
        (UPSTREAM.context, "context"),
        (UPSTREAM.store.path(Digest(HEX_A)), f"_build/cache-v1/sha256/{HEX_A}"),
        (UPSTREAM.store.partial(Digest(HEX_A)), f"_build/cache-v1/partial/{HEX_A}"),
        (UPSTREAM.layers, "_build/layers-v1"),
        (UPSTREAM.state, "_build/state-v1.sqlite"),
        (UPSTREAM.tree("trees", "crictl-1.22.0"), "_build/trees-v1/crictl-1.22.0"),
        (UPSTREAM.listing("trees", "crictl-1.22.0"), "_build/trees-v1/crictl-1.22.0.manifest"),
        (UPSTREAM.loadable("registry"), "_build/loadable-v1/registry.tar.gz"),
        (UPSTREAM.log("package:v1.22.15-docker"), "_build/log/package/v1.22.15-docker.log"),
        (UPSTREAM.log("pull-images:k8s.gcr.io/pause:3.5"), "_build/log/pull-images/k8s.gcr.io/pause:3.5.log"),
        (UPSTREAM.log("lock"), "_build/log/lock.log"),
        (UPSTREAM.application_lock("shop"), "locks/apps/shop.toml"),
        (UPSTREAM.record("shop"), "_build/discovered-v2/shop.toml"),
        (UPSTREAM.package("v1.22.15-docker"), "dist/v1.22.15-docker"),
    ],
)
def test_everything_has_its_place_below_the_root(path: Path, expected: str) -> None:
    assert path == ROOT / expected


@pytest.mark.parametrize(
    ("mirror", "build", "dist", "lock"),
    [
        (Mirror("none"), "_build", "dist", "locks/v1.22.15.toml"),
        (Mirror("office"), "_build", "dist", "locks/v1.22.15.toml"),
        (Mirror("lab", own_bytes=True), "_build/lab", "dist/lab", "locks/lab/v1.22.15.toml"),
        (
            Mirror(EMBEDDED, own_bytes=True),
            "_build/embedded",
            "dist/embedded",
            "_build/embedded/locks/v1.22.15.toml",
        ),
    ],
)
def test_a_mirror_of_other_bytes_has_a_world_of_its_own(mirror: Mirror, build: str, dist: str, lock: str) -> None:
    layout = Layout(ROOT, mirror)

    assert [layout.build, layout.dist, layout.lock(VERSION)] == [ROOT / build, ROOT / dist, ROOT / lock]
    assert layout.application_lock("shop") == (ROOT / lock).parent / "apps" / "shop.toml"
    assert layout.context == ROOT / "context"
