"""Authentication of the embedded upstream: Basic credentials, or bearer tokens issued for them.

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
    """The only account; kind `bearer` with an empty `user` issues anonymous tokens, as Docker Hub does."""

    user: str
    password: str = field(repr=False)
    kind: Literal["basic", "bearer"] = "basic"

    def admits(self, authorization: str, scope: str) -> bool:
        """Check the Authorization header for `scope`: `repository:NAME:pull`, or "" for any."""
        if self.kind == "basic":
            return self._has_password(authorization)
        scheme, _, token = authorization.partition(" ")
        encoded, _, signature = token.partition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(signature.encode(), self._sign(encoded).encode()):
            return False
        granted = base64.urlsafe_b64decode(encoded).decode().split()
        return not scope or scope in granted

    def challenge(self, registry: str, scope: str) -> str:
        """Return the WWW-Authenticate challenge."""
        if self.kind == "basic":
            return f'Basic realm="{MARK}"'
        fields = [f'realm="http://{registry}{TOKEN_PATH}"', f'service="{registry}"']
        return "Bearer " + ",".join(fields + ([f'scope="{scope}"'] if scope else []))

    def token(self, authorization: str, scopes: Sequence[str]) -> str:
        """Issue a token for `scopes`, "" without the password; it is signed and contains its scopes (stateless)."""
        if self.user and not self._has_password(authorization):
            return ""
        granted = " ".join(f"{scope.rpartition(':')[0]}:pull" for scope in scopes)
        encoded = base64.urlsafe_b64encode(granted.encode()).decode()
        return f"{encoded}.{self._sign(encoded)}"

    def _has_password(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        expected = base64.b64encode(f"{self.user}:{self.password}".encode())
        return scheme.lower() == "basic" and hmac.compare_digest(credentials.strip().encode(), expected)

    def _sign(self, text: str) -> str:
        key = f"{self.user}:{self.password}".encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
