"""How a registry is logged in to: Basic, bearer tokens, and who never sees a password."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from clusterimage.transport.network import Network, chunks
from clusterimage.upstream import Auth, Faults, Upstream
from clusterimage.values.errors import FetchError
from tests.unit.conftest import PAUSE, Page, error_of, reach, serve

ETCD = "k8s.gcr.io/etcd:3.5.0-0"
BASIC = "Basic " + base64.b64encode(b"anna:s3cret").decode()


def upstream_with(auth: Auth, faults: Faults | None = None) -> Upstream:
    return Upstream([], [PAUSE, ETCD], auth=auth, faults=faults)


def configured(root: Path, host: str, password: str = "s3cret") -> Path:
    login = base64.b64encode(f"anna:{password}".encode()).decode()
    (root / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
    return root / "config.json"


def tags(network: Network, repository: str = "pause") -> dict[str, Any]:
    with network.open(f"{network.repository_url('k8s.gcr.io', repository)}/tags/list") as response:
        answer: dict[str, Any] = json.loads(b"".join(chunks(response)))
    return answer


def failure(network: Network) -> FetchError:
    error = error_of(tags, network)
    assert isinstance(error, FetchError)
    return error


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_docker_s_login_opens_a_registry(tmp_path: Path, kind: Any) -> None:
    with upstream_with(Auth("anna", "s3cret", kind)) as upstream:
        network = reach(upstream, docker_config=configured(tmp_path, upstream.registry))

        assert tags(network)["tags"] == ["3.5"]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_without_the_right_password_it_stays_shut(tmp_path: Path, kind: Any, password: str) -> None:
    with upstream_with(Auth("anna", "s3cret", kind)) as upstream:
        config = configured(tmp_path, upstream.registry, password) if password else None

        error = failure(reach(upstream, docker_config=config))

    assert "401" in error.problem
    assert error.hint.startswith("log in to that host (`docker login`")
    assert (error.status, error.retryable) == (401, False)
    assert password == "" or password not in str(error)


def test_the_login_of_another_host_is_not_sent(tmp_path: Path) -> None:
    config = configured(tmp_path, "quay.io")
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    with serve({"/v2/pause/tags/list": Page(b"", 401, challenge)}) as pages:
        failure(pages.network(docker_config=config))

    assert pages.header("Authorization") == [""]


def test_a_token_is_bought_once_for_a_repository(tmp_path: Path) -> None:
    with upstream_with(Auth("anna", "s3cret", "bearer")) as upstream:
        network = reach(upstream, docker_config=configured(tmp_path, upstream.registry))

        for repository in ("pause", "pause", "etcd", "pause"):
            tags(network, repository)

        assert upstream.requests.count("GET /token") == 2
        assert upstream.requests.count("tags/list") == 6  # each repository is refused once


def test_one_token_serves_tags_manifests_and_blobs(tmp_path: Path) -> None:
    with upstream_with(Auth("", "", "bearer")) as upstream:
        network = reach(upstream)
        base = network.repository_url("k8s.gcr.io", "pause")

        for path in ("tags/list", "manifests/3.5"):
            with network.open(f"{base}/{path}"):
                pass

        assert upstream.requests.count("GET /token") == 1


def test_nobody_in_particular_gets_a_token_too(tmp_path: Path) -> None:
    with upstream_with(Auth("", "", "bearer")) as upstream:
        assert tags(reach(upstream))["tags"] == ["3.5"]


def test_a_head_request_is_logged_in_like_a_get(tmp_path: Path) -> None:
    with upstream_with(Auth("", "", "bearer")) as upstream:
        network = reach(upstream)

        with network.open(f"{network.repository_url('k8s.gcr.io', 'pause')}/manifests/3.5", method="HEAD") as response:
            assert response.status_code == 200


def challenge(realm: str) -> Page:
    return Page(b"", 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:pause:pull"'})


def test_a_token_that_ran_out_is_replaced() -> None:
    with serve({"/token": Page(b'{"token": "one"}')}) as pages:
        network = pages.network()
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")
        failure(network)
        pages.pages["/token"] = Page(b'{"access_token": "two"}')
        failure(network)

    assert [name for name, _ in pages.asked] == [
        "GET /v2/pause/tags/list",
        "GET /token?service=s&scope=repository%3Apause%3Apull",
        "GET /v2/pause/tags/list",
        "GET /v2/pause/tags/list",
        "GET /token?service=s&scope=repository%3Apause%3Apull",
        "GET /v2/pause/tags/list",
    ]
    assert pages.header("Authorization") == ["", "", "Bearer one", "Bearer one", "", "Bearer two"]


def test_a_token_that_was_refused_is_not_sent_again() -> None:
    with serve({"/token": Page(b'{"token": "same"}')}) as pages:
        network = pages.network()
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")
        failure(network)
        failure(network)

    assert pages.header("Authorization") == ["", "", "Bearer same", "Bearer same", ""]


@pytest.mark.parametrize("headers", [{}, {"WWW-Authenticate": 'Basic realm="x"'}, {"WWW-Authenticate": "Negotiate"}])
def test_a_challenge_that_cannot_be_answered_is_a_refusal(headers: dict[str, str]) -> None:
    with serve({"/v2/pause/tags/list": Page(b"", 401, headers)}) as pages:
        error = failure(pages.network())

    assert error.problem == f"{pages.url}/v2/pause/tags/list: 401 Unauthorized"
    assert not error.retryable


def test_a_file_server_s_challenge_is_not_answered(tmp_path: Path) -> None:
    with serve({"/x": Page(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'})}) as pages:
        network = pages.network(docker_config=configured(tmp_path, pages.host))

        def ask() -> None:
            with network.open(f"{pages.url}/x"):
                pass

        error = error_of(ask)

    assert "401" in error.problem
    assert pages.header("Authorization") == [""]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (Page(b"", 500), "/token: 500 Internal Server Error"),
        (Page(b"", 429, {"Retry-After": "3"}), "/token: 429 Too Many Requests"),
        (Page(b"no json"), "/token: answers with no token"),
        (Page(b"{}"), "/token: answers with no token"),
        (Page(b"[]"), "/token: answers with no token"),
        (Page(b'{"token": 7}'), "/token: answers with no token"),
    ],
)
def test_a_token_server_that_fails_is_named(token: Page, words: str) -> None:
    with serve({"/token": token}) as pages:
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")

        error = failure(pages.network())

    assert error.problem == f"{pages.url}{words}"
    assert error.retryable is (token.status in (429, 500))


@pytest.mark.parametrize("realm", ["", "token", "/token", "ftp://x/token", "https:///token", "https://[/token"])
def test_a_realm_that_is_no_address_is_final(realm: str) -> None:
    with serve({"/v2/pause/tags/list": challenge(realm)}) as pages:
        error = failure(pages.network())

    assert error.problem == f"{pages.url}/v2/pause/tags/list: asks for a login at '{realm}', which is no address"
    assert not error.retryable


def test_a_password_is_not_sent_where_tls_ends(certificate: Path, tmp_path: Path) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as plain, serve({}, certificate) as secure:
        secure.pages["/v2/pause/tags/list"] = challenge(f"{plain.url}/token")
        config = configured(tmp_path, secure.host)

        error = failure(secure.network(ca=str(certificate), docker_config=config))

    assert error.problem == f"{secure.url}/v2/pause/tags/list: asks for a login over plain http at {plain.url}/token"
    assert plain.asked == []


def test_a_token_server_does_not_lead_away_from_tls(certificate: Path, tmp_path: Path) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as plain, serve({}, certificate) as secure:
        secure.pages["/v2/pause/tags/list"] = challenge(f"{secure.url}/token")
        secure.pages["/token"] = Page(b"", 307, {"Location": f"{plain.url}/token"})

        error = failure(secure.network(ca=str(certificate)))

    assert "plain http" in error.problem


def test_a_token_is_bought_over_tls(certificate: Path, tmp_path: Path) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}, certificate) as secure:
        secure.pages["/v2/pause/tags/list"] = challenge(f"{secure.url}/token")
        config = configured(tmp_path, secure.host)

        failure(secure.network(ca=str(certificate), docker_config=config))

    assert secure.header("Authorization") == ["", BASIC, "Bearer x"]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_redirect_to_another_server_takes_no_login_along(tmp_path: Path, kind: Any) -> None:
    faults = Faults()
    with (
        serve({"/blob": Page(b'{"tags": []}')}) as other,
        upstream_with(Auth("anna", "s3cret", kind), faults) as upstream,
    ):
        network = reach(upstream, docker_config=configured(tmp_path, upstream.registry))
        tags(network)
        faults.add("tags/list", "redirect", None, to=f"{other.url}/blob")

        tags(network)

    assert other.header("Authorization") == [""]


def test_a_proxy_s_login_is_no_registry_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with upstream_with(Auth("anna", "s3cret", "bearer")) as upstream:
        assert failure(reach(upstream)).status == 401
