"""What the words of a command line select."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from clusterimage.catalog import spec
from clusterimage.catalog.spec import Mirror, Spec
from clusterimage.plan import selection
from clusterimage.plan.selection import Combination, Selection
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.version import Version
from tests.unit.conftest import SMALL, error_of


@pytest.fixture(scope="module")
def small_spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    path = tmp_path_factory.mktemp("spec") / "versions.toml"
    path.write_text(SMALL)
    return spec.load(path)


def select(small_spec: Spec, **variables: str) -> Selection:
    return selection.select(small_spec, variables)


def refused(small_spec: Spec, variables: Mapping[str, str]) -> ClusterImageError:
    return error_of(selection.select, small_spec, variables)


def names(small_spec: Spec, **variables: str) -> list[str]:
    chosen = select(small_spec, **variables)
    return [str(chosen.reference(one, small_spec.flavor(one.flavor))) for one in chosen.combinations]


def test_without_a_word_the_defaults_are_selected(small_spec: Spec) -> None:
    version = Version(1, 22, 15)

    assert select(small_spec) == Selection(
        combinations=(Combination(version, "docker", "none"), Combination(version, "docker", "calico")),
        arches=("amd64", "arm64"),
        name="",
        mirror=Mirror("none"),
        overlay=None,
        offline=False,
        locked=False,
        strict=False,
        debug=False,
        compression="isal",
    )


@pytest.mark.parametrize(
    ("variables", "ids"),
    [
        ({"k8s": "v1.22.15", "cni": "none"}, "v1.22.15-docker"),
        ({"k8s": "1.24.9", "cni": "calico"}, "v1.24.9-containerd-calico"),
        ({"k8s": "v1.22.15, 1.24.9,v1.22.15", "cni": "none"}, "v1.22.15-docker v1.24.9-containerd"),
        ({"cri": "containerd", "cni": "none"}, "v1.22.15-containerd"),
        ({"cri": "containerd,docker,containerd", "cni": "none"}, "v1.22.15-containerd v1.22.15-docker"),
        ({"cni": "calico,none"}, "v1.22.15-docker-calico v1.22.15-docker"),
        ({"k8s": "", "cri": "", "cni": ""}, "v1.22.15-docker v1.22.15-docker-calico"),
        ({"flavor": "sealer", "cni": "none"}, "v1.22.15-docker"),
        ({"flavor": "sealos"}, "v1.22.15-docker-sealos"),
        ({"flavor": "sealer,sealos", "cri": "docker"}, "v1.22.15-docker v1.22.15-docker-calico v1.22.15-docker-sealos"),
    ],
)
def test_versions_runtimes_and_networks_are_combined(small_spec: Spec, variables: dict[str, str], ids: str) -> None:
    assert [one.id for one in select(small_spec, **variables).combinations] == ids.split()


@pytest.mark.parametrize(("text", "chosen"), [("", "isal"), ("zstd", "zstd"), ("gzip", "gzip")])
def test_a_compression_is_chosen_by_name(small_spec: Spec, text: str, chosen: str) -> None:
    assert select(small_spec, compression=text).compression == chosen


@pytest.mark.parametrize("text", ["gzip,zstd", "zst", "none"])
def test_one_compression_that_is_known(small_spec: Spec, text: str) -> None:
    assert f"compression={text.partition(',')[0]}" in error_of(select, small_spec, compression=text).problem


def test_every_version_counts_once_in_the_order_given(small_spec: Spec) -> None:
    assert select(small_spec, k8s="1.24.9,1.22.15").versions == (Version(1, 24, 9), Version(1, 22, 15))


@pytest.mark.parametrize(
    ("platform", "arches"),
    [
        ("", ("amd64", "arm64")),
        ("linux/arm64", ("arm64",)),
        ("amd64", ("amd64",)),
        ("linux/arm64,linux/amd64", ("amd64", "arm64")),
        ("amd64,linux/amd64", ("amd64",)),
    ],
)
def test_platforms_are_written_with_or_without_linux(small_spec: Spec, platform: str, arches: tuple[str, ...]) -> None:
    assert select(small_spec, platform=platform).arches == arches


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"cni": "none"}, "docker.io/sealerio/kubernetes:v1.22.15"),
        ({"cni": "calico"}, "docker.io/sealerio/kubernetes:v1.22.15-calico"),
        ({"cri": "containerd", "cni": "none"}, "docker.io/sealerio/kubernetes:v1.22.15-containerd"),
        ({"cri": "containerd", "cni": "calico"}, "docker.io/sealerio/kubernetes:v1.22.15-containerd-calico"),
        ({"flavor": "sealos"}, "docker.io/labring/kubernetes-docker:v1.22.15"),
        ({"flavor": "sealos", "cri": "containerd"}, "docker.io/labring/kubernetes:v1.22.15"),
        ({"flavor": "sealos", "name": "a/k"}, "docker.io/a/k:v1.22.15"),
        (
            {"flavor": "sealer,sealos", "cni": "none", "name": "k:1"},
            "docker.io/library/k:1 docker.io/library/k:1-sealos",
        ),
        ({"cri": "containerd", "cni": "none", "name": "example.com/k"}, "example.com/k:v1.22.15"),
        ({"cni": "calico", "name": "example.com:5000/a/k"}, "example.com:5000/a/k:v1.22.15-calico"),
        ({"cni": "calico", "name": "localhost:5000/k:mine"}, "localhost:5000/k:mine-calico"),
        ({"cni": "none", "buildName": "k"}, "docker.io/library/k:v1.22.15"),
        ({"cni": "none", "buildName": "k", "name": "other"}, "docker.io/library/other:v1.22.15"),
        (
            {"cri": "docker,containerd", "cni": "none", "name": "k:mine"},
            "docker.io/library/k:mine docker.io/library/k:mine-containerd",
        ),
        (
            {"k8s": "1.22.15,1.24.9", "cni": "none", "name": "a/k"},
            "docker.io/a/k:v1.22.15 docker.io/a/k:v1.24.9-containerd",
        ),
    ],
)
def test_an_image_is_named_by_what_is_in_it(small_spec: Spec, variables: dict[str, str], expected: str) -> None:
    assert names(small_spec, **variables) == expected.split()


def test_one_tag_for_several_versions_is_refused(small_spec: Spec) -> None:
    error = error_of(names, small_spec, k8s="1.22.15,1.24.9", name="k:mine")

    assert error.problem == "name=k:mine: one tag for several versions"
    assert error.hint == "leave the tag out: it is the version"


@pytest.mark.parametrize(
    ("mirror", "expected"), [("", "none"), ("embedded", "embedded"), ("office", "office"), ("plain", "plain")]
)
def test_a_mirror_is_chosen_by_name(small_spec: Spec, mirror: str, expected: str) -> None:
    assert select(small_spec, mirror=mirror).mirror.name == expected


def test_the_built_in_mirror_serves_bytes_of_its_own(small_spec: Spec) -> None:
    assert select(small_spec, mirror="embedded").mirror == Mirror("embedded", own_bytes=True)


@pytest.mark.parametrize(
    ("text", "meant"), [("yes", True), ("true", True), ("1", True), ("no", False), ("false", False), ("0", False)]
)
@pytest.mark.parametrize("name", ["offline", "locked", "debug"])
def test_a_switch_is_yes_or_no(small_spec: Spec, name: str, text: str, meant: bool) -> None:
    assert getattr(select(small_spec, **{name: text}), name) is meant


def test_an_overlay_is_a_directory(small_spec: Spec, tmp_path: Path) -> None:
    assert select(small_spec, overlay=str(tmp_path)).overlay == tmp_path
    assert select(small_spec, overlay="").overlay is None


@pytest.mark.parametrize(
    ("variables", "problem", "hint"),
    [
        ({"k8": "1"}, "k8=: unknown variable", "did you mean k8s?"),
        ({"plattform": "amd64"}, "plattform=: unknown variable", "did you mean platform?"),
        ({"k8s": "1.22"}, "'1.22' is not a released version", "write it like v1.22.15"),
        ({"cri": "dockr"}, "cri=dockr: unknown container runtime", "did you mean docker?"),
        ({"cni": "calcio"}, "cni=calcio: unknown value", "did you mean calico?"),
        ({"platform": "linux/amd"}, "platform=linux/amd: unknown value", "did you mean linux/amd64?"),
        ({"platform": "amd64,s390x"}, "platform=s390x: unknown value", "known: linux/amd64, linux/arm64, amd64, arm64"),
        ({"flavor": "sealoz"}, "flavor=sealoz: unknown value", "did you mean sealos?"),
        (
            {"flavor": "sealos", "cni": "calico"},
            "cni=calico: not with flavor=sealos: an application image brings it",
            "leave cni= out",
        ),
        ({"mirror": "offce"}, "mirror=offce: unknown mirror", "did you mean office?"),
        ({"offline": "maybe"}, "offline=maybe: unknown value", "yes or no"),
        ({"name": "a/UPPER"}, "image 'a/UPPER': bad repository 'a/UPPER'", ""),
        ({"name": "a/b@sha256:1"}, "name=a/b@sha256:1: a digest cannot be chosen", "give a tag"),
        ({"overlay": "no/such"}, "overlay=no/such: no such directory", ""),
        ({"push": "maybe"}, "push=maybe: unknown value", "yes or no"),
        ({"ca": "no/such"}, "ca=no/such: no such file", "a file of certificates in PEM"),
        ({"port": "http"}, "port=http: not a port", "a number below 65536; 0 is a free one"),
        ({"port": "65536"}, "port=65536: not a port", "a number below 65536; 0 is a free one"),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name(
    small_spec: Spec, variables: dict[str, str], problem: str, hint: str
) -> None:
    error = refused(small_spec, variables)

    assert (error.problem, error.hint) == (problem, hint)


@pytest.mark.parametrize("name", ["k8s", "cri", "cni", "platform"])
def test_a_list_of_nothing_is_refused(small_spec: Spec, name: str) -> None:
    assert refused(small_spec, {name: ","}).problem == f"{name}=,: names nothing"


@pytest.mark.parametrize("name", ["offline", "locked", "debug"])
def test_an_empty_switch_is_one_that_was_not_given(small_spec: Spec, name: str) -> None:
    assert getattr(select(small_spec, **{name: ""}), name) is False


def test_a_password_does_not_show(small_spec: Spec) -> None:
    chosen = select(small_spec, username="builder", password="s3cret")

    assert chosen.pushing.password == "s3cret"
    assert "s3cret" not in repr(chosen) and "builder" in repr(chosen)


@pytest.mark.parametrize(("text", "meant"), [("yes", True), ("no", False), ("false", False), ("", False)])
def test_a_build_pushes_when_it_is_told_to(small_spec: Spec, text: str, meant: bool) -> None:
    assert select(small_spec, push=text).pushing.wanted is meant


def test_registries_without_tls_are_named_one_by_one(small_spec: Spec) -> None:
    assert select(small_spec, plain_http="a:1, b:2").pushing.plain_http == ("a:1", "b:2")
    assert select(small_spec, plain_http="http://a:1/,b:2/v2/").pushing.plain_http == ("a:1", "b:2")
    assert refused(small_spec, {"plain_http": "a:1/x"}).problem == "plain_http='a:1/x' is no host"
