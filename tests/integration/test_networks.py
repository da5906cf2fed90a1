"""What installs a network, with its vendor's own files: flannel's manifest and Cilium's chart, from Go modules."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterimage.catalog import spec
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version
from tests.conftest import ROOT, run
from tests.integration.real import go_programs

SPEC = spec.load(ROOT / "versions.toml")
REGISTRY = "hub.example:5000"


def images(node: Any) -> Iterator[str]:
    """Yield the container images of parsed manifests."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from images(value)
    elif isinstance(node, list):
        for value in node:
            yield from images(value)


def saved(cni: str, version: str) -> set[str]:
    """Return the images of a row of versions.toml as the private registry has them."""
    network = SPEC.cni(cni)
    assert network is not None
    row = next(row for row in network.versions if row.version == version)
    return {f"{REGISTRY}/{one.repository}:{one.tag}" for one in map(Reference.parse, row.images)}


def launch(cni: str, files: dict[str, bytes], rootfs: Path, pods: str = "100.64.0.0/10") -> str:
    """Run the script of `cni` in `rootfs`, with `files`, as sealer launches it; return what kubectl had to apply."""
    (rootfs / "application/apps" / cni).mkdir(parents=True)
    for folder in ("applications", "bin", "scripts"):
        (rootfs / folder).mkdir()
    script = rootfs / f"application/apps/{cni}/{cni}.sh"
    shutil.copy(ROOT / f"context/{cni}/{cni}.sh", script)
    shutil.copy(ROOT / "context/rootfs/scripts/cluster.sh", rootfs / "scripts")
    for name, content in files.items():
        (rootfs / name).write_bytes(content)
        (rootfs / name).chmod(0o755)
    configuration = f"dns: {{}}\nimageRepository: {REGISTRY}\nnetworking:\n  podSubnet: {pods}\n"
    (rootfs / "bin/kubectl").write_text(
        f"#!/bin/sh\ncase $* in *configmap*) printf '{configuration}' ;; apply*) cat >{rootfs}/applied ;; esac\n"
    )
    (rootfs / "bin/kubectl").chmod(0o755)
    run("bash", script, cwd=rootfs, env={"PATH": f"{rootfs}/bin:/usr/bin:/bin"})
    applied = rootfs / "applied"
    return applied.read_text() if applied.exists() else ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ("100.64.0.0/10", {"EnableIPv4": True, "Network": "100.64.0.0/10"}),
        ("10.5.0.0/16,fd00:5::/48", {"Network": "10.5.0.0/16", "EnableIPv6": True, "IPv6Network": "fd00:5::/48"}),
        ("fd00:5::/48", {"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": "fd00:5::/48"}),
    ],
)
def test_flannels_own_manifest_gets_registry_and_pod_network(
    tmp_path: Path, pods: str, expected: dict[str, object]
) -> None:
    manifest = go_programs.module("github.com/flannel-io/flannel", "v0.28.10") / "Documentation/kube-flannel.yml"

    applied = launch("flannel", {"applications/kube-flannel.yml": manifest.read_bytes()}, tmp_path / "rootfs", pods)
    documents = list(yaml.safe_load_all(applied))

    assert set(images(documents)) == saved("flannel", "0.28.10")
    ours, theirs = (
        json.loads(next(one["data"]["net-conf.json"] for one in each if one["kind"] == "ConfigMap"))
        for each in (documents, yaml.safe_load_all(manifest.read_text()))
    )
    assert ours.items() >= expected.items()
    assert {key: ours[key] for key in theirs if key != "Network"} == {k: v for k, v in theirs.items() if k != "Network"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("published", "row", "kubernetes"), [("1.20.2", "1.20.2", 34), ("1.18.11", "1.18.14", 31)])
def test_ciliums_own_chart_asks_for_the_images_of_its_row_only(
    tmp_path: Path, published: str, row: str, kubernetes: int
) -> None:
    network = SPEC.cni("cilium")
    assert network is not None
    release = network.find(Version(1, kubernetes, 0))
    assert release is not None and release.version == row
    charts = go_programs.module("github.com/cilium/cilium", f"v{published}") / "install/kubernetes"
    archive = tmp_path / "cilium.tgz"
    run("tar", "-C", charts, "-czf", archive, "cilium")
    helm = go_programs.program(go_programs.HELM)
    rendered = tmp_path / "rendered.yaml"
    # What would be installed is rendered instead: the same words, without a cluster.
    words = f'shift 2; exec {helm} template --kube-version 1.{kubernetes} "$@" >{rendered}'
    files = {
        "applications/cilium.tgz": archive.read_bytes(),
        "applications/cilium-values.yaml": (ROOT / "context/cilium/cilium-values.yaml").read_bytes(),
        "bin/helm": f'#!/bin/sh\n[ "$1 $2" = "upgrade --install" ] || exit 1\n{words}\n'.encode(),
    }
    launch("cilium", files, tmp_path / "rootfs")
    documents = list(yaml.safe_load_all(rendered.read_text()))

    found = {image.replace(f"v{published}", f"v{row}") for image in images(documents)}
    assert found == saved("cilium", row)
    settings = next(one["data"] for one in documents if one and one["metadata"]["name"] == "cilium-config")
    assert settings["ipam"] == "kubernetes" and settings["kube-proxy-replacement"] == "false"
    assert subprocess.run(["grep", "-c", "@sha256:", rendered], capture_output=True, check=False).returncode == 1
