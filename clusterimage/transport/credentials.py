"""Credentials for registries from Docker's configuration (https://docs.docker.com/reference/cli/docker/login).

`auths` holds base64 of user:password, both in the clear, or a token; `credHelpers` and `credsStore` name a credential
helper docker-credential-NAME, which gets the registry on standard input and prints the credentials. What counts as the
same registry: docker/cli cli/config/credentials (ConvertToHostname), containers-auth.json(5) for namespaces, and
kubernetes pkg/credentialprovider/keyring.go, which reads the path of a URL.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterimage.catalog.registry_address import HUB_HOSTS
from clusterimage.values.errors import ClusterImageError, ConfigError, shown
from clusterimage.values.reference import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_MEND = "mend it, or run `docker login` again"
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_API = re.compile(r"v[12](?:/|$)")
IDENTITY = "<token>"  # the user by whom credential helpers say that the secret is an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password, or what stands for them; the repr omits every secret.

    The password of the user IDENTITY is a refresh token: a token server gives tokens for it. `token` is one already.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class HelperError(ClusterImageError):
    """A credential helper is missing or answers nonsense; whoever lets anybody in can be asked nevertheless."""


def find(config: Path | None, host: str, repository: str = "") -> Credentials | None:
    """Return the login for `repository` at the registry `host` in the Docker configuration file `config`, or None.

    Logins for a namespace count where `repository` lies in it, or is not told. A helper that fails raises HelperError,
    unless there is another login.
    """
    if config is None or not config.exists():
        return None
    settings = _read(config)
    helpers = _object(config, "credHelpers", settings.get("credHelpers"))
    chosen = [helpers[key] for key in _closest(helpers, host, repository)]
    helper = next(filter(None, chosen), settings.get("credsStore") or "")
    if not isinstance(helper, str):
        raise ConfigError(f"{config}: credsStore: not a name", hint=_MEND)
    failures: list[HelperError] = []

    def ask(key: str) -> Credentials | None:
        try:
            return _from_helper(helper, key) if helper and not failures else None
        except HelperError as error:
            failures.append(error)
            return None

    first, second = (_HUB_KEY, DOCKER_HUB) if host == DOCKER_HUB else (host, f"https://{host}")
    found = ask(first) or _stored(config, settings, host, repository) or ask(second)
    if found is None and failures:
        raise failures[0]
    return found


def _read(config: Path) -> dict[str, Any]:
    try:
        text = config.read_bytes().decode("utf-8-sig")
        return _object(config, "", json.loads(text)) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{config}: not valid JSON: {error}", hint=_MEND) from error
    except IsADirectoryError as error:
        raise ConfigError(f"{config}: is a directory", hint="put Docker's configuration there as a file") from error


def _object(config: Path, name: str, value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object; else raise ConfigError without the value, which may be a secret."""
    if value is None and name:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{config}: {name or 'its content'}: not a JSON object", hint=_MEND)
    return value


def _closest(keys: Iterable[str], host: str, repository: str) -> list[str]:
    """Return the keys that mean that registry, or a namespace that holds `repository`: the narrowest first."""
    found = []
    for key in keys:
        there, namespace = _meaning(key)
        if there == host.lower() and (not repository or f"{repository}/".startswith(namespace)):
            found.append((-len(namespace), key not in (host, _HUB_KEY), key))
    return [key for *_, key in sorted(found, key=lambda one: one[:2])]


def _meaning(key: str) -> tuple[str, str]:
    """Return the registry that a key means, and the namespace of it, with a slash at its end.

    >>> _meaning("https://Quay.io/v2/")
    ('quay.io', '')
    >>> _meaning("quay.io/team")
    ('quay.io', 'team/')
    """
    host, _, path = _SCHEME.sub("", key.strip(), count=1).partition("/")
    namespace = _API.sub("", path, count=1).strip("/")
    host = host.lower()
    return (DOCKER_HUB if host in HUB_HOSTS else host), (f"{namespace}/" if namespace else "")


def _stored(config: Path, settings: dict[str, Any], host: str, repository: str) -> Credentials | None:
    auths = _object(config, "auths", settings.get("auths"))
    entries = ((f"auths.{shown(key)}", auths[key]) for key in _closest(auths, host, repository))
    return next(filter(None, (_entry(config, where, entry) for where, entry in entries)), None)


def _entry(config: Path, where: str, entry: object) -> Credentials | None:
    values = _object(config, where, entry)
    texts = {key: values.get(key) or "" for key in ("auth", "username", "password", "identitytoken", "registrytoken")}
    user, password = texts["username"], texts["password"]
    if texts["auth"]:
        try:
            user, password = _pair(texts["auth"])
        except (ValueError, TypeError, AttributeError) as error:
            problem = f"{config}: {where}.auth: not base64 of USER:PASSWORD"
            raise ConfigError(problem, hint="run `docker login` again") from error
    if texts["identitytoken"]:
        user, password = IDENTITY, texts["identitytoken"]
    token = texts["registrytoken"]
    if not all(isinstance(one, str) for one in (user, password, token)) or not token.isprintable():
        raise ConfigError(f"{config}: {where}: a login that is no text", hint=_MEND)
    found = Credentials(user, password, token)
    return found if found != Credentials() else None


def _pair(auth: str) -> tuple[str, str]:
    """Return user and password of base64, which may lack its padding; Docker fills passwords up with NUL."""
    text = "".join(auth.split()).rstrip("=")
    user, colon, password = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode().partition(":")
    if not colon:
        raise ValueError("no colon")
    return user, password.strip("\0")


def _from_helper(helper: str, key: str) -> Credentials | None:
    program = f"docker-credential-{helper}"
    try:
        answer = subprocess.run([program, "get"], input=key.encode(), capture_output=True, timeout=60, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        hint = "install it, or remove it from Docker's configuration"
        raise HelperError(f"{program}: {error}", hint=hint) from error
    if answer.returncode != 0:
        return None
    try:
        values = json.loads(answer.stdout)
        user, secret = values["Username"], values["Secret"]
        if not (isinstance(user, str) and isinstance(secret, str)):
            raise TypeError("no text")
    except (ValueError, TypeError, KeyError) as error:
        problem = f"{program}: its answer is not what a credential helper says"
        raise HelperError(problem, hint=f"ask it by hand: echo {key} | {program} get") from error
    return Credentials(user, secret)
