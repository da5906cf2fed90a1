"""Versions that have to speak to each other: every release's do, and what others found broken is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.catalog import compatibility, requirement, spec
from clusterimage.catalog.flavor import FLAVORS
from clusterimage.catalog.requirement import Requirement
from clusterimage.values.version import Version
from tests.conftest import ROOT
from tests.unit.conftest import error_of
from tests.unit.upstream.test_checksums import RELEASES

PAIRS = compatibility.load(ROOT / "data" / "compatibility.toml")
SPEC = spec.load(ROOT / "versions.toml")


def required(release: str, flavor: str = "sealer", **versions: str) -> Requirement:
    """Return what a release requires, with other `versions` of some components (`_` for `-`)."""
    needed = requirement.require(SPEC, Version.parse(release), (), ROOT, flavor)
    other = {name.replace("_", "-"): version for name, version in versions.items()}
    files = tuple(replace(file, version=other.get(file.component, file.version)) for file in needed.files)
    return replace(needed, files=files)


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("release", RELEASES)
def test_the_rows_of_every_release_fit(release: str, flavor: str) -> None:
    compatibility.refuse(required(release, flavor), PAIRS)


@pytest.mark.parametrize(
    ("release", "flavor", "versions", "said"),
    [
        # docker/for-win#14997: Engine 29.0 refuses clients below API 1.44, and cri-dockerd 0.2.6 asks for 1.41.
        ("v1.24.17", "sealer", {"docker": "29.0.0"}, "cri-dockerd 0.2.6 and docker 29.0.0 do not fit"),
        # moby 19.03's highest API is 1.40.
        ("v1.18.20", "sealos", {"docker": "19.03.15"}, "cri-dockerd 0.2.6 and docker 19.3.15 do not fit"),
        ("v1.28.15", "sealer", {"docker": "20.10.24"}, "cri-dockerd 0.3.26 and docker 20.10.24 do not fit"),
        # Kubernetes 1.26 removed v1alpha2, containerd 2.0 did too.
        ("v1.22.15", "sealer", {"containerd": "2.0.1"}, "containerd 2.0.1 and kubernetes 1.22.15 do not fit"),
        ("v1.26.15", "sealer", {"containerd": "1.5.18"}, "containerd 1.5.18 and kubernetes 1.26.15 do not fit"),
        ("v1.37.0", "sealos", {"containerd": "2.2.9"}, "containerd 2.2.9 and kubernetes 1.37.0 do not fit"),
        # containerd script/setup/runc-version at v1.7.36 and v2.3.7.
        ("v1.22.15", "sealer", {"runc": "1.2.9"}, "containerd 1.7.36 and runc 1.2.9 do not fit"),
        ("v1.34.4", "sealer", {"runc": "1.3.6"}, "containerd 2.3.7 and runc 1.3.6 do not fit"),
        ("v1.36.5", "sealer", {"cni_plugins": "1.8.0"}, "cni-plugins 1.8.0 and kubernetes 1.36.5 do not fit"),
        ("v1.22.15", "sealos", {"cri_dockerd": "0.3.26"}, "cri-dockerd 0.3.26 and docker 20.10.24 do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(release: str, flavor: str, versions: dict[str, str], said: str) -> None:
    error = error_of(compatibility.refuse, required(release, flavor, **versions), PAIRS)

    assert error.problem == f"k8s={release}: {said}" and "data/compatibility.toml" in error.hint


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('docker = ""\nwhy = "x"', "a row names two components, not docker"),
        ('docker = ""\nrunc = ""\ncontainerd = ""\nwhy = "x"', "a row names two components"),
        ('docker = "29"\nrunc = ""\nwhy = "x"', "'29' is not a range"),
        ('docker = ""\nrunc = ""', "why: is missing"),
    ],
)
def test_a_row_that_says_no_pair_is_refused(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "pairs.toml").write_text(f"[[pair]]\n{row}\n")

    assert said in error_of(compatibility.load, tmp_path / "pairs.toml").problem
