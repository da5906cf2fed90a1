"""The plan of this command line: made once, while doit loads; reads files, opens no connection, writes nothing."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from doit import doit_cmd
from doit.exceptions import InvalidDodoFile

from clusterimage import plan as plans
from clusterimage import selection
from clusterimage import spec as specs
from clusterimage.errors import ClusterImageError
from clusterimage.layout import Layout
from clusterimage.plan import Plan
from clusterimage.spec import Spec

ROOT = Path()  # doit makes the directory of dodo.py the working directory


@functools.cache
def spec() -> Spec:
    """Return versions.toml."""
    return specs.load(ROOT / "versions.toml")


@functools.cache
def plan() -> Plan:
    """Return the plan; what the user has to mend is one clean line of doit's."""
    try:
        chosen = selection.select(spec(), variables())
        return plans.expand(spec(), chosen, Layout(ROOT, chosen.mirror))
    except ClusterImageError as error:
        raise InvalidDodoFile(str(error)) from None


def variables() -> dict[str, str]:
    """Return the NAME=VALUE words of the command line; doit itself takes any name without a word."""
    return dict(doit_cmd._CMDLINE_VARS or {})


def environment(name: str) -> str:
    """Return an environment variable of ours; the only ones are CLUSTERIMAGE_* and DOCKER_CONFIG."""
    return os.environ.get(name, "")


def docker_config() -> Path:
    """Return where Docker keeps its logins."""
    home = environment("DOCKER_CONFIG")
    return (Path(home) if home else Path.home() / ".docker") / "config.json"
