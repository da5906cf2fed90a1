"""Addresses of registries as people write them: HOST, HOST/PREFIX, or a URL, with or without the /v2/ of its API.

| written                                     | asked for a/b                           |
|---------------------------------------------|-----------------------------------------|
| m.example, https://m.example/v2/            | https://m.example/v2/a/b                |
| m.example/copies/, https://m.example/copies | https://m.example/v2/copies/a/b         |
| http://m.example:5000                       | http://m.example:5000/v2/a/b            |
| https://m.example/api/docker/hub/v2         | https://m.example/api/docker/hub/v2/a/b |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterimage.values.errors import ConfigError, shown
from clusterimage.values.reference import DOCKER_HUB, is_host

HUB_HOSTS = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_HINT = "HOST[:PORT][/PREFIX], with https:// or http:// before it or not"
_SCHEME = re.compile(r"(\w+)://", re.ASCII)
_STEP = re.compile(r"[\w.~-]+|(?:[\w.~-]*\{host\}[\w.~-]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """A registry's host, the path behind it, and whether it was written with http://."""

    host: str
    path: str
    plain: bool

    @property
    def place(self) -> str:
        """HOST[/PATH], however it was written."""
        return f"{self.host}/{self.path}" if self.path else self.host


def parse(text: str) -> RegistryAddress:
    """Read an address; raises ConfigError, without the text if that may hold a password.

    >>> parse("http://m.example:5000/copies/")
    RegistryAddress(host='m.example:5000', path='copies', plain=True)
    """
    scheme = _SCHEME.match(text.strip())
    kind = scheme[1].lower() if scheme else "https"
    host, _, path = text.strip()[scheme.end() if scheme else 0 :].partition("/")
    if "@" in host:
        raise ConfigError("an address with a login in it", hint="logins belong into Docker's configuration")
    steps = [step for step in path.split("/") if step]
    if kind not in ("http", "https") or not is_host(host) or not all(map(_is_step, steps)):
        raise ConfigError(f"'{shown(text, most=100)}' is no address of a registry", hint=_HINT)
    return RegistryAddress(host, "/".join(steps), kind == "http")


def host(text: str) -> str:
    """Read the address of a registry as a whole, and return its host; Docker Hub has one name."""
    address = parse(text)
    if address.path not in ("", "v1", "v2"):
        raise ConfigError(f"'{shown(text, most=100)}' is no host", hint="a registry, without a path")
    return DOCKER_HUB if address.host in HUB_HOSTS else address.host


def _is_step(step: str) -> bool:
    return step not in (".", "..") and _STEP.fullmatch(step) is not None
