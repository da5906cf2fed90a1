"""What `doit diff` says of two images and of two locks, and how little it reads for that."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.image import package
from clusterimage.image.base_image import apply_layer
from clusterimage.oci.image import BuiltLayer, Image
from clusterimage.oci.image import write as write_layout
from clusterimage.oci.layer import Layer, Member
from clusterimage.oci.layer import write as write_layer
from clusterimage.plan.layout import Layout
from clusterimage.queries import diff
from clusterimage.queries.diff.pairs import matched
from clusterimage.storage import compression
from clusterimage.values.reference import Reference
from tests.unit.conftest import error_of
from tests.unit.image.test_package import content, describe
from tests.unit.oracle import judge
from tests.unit.plan.planning import write_lock

NONE = Mirror("none")
BOTH = ("amd64", "arm64")


def build(root: Path, name: str, changes: dict[str, tuple[str, str]] | None = None, tag: str = "v1") -> Path:
    """Package the context of test_package, with `changes`, into dist/NAME of the project `root`."""
    work = root / "work" / name
    described = describe(work, changes)
    described = replace(described, reference=Reference.parse(f"docker.io/sealerio/{name}:{tag}"))
    package.write(described, root / "layers", root / "dist" / name, root / f"{name}.manifest")
    return root / "dist" / name


def said(root: Path, a: str, b: str, *, arches: tuple[str, ...] = BOTH, form: str = "text") -> str:
    """Return what diff says, "" where that is nothing."""
    lines: list[str] = []
    diff.show((a, b), Layout(root, NONE), arches, form, lines.append)
    return "\n".join(lines)


def told(root: Path, a: str, b: str) -> dict[str, Any]:
    return dict(json.loads(said(root, a, b, form="json")))


def paths(rows: list[dict[str, Any]]) -> list[str]:
    return [row["path"] for row in rows]


CHANGES = {
    "rootfs/etc/kubeadm.yml": ("config", "kind: InitConfiguration\n"),
    "rootfs/etc/motd": ("config", "hello\n"),
    "arm64/bin/kubectl": ("kubernetes", "newer arm64 kubectl"),
}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    build(tmp_path, "a")
    build(tmp_path, "b", CHANGES)
    return tmp_path


def test_files_are_told_by_platform_and_cause(two: Path) -> None:
    platforms = told(two, "a", "b")["platforms"]

    amd64, arm64 = platforms["amd64"], platforms["arm64"]
    assert paths(amd64["added"]) == paths(arm64["added"]) == ["etc/motd"]
    assert paths(amd64["changed"]) == ["etc/kubeadm.yml"]
    assert paths(arm64["changed"]) == ["bin/kubectl", "etc/kubeadm.yml"]
    assert amd64["removed"] == [] and paths(told(two, "b", "a")["platforms"]["amd64"]["removed"]) == ["etc/motd"]
    causes = {cause["part"]: cause for cause in arm64["causes"]}
    assert set(causes) == {"config", "kubernetes"}
    assert (causes["config"]["added"], causes["config"]["changed"]) == (1, 1)
    assert causes["kubernetes"]["bytes"] == len("newer arm64 kubectl")


def test_an_image_with_what_it_is_told_to_copy_is_the_other(two: Path) -> None:
    for arch in BOTH:
        a, b = (content(judge(two / "dist" / name)[arch]) for name in ("a", "b"))
        copied = said(two, "a", "b", arches=(arch,), form="paths").splitlines()

        assert a | {path: b[path] for path in copied} == b
        assert all(a.get(path) != b[path] for path in copied)


def test_only_layers_that_differ_are_read(two: Path) -> None:
    layers = [
        {layer.name for judged in judge(two / "dist" / name).values() for layer in judged.layers} for name in ("a", "b")
    ]
    before = told(two, "a", "b")
    shared = layers[0] & layers[1]
    for name in ("a", "b"):
        for hex_digits in shared:
            blob = two / "dist" / name / "blobs/sha256" / hex_digits
            blob.unlink()

    after = told(two, "a", "b")

    assert shared and after == before
    assert before["layers_read"] == len(layers[0] ^ layers[1])


def blobs(root: Path) -> dict[str, int]:
    """Return the layers and configurations of an image, by digest."""
    described = [d for one in judge(root).values() for d in (one.manifest["config"], *one.manifest["layers"])]
    return {one["digest"]: one["size"] for one in described}


def test_what_has_to_be_shipped_is_what_the_other_has_not(two: Path) -> None:
    a, b = (blobs(two / "dist" / name) for name in ("a", "b"))
    lacked = [size for digest, size in b.items() if digest not in a]

    assert told(two, "a", "b")["ship"] == {
        **{"blobs": len(lacked), "bytes": sum(lacked)},
        **{"of_blobs": len(b), "of_bytes": sum(b.values())},
    }
    assert told(two, "a", "a")["ship"]["blobs"] == 0


def test_equal_images_are_equal_whatever_they_are_called(two: Path) -> None:
    build(two, "c", tag="v2")

    answer = said(two, "a", "c")

    assert "no difference" in answer and "linux/" not in answer
    assert told(two, "a", "c")["equal"] is True
    assert said(two, "a", "c", arches=("amd64",), form="paths") == ""


@pytest.mark.parametrize(
    "words",
    ["a", "{root}/dist/a", "oci:{root}/dist/a", "docker.io/sealerio/a:v1", "a:v1"],
)
def test_an_image_is_named_in_many_ways(two: Path, words: str) -> None:
    assert told(two, words.format(root=two), "b")["platforms"] == told(two, "a", "b")["platforms"]


def test_a_mode_a_link_and_a_saved_image_are_differences(tmp_path: Path) -> None:
    tag = "registry/docker/registry/v2/repositories/pause/_manifests/tags/3.5/current/link"
    digests = [f"sha256:{letter * 64}".encode() for letter in "ab"]
    for name, mode, link, digest in (("a", 0o644, "one", digests[0]), ("b", 0o755, "two", digests[1])):
        members = (
            Member("bin/tool", mode, 1, data=b"x"),
            Member("etc/link", 0o777, link=link),
            Member("etc/same", 0o644, 1, data=b"x"),
            Member(tag, 0o644, len(digest), data=digest),
        )
        layout(tmp_path / "dist" / name, [("config", members)])

    answer = said(tmp_path, "a", "b")

    assert "~ bin/tool  mode 0644 -> 0755" in answer
    assert "~ etc/link  link to one -> link to two" in answer
    assert f"~ pause:3.5 {'a' * 12} -> {'b' * 12}" in answer
    assert "etc/same" not in answer and tag not in answer
    assert paths(told(tmp_path, "a", "b")["platforms"]["amd64"]["changed"]) == ["bin/tool", "etc/link", tag]


def layout(dest: Path, layers: list[tuple[str, tuple[Member, ...]]], arch: str = "amd64") -> Path:
    """Write an image of one platform whose layers are `layers`, (part, members)."""
    built = []
    for number, (part, members) in enumerate(layers):
        path = dest.parent.parent / f"{dest.name}-{number}.tar.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        built.append(BuiltLayer(write_layer(Layer(members), compression.installed("gzip"), path), path, part))
    dest.mkdir(parents=True)
    image = Image(arch=arch, layers=tuple(built), labels=(), annotations=(), epoch=0)
    write_layout((image,), Reference.parse(f"docker.io/x/{dest.name}:v1"), dest)
    return dest


def test_where_layers_lie_over_each_other_all_are_read(tmp_path: Path) -> None:
    below = ("config", (Member("etc/one", 0o644, 5, data=b"below"), Member("etc/two", 0o644, 5, data=b"below")))
    above = ("config", (Member("etc/.wh.two", 0o644), Member("etc/one", 0o644, 5, data=b"above")))
    layout(tmp_path / "dist/a", [below, above])
    layout(tmp_path / "dist/b", [below])

    answer = told(tmp_path, "a", "b")

    platform = answer["platforms"]["amd64"]
    assert paths(platform["added"]) == ["etc/two"]
    assert paths(platform["changed"]) == ["etc/one"]
    assert answer["layers_read"] == 2


def test_a_platform_that_one_has_alone_is_all_new(tmp_path: Path) -> None:
    members = (Member("etc/one", 0o644, 3, data=b"one"),)
    layout(tmp_path / "dist/a", [("config", members)])
    layout(tmp_path / "dist/b", [("config", members)], arch="arm64")

    platforms = told(tmp_path, "a", "b")["platforms"]

    assert paths(platforms["amd64"]["removed"]) == paths(platforms["arm64"]["added"]) == ["etc/one"]


def test_a_damaged_layer_is_named(two: Path) -> None:
    a, b = ({layer.name for layer in judge(two / "dist" / name)["amd64"].layers} for name in ("a", "b"))
    blob = two / "dist/b/blobs/sha256" / sorted(b - a)[0]
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[: len(data) // 2])

    error = error_of(said, two, "a", "b")

    assert error.problem.startswith(f"{blob}: cannot be read") and "doit verify" in error.hint


@pytest.mark.parametrize(
    ("a", "b", "problem", "hint"),
    [
        ("", "b", "a= is missing: doit diff a=… b=…", "each is a lock"),
        ("a", "", "b= is missing: doit diff a=… b=…", "each is a lock"),
        ("nothing", "b", "a=nothing: no lock, and no image in", "built are: a, b"),
        ("a", "Not A Name", "bad", "it is to be a lock"),
        ("v1.22.14", "b", "a=v1.22.14: there is no lock", "make it: doit lock k8s=v1.22.14"),
        ("none.toml", "b", "a=none.toml: there is no lock none.toml", "doit lock k8s=…"),
        ("oci:nowhere", "b", "a=oci:nowhere: nowhere is no OCI layout", "write oci:DIR"),
        ("v1.22.15", "a", "v1.22.15 is a lock, a is an image", "name two locks or two images"),
        ("a", "v1.22.15", "v1.22.15 is a lock, a is an image", "name two locks or two images"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch, a: str, b: str, problem: str, hint: str
) -> None:
    write_lock(small)
    for name in ("a", "b"):
        build(small, name)

    error = error_of(said, small, a, b)

    assert problem in error.problem and error.hint.startswith(hint)


def test_paths_are_those_of_one_platform_of_images(two: Path, small: Path) -> None:
    write_lock(small)

    assert error_of(said, two, "a", "b", form="paths").hint == "add platform=amd64"
    assert "a lock has no paths" in error_of(said, small, "v1.22.15", "v1.22.15", form="paths").problem
    assert "neither has it" in error_of(said, two, "a", "b", arches=("s390x",)).problem


def test_locks_are_told_by_component_and_image(small: Path) -> None:
    a, b = write_lock(small), write_lock(small, "v1.24.9")

    answer = told(small, a.as_posix(), "v1.24.9")

    causes = {cause["name"]: cause for cause in answer["causes"]}
    assert causes["kubectl amd64"]["versions"] == ["1.22.15", "1.24.9"]
    assert causes["kubectl amd64"]["blobs"] == 1
    assert any(name.endswith("kube-apiserver") for name in causes)
    assert "docker.io/sealerio/lvscare" not in causes
    assert answer["ship"]["bytes"] == sum(cause["bytes"] for cause in causes.values())
    assert b.as_posix() == answer["b"] and not answer["equal"]
    assert "kubectl amd64" in said(small, "v1.22.15", "v1.24.9")
    assert "no difference" in said(small, "v1.22.15", a.as_posix())


def test_one_version_with_other_bytes_is_told_by_its_digests(small: Path) -> None:
    other = write_lock(small, salt=" again")
    text = other.read_text()
    first = write_lock(small)
    (small / "other.toml").write_text(text)

    answer = told(small, first.as_posix(), (small / "other.toml").as_posix())

    cause = next(cause for cause in answer["causes"] if cause["name"] == "kubectl amd64")
    assert cause["versions"] == ["1.22.15", "1.22.15"] and cause["sha256"][0] != cause["sha256"][1]
    lines = said(small, first.as_posix(), (small / "other.toml").as_posix())
    assert f"1.22.15 {cause['sha256'][1][:12]}" in lines


def test_the_next_version_of_a_thing_is_set_against_the_old_one() -> None:
    a = {("etcd", "3.4"): 1, ("pause", "3.5"): 2, ("gone", "1"): 3}
    b = {("etcd", "3.5"): 4, ("pause", "3.5"): 2, ("pause", "3.6"): 5}

    assert list(matched(a, b)) == [
        ("etcd", ("3.4", 1), ("3.5", 4)),
        ("gone", ("1", 3), None),
        ("pause", ("3.5", 2), ("3.5", 2)),
        ("pause", None, ("3.6", 5)),
    ]


def test_a_whiteout_takes_away_what_is_below_only() -> None:
    entries = {"a/one": 1, "a/two": 2, "b": 3}

    apply_layer(entries, {"a/.wh..wh..opq": 0, "a/three": 4})

    assert entries == {"b": 3, "a/three": 4}
