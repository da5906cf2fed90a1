"""What registries ask for with 401, and what Docker's configuration has to say to that."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clusterimage.upstream import Auth
from tests.unit.conftest import Page, reach, serve
from tests.unit.transport.test_network_login import BASIC, challenge, configured, failure, tags, upstream_with

# Both parts of https://www.rfc-editor.org/rfc/rfc9110 §11.6.1: several header fields, and several challenges in one.
# <T> is the token server's address.
CHALLENGES = [
    ("Negotiate", 'Bearer realm="<T>",service="s"'),
    ('Bearer realm="<T>",service="s"', "Negotiate"),
    ('Basic realm="r"', 'Bearer realm="<T>",service="s"'),
    ('Bearer realm="<T>",service="s"', 'Basic realm="r"'),
    ('Bearer error="invalid_token"', 'Bearer realm="<T>",service="s"'),
    ('NTLM, Basic realm="a, Bearer b", bEARER service="s" , REALM="<T>"',),
    ('Bearer Realm = "<T>", Service = s, Digest realm="x", nonce="y=="',),
    ('Digest qop="auth, auth-int",nonce="q"', "Negotiate YII==", "BEARER SERVICE=s,REALM=<T>"),
    ('Bearer realm="<T>",service="\\s"',),
    ("Bearer", 'Bearer realm="<T>",service="s"'),
    ('Basic realm="unterminated', 'Bearer service=s,realm="<T>"'),
]


@pytest.mark.parametrize("challenges", CHALLENGES)
def test_the_token_server_is_found_among_all_challenges(challenges: tuple[str, ...]) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as pages:
        told = tuple(("WWW-Authenticate", one.replace("<T>", f"{pages.url}/token")) for one in challenges)
        pages.pages["/v2/pause/tags/list"] = Page(b"", 401, more=told)
        failure(pages.network())

    assert [name for name, _ in pages.asked] == [
        "GET /v2/pause/tags/list",
        "GET /token?service=s",
        "GET /v2/pause/tags/list",
    ]
    assert pages.header("Authorization") == ["", "", "Bearer x"]


@pytest.mark.parametrize(
    "challenges", [("Basic",), ("Bearer", "Basic"), ('Digest nonce="x"', "basic"), ('BASIC realm="x", Negotiate',)]
)
def test_a_password_answers_basic_in_any_company(tmp_path: Path, challenges: tuple[str, ...]) -> None:
    told = tuple(("WWW-Authenticate", one) for one in challenges)
    with serve({"/v2/pause/tags/list": Page(b"", 401, more=told)}) as pages:
        failure(pages.network(docker_config=configured(tmp_path, pages.host)))

    assert pages.header("Authorization") == ["", BASIC]


def test_a_token_server_needs_no_service() -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as pages:
        headers = {"WWW-Authenticate": f'Bearer realm="{pages.url}/token"'}
        pages.pages["/v2/pause/tags/list"] = Page(b"", 401, headers)
        failure(pages.network())

    assert pages.asked[1][0] == "GET /token"


def stored(root: Path, host: str, **entry: str) -> Path:
    (root / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    return root / "config.json"


# https://distribution.github.io/distribution/spec/auth/oauth/
def test_an_identity_token_buys_tokens(tmp_path: Path) -> None:
    with serve({"/token": Page(b'{"access_token": "x"}')}) as pages:
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")
        failure(pages.network(docker_config=stored(tmp_path, pages.host, identitytoken="re/fresh", auth="MDAwMDo=")))

    assert [name for name, _ in pages.asked][1] == "POST /token"
    assert dict(parse_qsl(pages.bodies[0])) == {
        "grant_type": "refresh_token",
        "service": "s",
        "client_id": "clusterimage",
        "scope": "repository:pause:pull",
        "refresh_token": "re/fresh",
    }
    assert pages.header("Authorization") == ["", "", "Bearer x"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_identity_token_that_has_run_out_is_told(tmp_path: Path, status: int) -> None:
    with serve({"/token": Page(b'{"error": "invalid_grant"}', status)}) as pages:
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")
        error = failure(pages.network(docker_config=stored(tmp_path, pages.host, identitytoken="s3cret")))

    assert error.problem == f"{pages.url}/token: {status}: does not take that identity token"
    assert error.hint == "log in again: it may have run out" and not error.retryable


@pytest.mark.parametrize("status", [302, 307, 308, 404])
def test_an_identity_token_that_is_refused_is_told_and_goes_nowhere_else(tmp_path: Path, status: int) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as other, serve({}) as pages:
        pages.pages["/token"] = Page(b"", status, {"Location": f"{other.url}/token"})
        pages.pages["/v2/pause/tags/list"] = challenge(f"{pages.url}/token")
        error = failure(pages.network(docker_config=stored(tmp_path, pages.host, identitytoken="refresh")))

    assert error.problem.startswith(f"{pages.url}/token: {status} ")
    assert other.asked == [] and "refresh" not in str(error)


@pytest.mark.parametrize("told", ['Basic realm="x"', 'Bearer realm="http://127.0.0.1:9/token"'])
def test_a_registry_token_is_sent_as_it_is(tmp_path: Path, told: str) -> None:
    with serve({"/v2/pause/tags/list": Page(b"", 401, {"WWW-Authenticate": told})}) as pages:
        failure(pages.network(docker_config=stored(tmp_path, pages.host, registrytoken="ready")))

    assert pages.header("Authorization") == ["", "Bearer ready"]


def test_an_identity_token_is_no_password(tmp_path: Path) -> None:
    with serve({"/v2/pause/tags/list": Page(b"", 401, {"WWW-Authenticate": "Basic"})}) as pages:
        failure(pages.network(docker_config=stored(tmp_path, pages.host, identitytoken="refresh", auth="MDAwMDo=")))

    assert pages.header("Authorization") == [""]


@pytest.mark.parametrize("identity", [True, False])
def test_a_login_is_not_sent_in_the_clear_to_a_host_that_was_not_named(tmp_path: Path, identity: bool) -> None:
    entry = {"identitytoken": "refresh"} if identity else {"username": "anna", "password": "s3cret"}
    with serve({}) as pages:
        pages.pages["/v2/pause/tags/list"] = challenge("http://tokens.example:9/token")
        error = failure(pages.network(docker_config=stored(tmp_path, pages.host, **entry)))

    assert error.problem.endswith("asks for a login over plain http at http://tokens.example:9/token")
    assert error.hint == "name tokens.example:9 in plain_http, if that is meant"


@pytest.mark.parametrize("told", ["Basic", 'Bearer realm="<T>"'])
def test_a_challenge_of_whoever_it_redirects_to_is_not_answered(tmp_path: Path, told: str) -> None:
    with serve({"/token": Page(b'{"token": "x"}')}) as other, serve({}) as pages:
        headers = {"WWW-Authenticate": told.replace("<T>", f"{other.url}/token")}
        other.pages["/v2/there"] = Page(b"", 401, headers)
        pages.pages["/v2/pause/tags/list"] = Page(b"", 307, {"Location": f"{other.url}/v2/there"})
        error = failure(pages.network(docker_config=stored(tmp_path, pages.host, username="anna", password="s3cret")))

    assert error.status == 401
    assert [name for name, _ in other.asked] == ["GET /v2/there"] and other.header("Authorization") == [""]


def test_what_a_namespace_may_is_asked_with_its_own_login(tmp_path: Path) -> None:
    with serve({"/v2/pause/tags/list": Page(b"", 401, {"WWW-Authenticate": "Basic"})}) as pages:
        login = base64.b64encode(b"other:x").decode()
        entries = {pages.host: {"auth": login}, f"{pages.host}/pause": {"username": "anna", "password": "s3cret"}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": entries}))
        failure(pages.network(docker_config=tmp_path / "config.json"))

    assert pages.header("Authorization") == ["", BASIC]


def test_without_its_credential_helper_whoever_lets_anybody_in_is_asked(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "nowhere"}')
    with upstream_with(Auth("", "", "bearer")) as upstream:
        assert tags(reach(upstream, docker_config=tmp_path / "config.json"))["tags"] == ["3.5"]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_missing_credential_helper_is_named_when_nobody_is_let_in(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "nowhere"}')
    with upstream_with(Auth("anna", "s3cret", kind)) as upstream:
        error = failure(reach(upstream, docker_config=tmp_path / "config.json"))

    assert "401" in error.problem and "; docker-credential-nowhere: " in error.problem
    assert (error.hint, error.status) == ("install it, or remove it from Docker's configuration", 401)
