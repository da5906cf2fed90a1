"""Who may read from the embedded upstream: Basic credentials, or bearer tokens bought with them.

https://distribution.github.io/distribution/spec/auth/token/ and RFC 7617 (Basic)
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from clusterimage.upstream.contents import MARK

TOKEN_PATH = "/token"


@dataclass(frozen=True, slots=True)
class Auth:
    """The one account; kind `bearer` with an empty `user` hands tokens to anybody, as Docker Hub does."""

    user: str
    password: str = field(repr=False)
    kind: Literal["basic", "bearer"] = "basic"

    def admits(self, authorization: str, scope: str) -> bool:
        """Judge the header for `scope`, which is `repository:NAME:pull`, or empty for no repository in particular."""
        if self.kind == "basic":
            return self._has_password(authorization)
        scheme, _, token = authorization.partition(" ")
        encoded, _, seal = token.partition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(seal.encode(), self._seal(encoded).encode()):
            return False
        granted = base64.urlsafe_b64decode(encoded).decode().split()
        return not scope or scope in granted

    def challenge(self, registry: str, scope: str) -> str:
        """Say what the client should have sent, for WWW-Authenticate."""
        if self.kind == "basic":
            return f'Basic realm="{MARK}"'
        fields = [f'realm="http://{registry}{TOKEN_PATH}"', f'service="{registry}"']
        return "Bearer " + ",".join(fields + ([f'scope="{scope}"'] if scope else []))

    def token(self, authorization: str, scopes: Sequence[str]) -> str:
        """Issue a token for `scopes`; empty without the password. The token carries its scopes, so nothing is kept."""
        if self.user and not self._has_password(authorization):
            return ""
        granted = " ".join(f"{scope.rpartition(':')[0]}:pull" for scope in scopes)
        encoded = base64.urlsafe_b64encode(granted.encode()).decode()
        return f"{encoded}.{self._seal(encoded)}"

    def _has_password(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        expected = base64.b64encode(f"{self.user}:{self.password}".encode())
        return scheme.lower() == "basic" and hmac.compare_digest(credentials.strip().encode(), expected)

    def _seal(self, text: str) -> str:
        key = f"{self.user}:{self.password}".encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
