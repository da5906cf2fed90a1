"""Image names, as `docker pull` reads them and as sealer's registry stores them."""

from __future__ import annotations

import pytest

from clusterimage.values.digest import Digest
from clusterimage.values.reference import Reference
from tests.unit.conftest import HEX_A, error_of

AT = f"@sha256:{HEX_A}"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("library/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/library/nginx:1.25", "docker.io/library/nginx:1.25"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("calico/node:v3.22.1", "docker.io/calico/node:v3.22.1"),
        ("a/b/c/d", "docker.io/a/b/c/d:latest"),
        ("quay.io/tigera/operator:v1.25.3", "quay.io/tigera/operator:v1.25.3"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("host:80/x", "host:80/x:latest"),
        ("Host/x", "Host/x:latest"),
        ("HOST.example/x", "HOST.example/x:latest"),
        ("192.168.0.1", "docker.io/library/192.168.0.1:latest"),
        ("192.168.0.1:80", "docker.io/library/192.168.0.1:80"),
        ("192.168.0.1:80/x", "192.168.0.1:80/x:latest"),
        ("[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x:latest"),
        ("my-host.example/x", "my-host.example/x:latest"),
        ("a.b/x", "a.b/x:latest"),
        ("a--b/c__d/e.f/g-h", "docker.io/a--b/c__d/e.f/g-h:latest"),
        ("0/1:2", "docker.io/0/1:2"),
        ("x:_A.b-c_", "docker.io/library/x:_A.b-c_"),
        (f"x:{'a' * 128}", f"docker.io/library/x:{'a' * 128}"),
        (f"x{AT}", f"docker.io/library/x{AT}"),
        (f"x/y:v1{AT}", f"docker.io/x/y:v1{AT}"),
        (f"localhost:5000/x{AT}", f"localhost:5000/x{AT}"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(text: str, full: str) -> None:
    reference = Reference.parse(text)

    assert str(reference) == full
    assert Reference.parse(full) == reference


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        ("", "repository", "library/"),
        (" nginx", "repository", "library/ nginx"),
        ("nginx ", "repository", "library/nginx "),
        ("https://example.com/x", "host", "https:"),
        ("docker/Docker", "repository", "docker/Docker"),
        ("Nginx", "repository", "library/Nginx"),
        ("-x", "repository", "library/-x"),
        ("x-", "repository", "library/x-"),
        ("-x/y", "repository", "-x/y"),
        ("-x.io/y", "host", "-x.io"),
        ("x-.io/y", "host", "x-.io"),
        ("x..io/y", "host", "x..io"),
        (".io/y", "host", ".io"),
        ("ho_st.io/y", "host", "ho_st.io"),
        ("host:/y", "host", "host:"),
        ("host:8o/y", "host", "host:8o"),
        ("[::g]/y", "host", "[::g]"),
        ("x//y", "repository", "x//y"),
        ("x/", "repository", "x/"),
        ("/x", "repository", "/x"),
        ("example.com/", "repository", "example.com/"),
        ("a___b", "repository", "library/a___b"),
        ("a..b", "repository", "library/a..b"),
        ("a._b", "repository", "library/a._b"),
        ("a/../b", "repository", "a/../b"),
        ("ä", "repository", "library/ä"),
        ("x:", "tag", ""),
        ("x:-a", "tag", "-a"),
        ("x:.a", "tag", ".a"),
        ("x:a b", "tag", "a b"),
        ("x:ä", "tag", "ä"),
        ("x:1:2", "tag", "1:2"),
        (f"x:{'a' * 129}", "tag", "a" * 129),
        (f"x:{AT}", "tag", ""),
        ("x@", "digest", ""),
        ("x@latest", "digest", "latest"),
        (f"x@{HEX_A}", "digest", HEX_A),
        (f"x@sha256:{HEX_A[1:]}", "digest", f"sha256:{HEX_A[1:]}"),
        (f"x@sha256:{HEX_A.upper()}", "digest", f"sha256:{HEX_A.upper()}"),
        (f"x@sha512:{HEX_A * 2}", "digest", f"sha512:{HEX_A * 2}"),
        (f"x{AT}{AT}", "digest", f"{AT[1:]}{AT}"),
    ],
)
def test_a_bad_name_is_refused_with_its_bad_part(text: str, what: str, value: str) -> None:
    assert error_of(Reference.parse, text).problem == f"image '{text}': bad {what} '{value}'"


@pytest.mark.parametrize(
    ("text", "host", "stored"),
    [
        ("nginx", "docker.io", "library/nginx:latest"),
        ("docker.io/nginx", "docker.io", "library/nginx:latest"),
        ("docker.io/library/nginx:1.25", "docker.io", "library/nginx:1.25"),
        ("calico/node:v3.22.1", "docker.io", "calico/node:v3.22.1"),
        ("quay.io/tigera/operator:v1.25.3", "quay.io", "tigera/operator:v1.25.3"),
        ("registry.k8s.io/kube-apiserver:v1.28.0", "registry.k8s.io", "kube-apiserver:v1.28.0"),
        ("registry.k8s.io/coredns/coredns:v1.10.1", "registry.k8s.io", "coredns/coredns:v1.10.1"),
        ("k8s.gcr.io/coredns:1.7.0", "k8s.gcr.io", "coredns:1.7.0"),
        ("registry.aliyuncs.com/google_containers/pause:3.9", "registry.aliyuncs.com", "google_containers/pause:3.9"),
        ("localhost:5000/helm-charts/mysql:8", "localhost:5000", "helm-charts/mysql:8"),
    ],
)
def test_the_host_chooses_the_upstream_and_the_rest_is_what_is_stored(text: str, host: str, stored: str) -> None:
    reference = Reference.parse(text)

    assert (reference.host, f"{reference.repository}:{reference.tag}") == (host, stored)


@pytest.mark.parametrize(("text", "tag"), [(f"x/y{AT}", ""), (f"x/y:v1{AT}", "v1")])
def test_a_digest_needs_no_tag_and_keeps_one(text: str, tag: str) -> None:
    assert Reference.parse(text) == Reference("docker.io", "x/y", tag, Digest(HEX_A))


@pytest.mark.parametrize(
    ("text", "name", "label"),
    [
        ("k8s.gcr.io/pause:3.5", "k8s.gcr.io/pause", "k8s.gcr.io/pause-3.5"),
        ("localhost:5000/x:1", "localhost:5000/x", "localhost_5000/x-1"),
        (f"a/b{AT}", "docker.io/a/b", "docker.io/a/b-aaaaaaaaaaaa"),
        (f"a/b:1{AT}", "docker.io/a/b", "docker.io/a/b-1"),
    ],
)
def test_a_label_has_no_colon(text: str, name: str, label: str) -> None:
    reference = Reference.parse(text)

    assert (reference.name, reference.label) == (name, label)


def test_references_are_ordered_by_what_they_say() -> None:
    names = ["b.io/x:1", "a.io/y:1", "a.io/x:2", "a.io/x:1"]

    assert [str(reference) for reference in sorted(map(Reference.parse, names))] == sorted(names)


def test_an_image_of_the_docker_daemon_keeps_its_name_in_the_cluster() -> None:
    found = Reference.parse_source("docker-daemon:team/own:v1")

    assert found.local and str(found) == "docker-daemon:docker.io/team/own:v1"
    assert Reference.parse_source(str(found)) == found
    assert found.plain == Reference.parse("team/own:v1") == Reference.parse_source("team/own:v1")
    assert found != found.plain


def test_an_image_of_the_docker_daemon_has_no_digest_and_is_no_name_to_build() -> None:
    assert "has no digest" in error_of(Reference.parse_source, f"docker-daemon:team/own{AT}").problem
    assert "bad host" in error_of(Reference.parse, "docker-daemon:team/own:v1").problem
