"""Credentials for registries from Docker's configuration (https://docs.docker.com/reference/cli/docker/login).

`auths` holds base64 of user:password; `credHelpers` and `credsStore` name a program docker-credential-NAME that is
asked over standard input, so that no secret is ever an argument.
"""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterimage.errors import ClusterImageError, ConfigError
from clusterimage.oci.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password; the password never shows in a repr."""

    user: str
    password: str = field(repr=False)


def find(config: Path | None, host: str) -> Credentials | None:
    """Return what the Docker configuration file `config` knows for the registry `host`, or None."""
    if config is None or not config.exists():
        return None
    try:
        settings = json.loads(config.read_text())
    except ValueError as error:
        raise ConfigError(f"{config}: not valid JSON: {error}", hint="mend it, or run `docker login` again") from error
    keys = (_HUB_KEY, DOCKER_HUB) if host == DOCKER_HUB else (host, f"https://{host}")
    helpers = settings.get("credHelpers", {})
    for key in keys:
        helper = helpers.get(key) or settings.get("credsStore", "")
        found = _ask(helper, key) or _stored(settings, key, config)
        if found is not None:
            return found
    return None


def _stored(settings: dict[str, Any], key: str, config: Path) -> Credentials | None:
    auth = settings.get("auths", {}).get(key, {}).get("auth", "")
    if not auth:
        return None
    try:
        user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{config}: auths.{key}.auth: not base64", hint="run `docker login` again") from error
    return Credentials(user, password)


def _ask(helper: str, key: str) -> Credentials | None:
    if not helper:
        return None
    program = f"docker-credential-{helper}"
    try:
        answer = subprocess.run([program, "get"], input=key, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "install it, or remove it from Docker's configuration"
        raise ClusterImageError(f"{program}: {error}", hint=hint) from error
    if answer.returncode != 0:
        return None
    values = json.loads(answer.stdout)
    return Credentials(values.get("Username", ""), values.get("Secret", ""))
