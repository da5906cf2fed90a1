"""Image references: HOST/REPOSITORY:TAG@DIGEST (https://github.com/distribution/reference).

In an imageList, and so in a lock, `docker-daemon:NAME:TAG` is the image of that name in the local Docker daemon
(https://github.com/containers/image, containers-transports(5)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from clusterimage.values.digest import Digest
from clusterimage.values.errors import ConfigError

DOCKER_HUB = "docker.io"
_LOCAL = "docker-daemon:"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A full image name; `tag` is empty only where `digest` is given. A `local` one is of the Docker daemon."""

    host: str
    repository: str
    tag: str = ""
    digest: Digest | None = None
    local: bool = False

    @classmethod
    def parse_source(cls, text: str) -> Reference:
        """Read a name as parse does, or `docker-daemon:` and a name, which can have no digest."""
        if not text.startswith(_LOCAL):
            return cls.parse(text)
        found = cls.parse(text.removeprefix(_LOCAL))
        if found.digest is not None:
            raise ConfigError(f"image '{text}': an image of the Docker daemon has no digest to find it by")
        return replace(found, local=True)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as `docker pull` does; raises ConfigError that names the bad part.

        The first part is a host when it has a dot, a colon or a capital, or is `localhost`; without one it is Docker
        Hub, where a one-word name is below `library/`. Neither tag nor digest means the tag `latest`.

        >>> str(Reference.parse("nginx"))
        'docker.io/library/nginx:latest'
        >>> str(Reference.parse("quay.io/tigera/operator:v1.25.3"))
        'quay.io/tigera/operator:v1.25.3'
        """
        name, at, digest = text.partition("@")
        host, rest = _split(name)
        repository, colon, tag = rest.partition(":")
        if host == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        for given, pattern, value, what in (
            (True, _HOST, host, "host"),
            (True, _REPOSITORY, repository, "repository"),
            (colon, _TAG, tag, "tag"),
            (at, _DIGEST, digest, "digest"),
        ):
            if given and not pattern.fullmatch(value):
                raise ConfigError(f"image '{text}': bad {what} '{value}'")
        return cls(host, repository, tag if colon or at else "latest", Digest.parse(digest) if at else None)

    @property
    def label(self) -> str:
        """The name as tasks spell it, without colons: `k8s.gcr.io/pause-3.5`."""
        version = self.tag or (self.digest.hex[:12] if self.digest else "")
        return f"{self.name}-{version}".replace(":", "_")

    @property
    def name(self) -> str:
        """HOST/REPOSITORY."""
        return f"{self.host}/{self.repository}"

    @property
    def plain(self) -> Reference:
        """The name that the image has in the cluster, wherever it comes from."""
        return replace(self, local=False)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{_LOCAL if self.local else ''}{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def is_host(text: str) -> bool:
    """Return whether `text` can be the host of a reference: a name or an address, with or without a port."""
    return _HOST.fullmatch(text) is not None


def _split(name: str) -> tuple[str, str]:
    """Return host and the rest of a name."""
    host, _, rest = name.partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        return DOCKER_HUB, name
    return (DOCKER_HUB if host == "index.docker.io" else host), rest
