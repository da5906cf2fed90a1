"""Where requests go, and what a failed one means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.transport.failures import redact
from clusterimage.transport.network import Call, Network, chunks
from clusterimage.upstream import Faults, Upstream
from clusterimage.values.errors import ClusterImageError, FetchError
from tests.unit.conftest import KUBECTL, Page, Pages, error_of, reach, serve

URL = "https://dl.k8s.io/release/v1/kubeadm"


def network(**mirror: Any) -> Network:
    return Network(Mirror("test", **mirror), sources={"k8s.gcr.io": "registry.k8s.io"})


def get(network: Network, url: str, **more: Any) -> bytes:
    with network.open(url, **more) as response:
        return b"".join(chunks(response))


def failure(network: Network, url: str, **more: Any) -> FetchError:
    error = error_of(get, network, url, **more)
    assert isinstance(error, FetchError)
    return error


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((), URL),
        ((("", "http://m/files"),), "http://m/files/dl.k8s.io/release/v1/kubeadm"),
        ((("", "http://m/files/"),), "http://m/files/dl.k8s.io/release/v1/kubeadm"),
        ((("https://dl.k8s.io/", "http://m/k8s/"),), "http://m/k8s/release/v1/kubeadm"),
        ((("https://dl.k8s.io/release", "http://m/r"),), "http://m/r/v1/kubeadm"),
        ((("https://github.com/", "http://m/gh/"),), URL),
        ((("https://github.com/", "http://m/gh/"), ("", "http://m")), "http://m/dl.k8s.io/release/v1/kubeadm"),
        ((("", "http://all"), ("https://dl.k8s.io/", "http://m/")), "http://m/release/v1/kubeadm"),
        (
            (("https://dl.k8s.io/", "http://1/"), ("https://dl.k8s.io/release/", "http://2/")),
            "http://1/release/v1/kubeadm",
        ),
    ],
)
def test_a_file_comes_from_the_first_mirror_of_its_prefix(files: tuple[tuple[str, str], ...], expected: str) -> None:
    assert network(files=files).file_url(URL) == expected


@pytest.mark.parametrize(
    ("registries", "host", "expected"),
    [
        ((), "quay.io", "https://quay.io/v2/a/b"),
        ((), "localhost:5000", "https://localhost:5000/v2/a/b"),
        ((), "docker.io", "https://registry-1.docker.io/v2/a/b"),
        ((), "k8s.gcr.io", "https://registry.k8s.io/v2/a/b"),
        ((("quay.io", "m.example"),), "quay.io", "https://m.example/v2/a/b"),
        ((("quay.io", "m.example/deep/er"),), "quay.io", "https://m.example/v2/deep/er/a/b"),
        ((("quay.io", "m.example"),), "gcr.io", "https://gcr.io/v2/a/b"),
        ((("*", "m.example"),), "gcr.io", "https://m.example/v2/a/b"),
        ((("*", "m.example/{host}"),), "gcr.io", "https://m.example/v2/gcr.io/a/b"),
        ((("*", "m.example/{host}"),), "docker.io", "https://m.example/v2/docker.io/a/b"),
        ((("*", "m.example/{host}"),), "k8s.gcr.io", "https://m.example/v2/k8s.gcr.io/a/b"),
        ((("*", "m.example"), ("quay.io", "q.example")), "quay.io", "https://q.example/v2/a/b"),
        ((("k8s.gcr.io", "k.example"),), "k8s.gcr.io", "https://k.example/v2/a/b"),
        ((("quay.io", "docker.io/copies"),), "quay.io", "https://registry-1.docker.io/v2/copies/a/b"),
        ((("quay.io", "plain.example:80/x"),), "quay.io", "http://plain.example:80/v2/x/a/b"),
    ],
)
def test_an_image_comes_from_its_mirror_then_its_source_then_its_host(
    registries: tuple[tuple[str, str], ...], host: str, expected: str
) -> None:
    reached = network(registries=registries, plain_http=("plain.example:80",))

    assert reached.repository_url(host, "a/b") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x/y", "https://x/y"),
        ("https://user:pass@x:5000/y", "https://x:5000/y"),
        ("https://token@x/y?X-Amz-Signature=1#z", "https://x/y"),
        ("https://a@b@x/y", "https://x/y"),
        ("http://x", "http://x"),
    ],
)
def test_secrets_of_a_url_are_not_shown(url: str, expected: str) -> None:
    assert redact(url) == expected


def test_offline_nothing_is_asked(upstream: Upstream) -> None:
    error = error_of(get, reach(upstream, offline=True), f"{upstream.url}/x?secret")

    assert error.problem == f"{upstream.url}/x: offline=yes, and it is not in the cache"
    assert error.hint == "build once without offline=yes"
    assert upstream.requests.count() == 0


def test_the_bytes_come_as_they_lie_on_the_server() -> None:
    body = b"\x1f\x8b no gzip at all"
    with serve({"/x": Page(body, headers={"Content-Encoding": "gzip"})}) as pages:
        got = get(pages.network(), f"{pages.url}/x", headers={"X-More": "1"})

    assert got == body
    assert pages.header("Accept-Encoding") == ["identity"]
    assert pages.header("User-Agent") == ["clusterimage"]
    assert pages.header("X-More") == ["1"]


def test_a_download_goes_on_from_an_offset(upstream: Upstream) -> None:
    url = reach(upstream).file_url(KUBECTL.url)
    opener = reach(upstream).opener(url, {"Accept": "*/*"})

    with opener(0) as whole, opener(7) as rest:
        assert b"".join(chunks(whole))[7:] == b"".join(chunks(rest))

    assert [entry.range for entry in upstream.requests.entries] == ["", "bytes=7-"]


def test_a_long_body_comes_in_pieces() -> None:
    with serve({"/x": Page(b"x" * 3_000_000)}) as pages, pages.network().open(f"{pages.url}/x") as response:
        sizes = [len(piece) for piece in chunks(response)]

    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize(
    ("status", "headers", "hint", "retryable", "wait"),
    [
        (401, {}, "log in to that host (`docker login`, or a netrc file for plain files)", False, None),
        (403, {}, "log in with an account that may read it (`docker login`)", False, None),
        (404, {}, "check the version, or ask another mirror", False, None),
        (410, {}, "try again later, or use mirror=", False, None),
        (416, {}, "try again later, or use mirror=", False, None),
        (204, {}, "try again later, or use mirror=", False, None),
        (408, {}, "try again later, or use mirror=", True, None),
        (429, {"Retry-After": "7"}, "wait, log in for a higher limit, or use mirror=", True, 7.0),
        (429, {"Retry-After": "0"}, "wait, log in for a higher limit, or use mirror=", True, 0.0),
        (429, {"Retry-After": "86400"}, "wait, log in for a higher limit, or use mirror=", True, 60.0),
        (500, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, "try again later, or use mirror=", True, None),
        (502, {}, "try again later, or use mirror=", True, None),
        (503, {"Retry-After": "-1"}, "try again later, or use mirror=", True, None),
        (504, {}, "try again later, or use mirror=", True, None),
    ],
)
def test_a_refusal_says_whether_and_when_to_try_again(
    status: int, headers: dict[str, str], hint: str, retryable: bool, wait: float | None
) -> None:
    with serve({"/x": Page(b"", status, headers)}) as pages:
        error = failure(pages.network(), f"{pages.url}/x?signature=s3cret")

    assert error.problem.startswith(f"{pages.url}/x: {status} ")
    assert (error.hint, error.retryable, error.wait, error.status) == (hint, retryable, wait, status)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"errors": [{"code": "DENIED", "message": "not yours"}]}', " (DENIED: not yours)"),
        (b'{"errors": [{"code": "DENIED"}]}', " (DENIED)"),
        (b'{"errors": [{"code": "DENIED", "message": "\\u001b[31mred\\u202e"}]}', r" (DENIED: \x1b[31mred\u202e)"),
        (b'{"errors": [{"code": "DENIED", "message": "' + b"x" * 1000 + b'"}]}', f" (DENIED: {'x' * 292}…)"),
        (b'{"errors": [{"code": "DENIED", "message": "' + b"x" * 100_000 + b'"}]}', ""),
        (b"[" * 60_000, ""),
        (b'{"errors": [{"code": "DENIED", "message": "two\\nlines"}]}', " (DENIED: two lines)"),
        (b'{"errors": []}', ""),
        (b'{"errors": ["x"]}', ""),
        (b"[]", ""),
        (b"<html>", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_registry_s_own_reason_is_told(body: bytes, said: str, method: str) -> None:
    def ask(network: Network, url: str) -> None:
        with network.send(url, Call(method)):
            pass

    with serve({"/v2/x": Page(body, 403)}) as pages:
        error = error_of(ask, pages.network(), f"{pages.url}/v2/x")

    assert error.problem == f"{pages.url}/v2/x: 403 Forbidden{said}"


def test_a_server_that_does_not_listen_may_come_back() -> None:
    error = failure(network(), "http://127.0.0.1:9/x")

    assert error.problem.startswith("http://127.0.0.1:9/x: ")
    assert "Connection refused" in error.problem
    assert (error.hint, error.retryable) == ("check the network, a proxy, or mirror=", True)


@pytest.mark.parametrize(("kind", "words"), [("cut", "IncompleteRead"), ("stall", "timed out")])
def test_a_body_that_breaks_off_may_come_whole_next_time(
    upstream: Upstream, faults: Faults, kind: str, words: str
) -> None:
    faults.add("kubectl", kind, after=100)
    reached = reach(upstream, timeout=0.2)

    error = failure(reached, reached.file_url(KUBECTL.url))

    assert words in error.problem
    assert error.retryable


@pytest.mark.parametrize("url", ["mirror.example/x", "ftp://mirror.example/x", "http:///x", "https://*/x"])
def test_a_url_that_makes_no_sense_is_not_tried_again(url: str) -> None:
    assert not failure(network(), url).retryable


def test_a_redirect_is_followed() -> None:
    with serve({"/x": Page(b"there")}) as there, serve({}) as here:
        here.pages["/x"] = Page(b"", 302, {"Location": f"{there.url}/x"})

        assert get(here.network(), f"{here.url}/x") == b"there"


def test_a_server_is_believed_by_the_certificate_of_its_mirror(certificate: Path) -> None:
    with serve({"/x": Page(b"secure")}, certificate) as pages:
        assert get(pages.network(ca=str(certificate)), f"{pages.url}/x") == b"secure"


def test_the_mirror_s_certificate_comes_before_the_environment_s(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.pem").write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    with serve({"/x": Page(b"secure")}, certificate) as pages:
        assert get(pages.network(ca=str(certificate)), f"{pages.url}/x") == b"secure"


def test_an_unknown_certificate_is_refused_once_and_for_all(certificate: Path) -> None:
    with serve({"/x": Page(b"secure")}, certificate) as pages:
        error = failure(pages.network(), f"{pages.url}/x")

    assert "certificate verify failed" in error.problem
    assert not error.retryable


def test_a_missing_certificate_bundle_is_named() -> None:
    error = error_of(get, Network(Mirror("office", ca="none.pem")), "https://127.0.0.1:9/x")

    assert error.problem == "versions.toml: mirrors.office.ca: none.pem: no such file"


def redirect_down(pages: Pages, target: str) -> ClusterImageError:
    pages.pages["/x"] = Page(b"", 302, {"Location": f"{target}/x?signature=s3cret"})
    return error_of(get, pages.network(ca=pages.pages["ca"].body.decode()), f"{pages.url}/x")


def test_tls_is_not_given_up_by_a_redirect(certificate: Path) -> None:
    ca = {"ca": Page(str(certificate).encode())}
    with serve({"/x": Page(b"plain")}) as plain, serve(ca, certificate) as secure:
        error = redirect_down(secure, plain.url)

    assert error.problem == f"{secure.url}/x: redirected to plain http at {plain.url}/x"
    assert error.hint == "use another mirror"


def test_tls_is_not_given_up_on_the_way(certificate: Path) -> None:
    ca = {"ca": Page(str(certificate).encode()), "/end": Page(b"end")}
    with serve({}) as plain, serve(ca, certificate) as secure:
        plain.pages["/x"] = Page(b"", 302, {"Location": f"{secure.url}/end"})
        error = redirect_down(secure, plain.url)

    assert error.problem == f"{secure.url}/x: redirected to plain http at {plain.url}/x"


def test_the_embedded_upstream_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serve({"/x": Page(b"direct")}) as pages:
        assert get(Network(Mirror(EMBEDDED)), f"{pages.url}/x") == b"direct"
        assert "proxy" in failure(pages.network(), f"{pages.url}/x").problem


def test_a_netrc_file_is_asked_for_plain_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve({"/x": Page(b"x"), "/v2/x": Page(b"x")}) as pages:
        get(pages.network(), f"{pages.url}/x")
        get(pages.network(), f"{pages.url}/v2/x")
        get(Network(Mirror(EMBEDDED)), f"{pages.url}/x")

    assert pages.header("Authorization") == ["Basic YW5uYTpzM2NyZXQ=", "", ""]
