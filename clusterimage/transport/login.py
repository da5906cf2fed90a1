"""Answering a registry's challenge: a password, or a token that is there already or asked of a token server.

GET  <realm>?service=…&scope=…                      with a password, or as nobody in particular
POST <realm> grant_type=refresh_token&service=…     with an identity token
https://distribution.github.io/distribution/spec/auth/token/ and …/spec/auth/oauth/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clusterimage.transport import failures
from clusterimage.transport.challenge import Challenge
from clusterimage.transport.credentials import IDENTITY, Credentials
from clusterimage.values.errors import FetchError, shown

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import requests

# Asks a token server: method, realm, what to tell it, and the Authorization header ("" for none).
Ask = Callable[[str, str, dict[str, str | list[str]], str], "AbstractContextManager[requests.Response]"]
CLIENT = "clusterimage"
_LIMIT = 1 << 20
_SPENT = (400, 401, 403)  # to a refresh token


def answer(
    challenges: Sequence[Challenge], place: str, login: Credentials | None, scope: str, ask: Ask, plain: Sequence[str]
) -> str:
    """Return the Authorization header that answers one of the `challenges` of `place`, "" if there is none to send.

    `scope` is asked for besides what the challenge says, `plain` are the hosts that may hear a login without TLS.
    """
    if login and login.token and challenges:
        return f"Bearer {login.token}"
    bearers = [one for one in challenges if one.scheme == "bearer"]
    usable = [one for one in bearers if one.parameters.get("realm")]
    if not usable and any(one.scheme == "basic" for one in challenges):
        return basic(login)
    for one in usable or bearers:
        return f"Bearer {_buy(one, place, login, scope, ask, plain)}"
    return ""


def basic(login: Credentials | None) -> str:
    """Return the Authorization header of a password, "" without one."""
    if login is None or login.user == IDENTITY or not (login.user or login.password):
        return ""
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _buy(
    challenge: Challenge, place: str, login: Credentials | None, scope: str, ask: Ask, plain: Sequence[str]
) -> str:
    """Return a token of the token server that the challenge names."""
    realm, service = (challenge.parameters.get(name, "") for name in ("realm", "service"))
    _check(place, realm, login, plain)
    scopes = list(dict.fromkeys([*challenge.parameters.get("scope", "").split(), *scope.split()]))
    fields: dict[str, str | list[str]] = {"service": service} if service else {}
    if login is None or login.user != IDENTITY:
        with ask("GET", realm, {**fields, "scope": scopes}, basic(login)) as response:
            return _token(realm, response)
    fields |= {"grant_type": "refresh_token", "client_id": CLIENT, "scope": " ".join(scopes)}
    with ask("POST", realm, {**fields, "refresh_token": login.password}, "") as response:
        if response.status_code in _SPENT:
            problem = f"{failures.redact(realm)}: {response.status_code}: does not take that identity token"
            raise FetchError(problem, hint="log in again: it may have run out", status=response.status_code)
        return _token(realm, response)


def _check(place: str, realm: str, login: Credentials | None, plain: Sequence[str]) -> None:
    """Refuse a token server that is no address, and one that would hear a login in the clear."""
    asked = urlsplit(place)
    try:
        there = urlsplit(realm)
    except ValueError:  # https://[
        there = urlsplit("")
    if there.scheme not in ("http", "https") or not there.hostname:
        problem = f"{failures.redact(place)}: asks for a login at '{shown(realm)}', which is no address"
        raise FetchError(problem, hint="tell who runs that registry, or use another mirror")
    if there.scheme == "https":
        return
    named = there.hostname == asked.hostname or there.netloc in plain
    if asked.scheme == "https" or (login is not None and not named):
        problem = f"{failures.redact(place)}: asks for a login over plain http at {failures.redact(realm)}"
        raise FetchError(problem, hint=f"name {shown(there.netloc)} in plain_http, if that is meant")


def _token(realm: str, response: requests.Response) -> str:
    """Return the token of a token server's response; without one raise FetchError."""
    if response.status_code != 200:
        raise failures.of_response(realm, response)
    try:
        body = json.loads(failures.bounded(response, _LIMIT))
        token = body.get("token") or body.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise FetchError(f"{failures.redact(realm)}: answers with no token", hint="use another mirror")
    return token
