"""The constants of real kubeadms, from the Go module of each release, beside the rows that others gathered."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from clusterimage.catalog import kubeadm_tags, spec
from clusterimage.values.version import Version
from tests.conftest import ROOT, tool

RELEASES = ("v1.21.14", "v1.28.15", "v1.37.2")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("release", RELEASES)
def test_the_constants_of_a_real_kubeadm_say_what_the_table_has(release: str, tmp_path: Path) -> None:
    rules, version = spec.load(ROOT / "versions.toml"), Version.parse(release)
    words = [tool("go"), "mod", "download", "-json", f"k8s.io/kubernetes@{release}"]
    module = json.loads(subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout)
    source = Path(module["Dir"], "cmd/kubeadm/app/constants/constants.go")

    assert rules.constants is not None
    found = kubeadm_tags.parse(source.read_text(), str(source), version, rules.constants.coredns)

    assert found == kubeadm_tags.find(ROOT / rules.kubeadm_images, version)
