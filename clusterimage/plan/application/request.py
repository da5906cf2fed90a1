"""Parse the variables for an image of a user's own Kubefile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog.flavor import FLAVORS, SEALER
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import DOCKER_HUB, Reference

_ONLY_WITH = ("context", "args", "ignore")
_NOT_WITH = ("k8s", "cri", "cni", "overlay")


@dataclass(frozen=True, slots=True)
class Application:
    """A Kubefile, its context, ignore list and ARG values, the image name, and who runs it; paths are normal."""

    reference: Reference
    kubefile: Path
    context: Path
    ignore: Path | None
    arguments: tuple[tuple[str, str], ...]
    flavor: str = SEALER

    @property
    def id(self) -> str:
        """Name of its tasks, its lock and its directory in dist/: `me+app+v1`, `quay.io+me+app+v1`.

        Neither a name nor a tag can contain a plus, so the id is unique.
        """
        host = "" if self.reference.host == DOCKER_HUB else f"{self.reference.host.replace(':', '_')}/"
        name = self.reference.repository if host else self.reference.repository.removeprefix("library/")
        return f"{host}{name}/{self.reference.tag}".replace("/", "+")


def choose(variables: Mapping[str, str]) -> Application | None:
    """Return the application of `kubefile=`, None without it; conflicting variables raise ConfigError."""
    kubefile = variables.get("kubefile", "")
    if not kubefile:
        for name in _ONLY_WITH:
            if variables.get(name):
                raise ConfigError(f"{name}=: only means something with kubefile=", hint="add kubefile=PATH name=NAME")
        return None
    for name in _NOT_WITH:
        if variables.get(name):
            raise ConfigError(f"{name}=: a Kubefile says itself what it builds on", hint="leave it out, see FROM")
    name = variables.get("name") or variables.get("buildName") or ""
    if not name:
        raise ConfigError(f"kubefile={kubefile}: the image has no name", hint="add name=docker.io/you/app:v1")
    path = _file("kubefile", kubefile)
    ignore = variables.get("ignore", "")
    context = Path(os.path.normpath(variables.get("context") or path.parent))
    if not context.is_dir():
        raise ConfigError(f"context={context}: no such directory")
    return Application(
        reference=Reference.parse(name),
        kubefile=path,
        context=context,
        ignore=_file("ignore", ignore) if ignore else None,
        arguments=tuple(_arguments(variables.get("args", "")).items()),
        flavor=_flavor(variables.get("flavor", "")),
    )


def _flavor(text: str) -> str:
    if text and text not in FLAVORS:
        raise ConfigError(f"flavor={text}: one image is for one of {', '.join(FLAVORS)}", hint="build it twice")
    return text or SEALER


def _file(variable: str, text: str) -> Path:
    path = Path(os.path.normpath(text))
    if path.is_dir() and variable == "kubefile":
        path /= "Kubefile"
    if not path.is_file():
        raise ConfigError(f"{variable}={text}: no such file")
    return path


def _arguments(text: str) -> dict[str, str]:
    """Parse NAME=VALUE,NAME=VALUE; a comma not followed by NAME= is part of the value."""
    values: dict[str, str] = {}
    last = ""
    for part in text.split(",") if text else []:
        name, equals, value = part.partition("=")
        if equals and name.strip().isidentifier():
            last = name.strip()
            values[last] = value
        elif last:
            values[last] += f",{part}"
        else:
            raise ConfigError(f"args={text}: '{part}' is not NAME=VALUE", hint="args=VERSION=1.2,REGION=eu")
    return values
