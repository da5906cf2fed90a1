"""Proxies of the environment: those that cannot be used are refused by name, without their password."""

from __future__ import annotations

import importlib.util

import pytest

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.transport.network import Network
from tests.unit.conftest import Page, error_of, serve


def ask(network: Network, url: str) -> None:
    with network.open(url):
        pass


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080, a SOCKS proxy, which needs PySocks"),
        ("SOCKS5H://me:s3cret@127.0.0.1:1080", "socks5h://127.0.0.1:1080, a SOCKS proxy, which needs PySocks"),
        ("socks4://localhost", "socks4://localhost, a SOCKS proxy, which needs PySocks"),
        ("socks://127.0.0.1:1080/", "socks://127.0.0.1:1080/, which is no kind of proxy that is known"),
        ("ftp://me:s3cret@proxy.example", "ftp://proxy.example, which is no kind of proxy that is known"),
        ("http://me:s3cret@", "http://, which is no address"),
        ("http://me:s3cret@127.0.0.1:99999", "http://127.0.0.1:99999, which is no address"),
        ("me:s3cret@[::1", "http://[::1, which is no address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, shown: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv(variable, proxy)
    with serve({"/v2/x": Page(b"x")}) as pages:
        error = error_of(ask, pages.network(attempts=3), f"{pages.url}/v2/x")

    assert error.problem == f"{pages.url}/v2/x: is behind {shown}"
    assert "NO_PROXY" in error.hint and "s3cret" not in str(error)
    assert pages.asked == []


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_host_that_needs_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv(name, "127.0.0.1")
    with serve({"/x": Page(b"x")}) as pages:
        ask(pages.network(), f"{pages.url}/x")

    assert len(pages.asked) == 1


def test_the_embedded_upstream_is_behind_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with serve({"/x": Page(b"x")}) as pages:
        ask(Network(Mirror(EMBEDDED)), f"{pages.url}/x")

    assert len(pages.asked) == 1


def test_a_proxy_of_http_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({"http://far.example/x": Page(b"x")}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.host)
        ask(proxy.network(), "http://far.example/x")

    assert [name for name, _ in proxy.asked] == ["GET http://far.example/x"]
