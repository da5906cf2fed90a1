"""What is found in the shapes that people write, and what is found falsely: every image, or a line that says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage import discover
from clusterimage.discover import Helm
from tests.conftest import ROOT
from tests.unit.conftest import plant
from tests.unit.discover.corpus import SHAPES, Shape

NO_HELM = "no helm is on PATH"


def read(root: Path, shape: Shape) -> tuple[set[str], list[str]]:
    """Return the images that are found, and what is said to be unclear but for the lack of helm."""
    image = plant(root / "image", dict(shape.files))
    places = {path.relative_to(image).as_posix(): path for path in image.rglob("*") if path.is_file()}
    findings = discover.find(places, Helm(None), root / "work")
    return {str(one) for one in findings.images}, [line for line in findings.unclear if NO_HELM not in line]


def full(names: tuple[str, ...]) -> set[str]:
    from clusterimage.values.reference import Reference

    return {str(Reference.parse(name)) for name in names}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_image_of_a_shape_is_found_and_nothing_else(tmp_path: Path, shape: Shape) -> None:
    found, unclear = read(tmp_path, shape)

    assert found == full(shape.images)
    assert len(unclear) == shape.unclear, unclear


def test_how_much_is_found(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    wanted = found = right = 0
    for number, shape in enumerate(SHAPES):
        names, _ = read(tmp_path / str(number), shape)
        wanted, found = wanted + len(shape.images), found + len(names)
        right += len(names & full(shape.images))
    line = f"{len(SHAPES)} shapes: {right} of {wanted} images found, {found - right} found falsely"
    record_property("corpus", line)
    print(f"\n{line}")
    assert (right, found) == (wanted, wanted)


def rows(head: str) -> list[tuple[str, str]]:
    """Return the rows of the README's table with that head."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [(cells[1].strip(), cells[2].strip()) for cells in (line.split("|") for line in table)]


def test_every_place_of_the_readme_is_searched(tmp_path: Path) -> None:
    names = rows("place | read as")
    places = {
        "manifests/a.yaml": "image: a/yaml:1\n", "manifests/b/a.yml": "image: a/yml:1\n",
        "application/apps/x/a.json": '{"image": "a/json:1"}', "manifests/a.tmpl": "image: a/tmpl:1\n",
        "manifests/imageList": "a/list:1\n", "application/apps/x/x.sh": "run --image=a/sh:1\n",
        "manifests/k/kustomization.yaml": "resources: [k.yaml]\nimages: [{name: k, newName: a/kustomized}]\n",
        "manifests/k/k.yaml": "image: k:1\n", "charts/c/Chart.yaml": "name: c\n",
        "charts/c/values.yaml": "image: a/no:1\n", "charts/c.values.yaml": "image: a/chart:1\n",
        "images/shim/any": "a/shim:1\n", "images/x/a.tar.zst": "", "images/skopeo/a.tar": "",
        "images/skopeo/tar.txt": "oci-archive:a.tar@a/named:1\n",
    }  # fmt: skip
    found, _ = read(tmp_path, Shape("", places, (), 0))

    said = ("yaml", "yml", "json", "tmpl", "list", "sh", "kustomized", "chart", "shim")
    assert found == full(tuple(f"a/{name}:1" for name in said))
    assert [place for place, _ in names] == [
        "`manifests/`, `application/apps/NAME/`", "`kustomization.yaml` there", "`charts/`, and the same two",
        "`images/shim/*`", "`images/**`",
    ]  # fmt: skip


# What a row of the README says, as people write it.
OF_ROW = {
    "`image: nginx:1.25`": ("a: [{b: {image: 'nginx:1.25', x: {Image: redis}}}]", ("nginx:1.25", "redis")),
    "`sidecarImage:`, `docker_image:`, `imageName:`, `A_B_IMAGE:`": (
        "{sidecarImage: 'a:1', docker_image: 'b:1', imageName: 'c:1', A_B_IMAGE: 'd:1', "
        "env: [{name: A_B_IMAGE, value: 'e:1'}]}",
        ("a:1", "b:1", "c:1", "d:1", "e:1"),
    ),
    "`images: {a: …}`, `controllerImages: {a: …}`": (
        "{images: {a: 'a:1', b: {c: 'b:1'}}, controllerImages: {a: 'c:1'}}",
        ("a:1", "b:1", "c:1"),
    ),
    "`{registry: …, repository: …, tag: …, digest: …}`": (
        f"a: {{registry: r.io, repository: a/b, tag: v1, digest: 'sha256:{'b' * 64}'}}\nb: {{repo: a/c, tag: v2}}\n"
        "c: {registry: r.io/, image: a/d, tag: v3}\nd: {image: a/e, imageTag: v4}\n"
        "e: {proxyImageRepository: a/f, proxyImageTag: v5}",
        (f"r.io/a/b:v1@sha256:{'b' * 64}", "a/c:v2", "r.io/a/d:v3", "a/e:v4", "a/f:v5"),
    ),
    "`volumes: [{image: {reference: …}}]`": ("volumes: [{image: {reference: 'a/b:1'}}]", ("a/b:1",)),
    '`--x-image=…`, `[-x-image, …]`, `sh -c "… --x-image …"`': (
        "[{args: [--x-image=a:1]}, {args: [-x-image, 'b:1']}, {command: [sh, -c, 'exec x --x-image c:1']}]",
        ("a:1", "b:1", "c:1"),
    ),
    "`anything: quay.io/a/b:v1.2`": (
        "{anything: quay.io/a/b:v1.2, args: [quay.io/a/c:v1]}",
        ("quay.io/a/b:v1.2", "quay.io/a/c:v1"),
    ),
}


def test_every_shape_of_the_readme_is_found(tmp_path: Path) -> None:
    assert [shape for shape, _ in rows("shape | found")] == [*OF_ROW]
    for number, (text, expected) in enumerate(OF_ROW.values()):
        found, unclear = read(tmp_path / str(number), Shape("", {"manifests/a.yaml": f"{text}\n"}, (), 0))
        assert (found, unclear) == (full(expected), [])
