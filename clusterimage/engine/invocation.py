"""The plan of this command line: made once, while doit loads; reads files, opens no connection, writes nothing."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from doit import doit_cmd
from doit.exceptions import InvalidDodoFile

from clusterimage.catalog import requirement
from clusterimage.catalog import spec as specs
from clusterimage.catalog.spec import Spec
from clusterimage.plan import plan as plans
from clusterimage.plan import selection
from clusterimage.plan.layout import Layout
from clusterimage.plan.plan import Plan
from clusterimage.plan.work_items import Pack
from clusterimage.values.errors import ClusterImageError, ConfigError
from clusterimage.verify.audit import Kubeadm

if TYPE_CHECKING:
    from clusterimage.transport.credentials import Credentials

_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
ROOT = Path()  # doit makes the directory of dodo.py the working directory


@functools.cache
def spec() -> Spec:
    """Return versions.toml."""
    return specs.load(ROOT / "versions.toml")


@functools.cache
def plan() -> Plan:
    """Return the plan; what the user has to mend is one clean line of doit's."""
    try:
        given = variables()
        if "versions" in sys.argv[1:]:
            given.pop("k8s", None)  # there it names minors too, and nothing that is built
        chosen = selection.select(spec(), given)
        return plans.expand(spec(), chosen, Layout(ROOT, chosen.mirror), program("helm"))
    except ClusterImageError as error:
        raise InvalidDodoFile(str(error)) from None


def kubeadm(pack: Pack) -> Kubeadm | None:
    """Return the kubeadm of that image's version, if this host can run it; a stand-in cannot be run anywhere."""
    if pack.combination is None:
        return None
    arch = host_arch()
    version = pack.combination.kubernetes
    tags = next(locking.tags for locking in plan().lockings if locking.requirement.kubernetes == version)
    for download in plan().downloads:
        pin = download.pin
        if (pin.component, pin.arch, pin.version) == ("kubeadm", arch, version.number) and not plan().layout.stand_in:
            images = tuple(str(image) for image in requirement.kubeadm_images(spec(), version, tags)) if tags else ()
            return Kubeadm(download.path, str(version), images)
    return None


def host_arch() -> str:
    """Return the architecture of this machine as images spell it; one that we do not build for keeps its own name."""
    machine = os.uname().machine
    return _ARCHES.get(machine, machine)


def login() -> Credentials | None:
    """Return the login that variables or environment give for pushing, None to have Docker's configuration asked.

    `password=-` reads a line of standard input, which is there once: call this once.
    """
    from clusterimage.transport.credentials import Credentials

    chosen = plan().selection.pushing
    user, password = chosen.username or environment("CLUSTERIMAGE_USERNAME"), chosen.password
    if password == "-":
        password = sys.stdin.readline().rstrip("\r\n")
    elif password:
        sys.stderr.write("warning: others on this machine can see password=; use CLUSTERIMAGE_PASSWORD or password=-\n")
    else:
        password = environment("CLUSTERIMAGE_PASSWORD")
    if bool(user) != bool(password):
        there, missing = ("username", "password") if user else ("password", "username")
        hint = "CLUSTERIMAGE_USERNAME and CLUSTERIMAGE_PASSWORD, or neither for what `docker login` noted"
        raise ConfigError(f"a {there} without a {missing}", hint=hint)
    return Credentials(user, password) if user else None


def program(name: str) -> Path | None:
    """Return the path of a program that a step may use, None where this machine has none."""
    found = shutil.which(name)
    return Path(found) if found else None


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
