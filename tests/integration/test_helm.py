"""The real helm says which images a chart needs: what is read from its values alone is never another one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clusterimage import discover
from clusterimage.discover import Helm
from tests.integration.real import go_programs
from tests.unit.conftest import plant
from tests.unit.discover.corpus import CHARTS, Shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def helm() -> Path:
    return go_programs.program(go_programs.HELM)


def found(root: Path, files: dict[str, str], helm: Helm) -> tuple[set[str], list[str]]:
    shutil.rmtree(root, ignore_errors=True)
    image = plant(root / "image", dict(files))
    places = {path.relative_to(image).as_posix(): path for path in image.rglob("*") if path.is_file()}
    findings = discover.find(places, helm, root / "work")
    return {str(one) for one in findings.images}, findings.unclear


@pytest.mark.parametrize("shape", CHARTS, ids=str)
def test_what_is_read_from_values_is_what_helm_renders(tmp_path: Path, helm: Path, shape: Shape) -> None:
    rendered, problems = found(tmp_path, shape.files, Helm(helm))
    read, unclear = found(tmp_path, shape.files, Helm(None))

    assert problems == []
    assert read <= rendered
    assert read == rendered or len(unclear) > 1  # the first line says that there is no helm


POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{name: a, image: '{}'}}]}}\n"
ABOUT = "apiVersion: v2\nname: app\nversion: 0.1.0\n"


@pytest.mark.parametrize(
    ("image", "told", "expected"),
    [
        ('{{ if eq .Release.Namespace "default" }}{{ fail "no" }}{{ end }}a/a:v1', Helm(None), "a/a:v1"),
        ('{{ if semverCompare ">=1.29" .Capabilities.KubeVersion.Version }}a/new:1{{ else }}a/old:1{{ end }}',
         Helm(None, "v1.28.15"), "a/old:1"),
        ('{{ if semverCompare ">=1.29" .Capabilities.KubeVersion.Version }}a/new:1{{ else }}a/old:1{{ end }}',
         Helm(None, "v1.31.4"), "a/new:1"),
        ('{{ if .Capabilities.APIVersions.Has "example.com/v1" }}a/with:1{{ else }}a/without:1{{ end }}',
         Helm(None), "a/with:1"),
    ],
)  # fmt: skip
def test_a_chart_is_rendered_for_the_cluster_that_it_ships_with(
    tmp_path: Path, helm: Path, image: str, told: Helm, expected: str
) -> None:
    crd = "kind: CustomResourceDefinition\nspec: {group: example.com, versions: [{name: v1}]}\n"
    files = {
        "charts/app/Chart.yaml": ABOUT,
        "charts/app/templates/p.yaml": POD.format(image),
        "manifests/crd.yaml": crd,
    }

    images, unclear = found(tmp_path, files, Helm(helm, told.kubernetes))

    assert (images, unclear) == ({f"docker.io/{expected}"}, [])


def test_a_packed_chart_with_packed_sub_charts_is_rendered(tmp_path: Path, helm: Path) -> None:
    inner = plant(
        tmp_path / "sub", {"Chart.yaml": ABOUT.replace("app", "sub"), "templates/p.yaml": POD.format("a/s:1")}
    )
    outer = plant(
        tmp_path / "app",
        {
            "Chart.yaml": f"{ABOUT}dependencies: [{{name: sub, version: 0.1.0}}]\n",
            "templates/p.yaml": POD.format("a/o:1"),
        },
    )
    for source, dest in ((inner, outer / "charts"), (outer, tmp_path / "image/charts")):
        subprocess.run([helm, "package", source, "--destination", dest], check=True, capture_output=True)
    packed = tmp_path / "image/charts/app-0.1.0.tgz"

    for program in (helm, None):
        findings = discover.find({"charts/app-0.1.0.tgz": packed}, Helm(program), tmp_path / "work")
        assert {str(one) for one in findings.images} == {"docker.io/a/o:1", "docker.io/a/s:1"}


def test_a_dependency_that_is_missing_is_not_fetched(tmp_path: Path, helm: Path) -> None:
    about = f"{ABOUT}dependencies: [{{name: sub, version: 0.1.0, repository: 'https://127.0.0.1:1/charts'}}]\n"
    files = {"charts/app/Chart.yaml": about, "charts/app/values.yaml": "image: a/a:1\n"}

    images, unclear = found(tmp_path, files, Helm(helm))

    assert images == {"docker.io/a/a:1"}
    assert len(unclear) == 1 and "missing in charts/ directory: sub" in unclear[0]
