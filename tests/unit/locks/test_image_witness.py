"""The second witness of images: agreement, a moved tag, a weak source, and images that it does not know."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from clusterimage.locks import lock
from clusterimage.locks.image_witness import disputed, vouch
from clusterimage.locks.lock import Descriptor, Lock, LockedImage
from clusterimage.values import media_types
from clusterimage.values.digest import Digest
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table
from clusterimage.values.version import Version
from tests.conftest import ROOT
from tests.unit.conftest import HEX_A, error_of

TABLE = Table.load(ROOT / "data" / "image-witnesses.toml")
# Outputs of `kubectl get pods -o yaml` that anybody can look up: pause 3.5 and CoreDNS v1.8.4 (reference: world.md §5).
PAUSE = "1ff6c18fbef2045af6b9c16bf034cc421a29027b800e4f9b68ae9b1cb3e9ae07"
OTHER = f"sha256:{HEX_A}"


def image(name: str, hexadecimal: str) -> LockedImage:
    top = Descriptor(Digest.parse(f"sha256:{hexadecimal}"), 1, media_types.OCI_INDEX)
    return LockedImage(Reference.parse(name), top, ())


@pytest.mark.parametrize("host", ["k8s.gcr.io", "registry.k8s.io"])
def test_what_the_table_confirms_says_so(host: str) -> None:
    assert vouch(image(f"{host}/pause:3.5", PAUSE), TABLE).witness == "table"


@pytest.mark.parametrize(
    "name",
    ["registry.k8s.io/kube-apiserver:v1.22.15", "k8s.gcr.io/coredns/coredns:v1.8.4", "registry.k8s.io/etcd:3.5.0-0"],
)
def test_a_moved_tag_is_refused_and_both_are_named(name: str) -> None:
    known = TABLE.table("images").table(Reference.parse(name).repository).table(name.rpartition(":")[2]).text("index")

    error = error_of(vouch, image(name, HEX_A), TABLE)

    assert error.problem.startswith(f"{name}: the registry says {OTHER}, ") and error.problem.endswith(known)


@pytest.mark.parametrize(
    "name",
    ["registry.k8s.io/kube-proxy:v1.33.1", "registry.k8s.io/coredns/coredns:v1.14.6", "registry.k8s.io/etcd:3.6.4-0"],
)
def test_a_weak_source_warns_and_stays_in_the_lock(name: str, tmp_path: Path) -> None:
    found = vouch(image(name, HEX_A), TABLE)
    lock.save(tmp_path / "lock.toml", Lock(Version(1, 33, 1), "x", (), (found,)))

    kept = lock.load(tmp_path / "lock.toml")
    assert disputed(found) and kept is not None and kept.images[0].witness == found.witness
    assert f"# Another digest than a weak witness has (see witness): {name}." in (tmp_path / "lock.toml").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "docker.io/library/pause:3.5",
        "registry.k8s.io/pause:9.9",
        "registry.k8s.io/other:v1.22.15",
        f"registry.k8s.io/pause:3.5@{OTHER}",
    ],
)
def test_what_it_does_not_know_is_left_as_it_is(name: str) -> None:
    assert vouch(image(name, HEX_A), TABLE).witness == ""


def test_no_digest_is_there_twice() -> None:
    """Two tags of one digest are an error of copying."""
    document = tomllib.loads((ROOT / "data" / "image-witnesses.toml").read_text())
    rows = [row["index"] for tags in document["images"].values() for row in tags.values()]

    assert [one for one, count in Counter(rows).items() if count > 1] == []
    assert len(rows) > 1000


def test_every_row_is_a_digest_of_a_known_source() -> None:
    document = tomllib.loads((ROOT / "data" / "image-witnesses.toml").read_text())
    for tags in document["images"].values():
        for row in tags.values():
            assert Digest.parse(row["index"]) and row.get("source", "B") in document["sources"]
