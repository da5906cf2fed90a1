"""A token server as docker-registry asks for one (https://distribution.github.io/distribution/spec/auth/token/).

For an identity token it is asked by POST (…/spec/auth/oauth/, grant_type=refresh_token).
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.conftest import run, tool
from tests.integration.loopback import LoopbackServer


class TokenServer(LoopbackServer):
    """Gives signed tokens for any scope to one user while its context lasts; `scopes` are those it was asked for.

    `identity` is the user's identity token.
    """

    def __init__(self, work: Path, user: str, password: str) -> None:
        super().__init__()
        self.scopes: list[str] = []
        self.identity = f"identity-of-{user}-{len(password)}"
        self._key, self._certificate = work / "token.key", work / "token.crt"
        command = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
        run(tool("openssl"), *command, "-keyout", self._key, "-out", self._certificate)
        self._login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        realm = f"http://{self.address}/token"
        settings = f"realm: '{realm}', service: tests, issuer: tests, rootcertbundle: {self._certificate}"
        self.configuration = f"auth: {{token: {{{settings}}}}}\n"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Give a token, or nothing to whoever is not the user."""
        allowed = handler.headers.get("Authorization") == self._login
        query = parse_qs(urlsplit(handler.path).query)
        if handler.command == "POST":
            query = parse_qs(_body(handler).decode())
            wanted = {"grant_type": ["refresh_token"], "refresh_token": [self.identity], "service": ["tests"]}
            allowed = wanted.items() <= query.items() and "client_id" in query
        name = "access_token" if handler.command == "POST" else "token"
        scopes = " ".join(query.get("scope", [])).split()
        self.scopes += scopes
        body = json.dumps({name: self._token(scopes)} if allowed else {}).encode()
        handler.send_response(200 if allowed else 401)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _token(self, scopes: list[str]) -> str:
        certificate = "".join(self._certificate.read_text().splitlines()[1:-1])
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {"iss": "tests", "aud": "tests", "sub": "", "jti": "1", "access": access}
        claims |= {"iat": now, "nbf": now - 10, "exp": now + 300}
        text = f"{_encoded({'typ': 'JWT', 'alg': 'RS256', 'x5c': [certificate]})}.{_encoded(claims)}"
        command = [tool("openssl"), "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
        return f"{text}.{_plain(signature)}"


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    """Read the body of a request; crane sends it in chunks."""
    if "Content-Length" in handler.headers:
        return handler.rfile.read(int(handler.headers["Content-Length"]))
    data = b""
    while size := int(handler.rfile.readline(), 16):
        data += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return data


def _encoded(value: dict[str, Any]) -> str:
    return _plain(json.dumps(value).encode())


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
