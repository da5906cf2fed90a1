"""discover: which images content names; the false finds and the misses of a scan by line are right here."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage import discover
from clusterimage.discover import Helm
from tests.unit.conftest import plant

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"


def found(tmp_path: Path, files: dict[str, str | bytes], helm: Path | None = None) -> discover.Findings:
    root = plant(tmp_path / "image", files)
    places = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return discover.find(places, Helm(helm), tmp_path / "work")


def names(findings: discover.Findings) -> list[str]:
    return sorted(str(reference).removeprefix("docker.io/").removeprefix("library/") for reference in findings.images)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{POD}  - image: nginx:1.25 # pinned\n", ["nginx:1.25"]),
        (f"{POD}  - {{name: a, image: b}}\n", ["b:latest"]),
        (f"{POD}  - image: >-\n      redis:7\n", ["redis:7"]),
        (f"{POD}  - image: 'quay.io/a/b:1'\n", ["quay.io/a/b:1"]),
        (f"{POD}  - image: x/y@sha256:{'a' * 64}\n", [f"x/y@sha256:{'a' * 64}"]),
        (f"{POD}  - image: x/y:v1@sha256:{'a' * 64}\n", [f"x/y:v1@sha256:{'a' * 64}"]),
        ("spec: {template: {spec: {initContainers: [{image: i:1}], containers: [{image: c:1}]}}}", ["c:1", "i:1"]),
        ("kind: List\nitems:\n- spec: {containers: [{image: a:1}]}\n---\nspec: {image: b:2}\n", ["a:1", "b:2"]),
        ("kind: Prometheus\nspec:\n  image: quay.io/p/p:v2\n  initImage: q:1\n", ["q:1", "quay.io/p/p:v2"]),
        ("Image: baz:3\n", ["baz:3"]),
        ("spec:\n  image:\n    repository: a/c\n    tag: v1\n", ["a/c:v1"]),
        ("spec: {image: {registry: quay.io, repository: a/c, tag: v1}}\n", ["quay.io/a/c:v1"]),
        ("spec: {image: a/c, tag: v1}\n", ["a/c:v1"]),
        ('args: ["--reload-image=quay.io/x/y:v1", "--image-pull=no"]\n', ["quay.io/x/y:v1"]),
        ("env:\n- {name: RELATED_IMAGE_A, value: 'r/i:1'}\n- {name: OTHER, value: 'r/j:1'}\n", ["r/i:1"]),
        ("data:\n  pod.yaml: |\n    spec:\n      image: in/side:1\n", ["in/side:1"]),
        ("kind: Tagged\nspec: !custom {image: a:1}\n", ["a:1"]),
        ("x: " + "y" * 70000 + "\nimage: after/long:1\n", ["after/long:1"]),
        ("baseimage: foo:1\n", []),
        ("image: parameter.image\n", []),
        ("data:\n  cue: |\n    image: parameter.image\n    other: x\n", []),
        ("data:\n  text: |\n    image: nothing\n", []),
        ("spec: {schema: {properties: {image: {type: string}}, required: [image]}}\n", []),
        ("# image: commented:1\n", []),
        ("imagePullPolicy: Always\nimagePullSecrets: [{name: x}]\n", []),
        ("spec: {image: ''}\n", []),
        ("", []),
    ],
)
def test_what_a_manifest_names(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert names(found(tmp_path, {"manifests/deep/x.yaml": text})) == expected


@pytest.mark.parametrize("place", ["manifests/x.yml", "manifests/a/x.yaml.tmpl", "application/apps/dash/x.yaml"])
def test_where_manifests_are_looked_for(tmp_path: Path, place: str) -> None:
    assert names(
        found(tmp_path, {place: "image: a:1", "etc/x.yaml": "image: no:1", "plugins/p.yaml": "image: n:1"})
    ) == ["a:1"]


def test_a_go_template_is_read_around_its_actions(tmp_path: Path) -> None:
    text = (
        "{{- if .Metrics }}\nspec:\n  replicas: {{ .Replicas }}\n  image: quay.io/a/b:1\n{{- end }}\n"
        '---\nimage: {{or .RegistryURL "sea.hub:5000"}}/a/c:1\n'
    )
    findings = found(tmp_path, {"manifests/x.yaml.tmpl": text})

    assert names(findings) == ["quay.io/a/b:1"]
    assert findings.unclear == ["manifests/x.yaml.tmpl: '{{…}}/a/c:1' is known at run time only: not saved"]


def test_what_is_no_yaml_is_said_and_the_other_documents_are_read(tmp_path: Path) -> None:
    findings = found(tmp_path, {"manifests/x.yaml": "a: [b\n---\nimage: a:1\n", "manifests/y.yaml": b"\xff\xfe\0"})

    assert names(findings) == ["a:1"]
    assert len(findings.unclear) == 2
    assert findings.unclear[0].startswith("manifests/x.yaml: 'document 1' cannot be read as YAML")


def test_every_image_list_counts(tmp_path: Path) -> None:
    lists = {"manifests/imageList": "busybox # c\n# x\n\n", "manifests/more/imageList": '"a/b:1"\n'}

    assert names(found(tmp_path, lists)) == ["a/b:1", "busybox:latest"]


def test_archives_of_images_are_found_in_images_only(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "images/mysql.tar": b"",
        "images/x.tar.gz": b"",
        "images/amd64/b.tar.zst": b"",
        "images/skopeo/c.tar": b"",
        "images/skopeo/tar.txt": b"docker-archive:c.tar@quay.io/a/c:v1\noci-archive:no.tar@a:1\nc.tar\n",
        "x.tar": b"",
    }

    findings = found(tmp_path, files)
    assert findings.archives == {
        "images/skopeo/c.tar": ("quay.io/a/c:v1",),
        "images/amd64/b.tar.zst": (),
        "images/mysql.tar": (),
        "images/x.tar.gz": (),
    }
    assert findings.unclear == [
        "images/skopeo/tar.txt: 'images/skopeo/no.tar' is not in the image: not saved",
        "images/skopeo/tar.txt: 'c.tar' is not KIND:FILE@NAME:TAG with docker-archive or oci-archive: not saved",
    ]


CHART = {
    "Chart.yaml": "name: web\nversion: 0.1.0\nappVersion: 1.2.3\n",
    "values.yaml": "image: {repository: quay.io/web/app, tag: ''}\nside:\n  image: side/car:1\n  tag: 5\n"
    "empty: {image: ''}\n"
    "db: {image: {registry: docker.io, repository: db/db, tag: 8.0.1}}\n",
    "templates/d.yaml": "tag: {{ .Values.image.tag | default .Chart.AppVersion }}\ninit: {image: fix/ed:1}\n",
    "charts/sub/Chart.yaml": "name: sub\n",
    "charts/sub/values.yaml": "image: {repository: no/tag, tag: ''}\n",
}


@pytest.mark.parametrize("root", ["charts", "charts/web", "application/apps/web"])
def test_without_helm_a_chart_s_values_are_read_and_what_is_left_is_said(tmp_path: Path, root: str) -> None:
    findings = found(tmp_path, {f"{root}/{place}": text for place, text in CHART.items()})

    assert names(findings) == ["db/db:8.0.1", "fix/ed:1", "quay.io/web/app:1.2.3", "side/car:1"]
    assert findings.unclear == [
        f"{root}: '{root.rpartition('/')[2]}' is a chart, and no helm is on PATH: its values are read",
        f"{root}: 'no/tag' has no tag: not saved",
    ]


def test_helm_renders_a_chart_where_it_is_there(tmp_path: Path) -> None:
    helm = tmp_path / "helm"
    helm.write_text('#!/bin/sh\n[ "$1" = template ] && test -f "$3/Chart.yaml" && echo "image: rendered:1"\n')
    helm.chmod(0o755)

    findings = found(tmp_path, {f"charts/{place}": text for place, text in CHART.items()}, helm)

    assert names(findings) == ["rendered:1"]
    assert findings.unclear == []


def test_a_chart_that_helm_cannot_render_is_read_from_its_values_and_said(tmp_path: Path) -> None:
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho 'Error: nil pointer' >&2\nexit 1\n")
    helm.chmod(0o755)

    findings = found(tmp_path, {f"charts/{place}": text for place, text in CHART.items()}, helm)

    assert "quay.io/web/app:1.2.3" in names(findings)
    assert findings.unclear[0] == "charts: 'charts' helm: Error: nil pointer"


def test_a_packed_chart_is_read_too(tmp_path: Path) -> None:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for place, text in CHART.items():
            info = tarfile.TarInfo(f"web/{place}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))

    assert "quay.io/web/app:1.2.3" in names(found(tmp_path, {"charts/web-0.1.0.tgz": buffer.getvalue()}))
    assert not (tmp_path / "work").exists()
