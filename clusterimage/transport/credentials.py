"""Credentials for registries from Docker's configuration (https://docs.docker.com/reference/cli/docker/login).

`auths` holds base64 of user:password; `credHelpers` and `credsStore` name a credential helper docker-credential-NAME,
which gets the registry on standard input and prints the credentials.
"""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterimage.values.errors import ClusterImageError, ConfigError
from clusterimage.values.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_MEND = "mend it, or run `docker login` again"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password; the repr omits the password."""

    user: str
    password: str = field(repr=False)


def find(config: Path | None, host: str) -> Credentials | None:
    """Return the credentials for the registry `host` in the Docker configuration file `config`, or None."""
    if config is None or not config.exists():
        return None
    try:
        settings = _object(config, "", json.loads(config.read_text("utf-8")))
    except ValueError as error:
        raise ConfigError(f"{config}: not valid JSON: {error}", hint=_MEND) from error
    keys = (_HUB_KEY, DOCKER_HUB) if host == DOCKER_HUB else (host, f"https://{host}")
    helpers = _object(config, "credHelpers", settings.get("credHelpers", {}))
    for key in keys:
        helper = helpers.get(key) or settings.get("credsStore", "")
        if not isinstance(helper, str):
            raise ConfigError(f"{config}: credsStore: not a name", hint=_MEND)
        found = _from_helper(helper, key) or _from_auths(settings, key, config)
        if found is not None:
            return found
    return None


def _object(config: Path, name: str, value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object; else raise ConfigError without the value, which may be a secret."""
    if not isinstance(value, dict):
        raise ConfigError(f"{config}: {name or 'its content'}: not a JSON object", hint=_MEND)
    return value


def _from_auths(settings: dict[str, Any], key: str, config: Path) -> Credentials | None:
    auths = _object(config, "auths", settings.get("auths", {}))
    auth = _object(config, f"auths.{key}", auths.get(key, {})).get("auth", "")
    if not auth:
        return None
    try:
        user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ConfigError(f"{config}: auths.{key}.auth: not base64", hint="run `docker login` again") from error
    return Credentials(user, password)


def _from_helper(helper: str, key: str) -> Credentials | None:
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
    try:
        values = json.loads(answer.stdout)
        user, password = values["Username"], values["Secret"]
        if not (isinstance(user, str) and isinstance(password, str)):
            raise TypeError("no text")
    except (ValueError, TypeError, KeyError) as error:
        problem = f"{program}: its answer is not what a credential helper says"
        raise ClusterImageError(problem, hint=f"ask it by hand: echo {key} | {program} get") from error
    return Credentials(user, password)
