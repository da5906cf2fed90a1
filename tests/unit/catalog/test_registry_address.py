"""Registries however people write them in versions.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.catalog import registry_address, spec
from clusterimage.catalog.spec import Mirror
from clusterimage.transport.network import Network
from tests.unit.conftest import SMALL, error_of


def profile(root: Path, registries: str, plain_http: str = "") -> Mirror:
    """Return the mirror profile of a versions.toml with these lines."""
    (root / "versions.toml").write_text(f"{SMALL}\n[mirrors.site]\nregistries = {registries}\n{plain_http}\n")
    return spec.load(root / "versions.toml").mirror("site")


# What Harbor, Artifactory, Nexus and docker-registry are reached by: written in `registries`, asked for docker.io/a/b.
ADDRESSES = {
    "harbor.example": "https://harbor.example/v2/a/b",
    "harbor.example/": "https://harbor.example/v2/a/b",
    "https://harbor.example": "https://harbor.example/v2/a/b",
    "HTTPS://harbor.example/v2/": "https://harbor.example/v2/a/b",
    "harbor.example/v2": "https://harbor.example/v2/a/b",
    "harbor.example/hub-proxy": "https://harbor.example/v2/hub-proxy/a/b",
    "https://harbor.example/hub-proxy/": "https://harbor.example/v2/hub-proxy/a/b",
    "https://harbor.example//deep/er": "https://harbor.example/v2/deep/er/a/b",
    "https://harbor.example/v2/hub-proxy": "https://harbor.example/v2/hub-proxy/a/b",
    "https://art.example/artifactory/api/docker/hub/v2": "https://art.example/artifactory/api/docker/hub/v2/a/b",
    "art.example:8443/api/docker/Hub/v2/library/": "https://art.example:8443/api/docker/Hub/v2/library/a/b",
    "http://nexus.example:8082": "http://nexus.example:8082/v2/a/b",
    "http://[fd00::1]:5000/copies": "http://[fd00::1]:5000/v2/copies/a/b",
    "m.example/{host}": "https://m.example/v2/docker.io/a/b",
    "https://m.example/{host}/": "https://m.example/v2/docker.io/a/b",
    "m.example/proxy-{host}/x": "https://m.example/v2/proxy-docker.io/x/a/b",
    "https://docker.io/copies": "https://registry-1.docker.io/v2/copies/a/b",
}


@pytest.mark.parametrize("written", ADDRESSES)
@pytest.mark.parametrize("key", ["*", "docker.io", "https://docker.io/", "index.docker.io", "registry-1.docker.io/v2/"])
def test_an_address_is_understood_however_it_is_written(tmp_path: Path, written: str, key: str) -> None:
    mirror = profile(tmp_path, f'{{ "{key}" = "{written}" }}')

    assert Network(mirror).repository_url("docker.io", "a/b") == ADDRESSES[written]


def test_a_host_that_is_written_with_http_is_named_by_that(tmp_path: Path) -> None:
    mirror = profile(tmp_path, '{ "quay.io" = ["http://a.example", "b.example"], "*" = "http://c.example/{host}" }')

    assert mirror.plain_http == ("a.example", "c.example")


def test_hosts_without_tls_may_be_written_as_urls(tmp_path: Path) -> None:
    mirror = profile(tmp_path, "{}", 'plain_http = ["http://a.example:5000/", "b.example", "https://b.example/v2"]')

    assert mirror.plain_http == ("a.example:5000", "b.example")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "'' is no address of a registry"),
        ("ftp://m.example", "'ftp://m.example' is no address of a registry"),
        ("docker://m.example/x", "'docker://m.example/x' is no address of a registry"),
        ("https://", "'https://' is no address of a registry"),
        ("https:///x", "'https:///x' is no address of a registry"),
        ("m.example/a b", "'m.example/a b' is no address of a registry"),
        ("m.example/../x", "'m.example/../x' is no address of a registry"),
        ("m.example/{hosts}", "'m.example/{hosts}' is no address of a registry"),
        ("{host}/m", "'{host}/m' is no address of a registry"),
        ("m.example/v2?x=1", "'m.example/v2?x=1' is no address of a registry"),
        ("https://me:s3cret@m.example", "an address with a login in it"),
    ],
)
def test_what_is_no_address_is_refused_when_it_is_read(tmp_path: Path, written: str, problem: str) -> None:
    error = error_of(profile, tmp_path, f'{{ "quay.io" = "{written}" }}')

    assert error.problem == f"{tmp_path}/versions.toml: mirrors.site.registries.quay.io: {problem}"
    assert error.hint and "s3cret" not in str(error)


@pytest.mark.parametrize("key", ["docker.io/library", "", "https://", "quay.io/{host}"])
def test_a_key_is_a_registry_as_a_whole(tmp_path: Path, key: str) -> None:
    error = error_of(profile, tmp_path, f'{{ "{key}" = "m.example" }}')

    assert error.problem.startswith(f"{tmp_path}/versions.toml: mirrors.site.registries.{key}: ")


def test_a_host_has_no_path() -> None:
    assert error_of(registry_address.host, "m.example/x").problem == "'m.example/x' is no host"
