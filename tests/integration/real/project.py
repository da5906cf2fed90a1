"""A project whose mirror `real` is a real upstream: images built from real binaries, as a user builds them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Project, Result, clean_environment, new_project
from tests.integration.real.debian_packages import ARCHES
from tests.integration.real.loopback_servers import Upstream
from tests.integration.real.release import V1_20, Release

K8S = V1_20.kubernetes
_PROFILE = """
[mirrors.real]
files = {{ "" = "{files}" }}
registries = {{ "*" = "{registry}/{{host}}" }}
ca = "{ca}"
own_bytes = true
"""


@dataclass(frozen=True)
class RealProject:
    """The project, and the upstream that it is built from; `dist` holds one layout for every image."""

    project: Project
    upstream: Upstream
    release: Release = V1_20

    @property
    def dist(self) -> Path:
        return self.project.root / "dist" / "real"

    def doit(self, *words: str, k8s: str | None = None) -> Result:
        version = self.release.kubernetes if k8s is None else k8s
        done = subprocess.run(
            [sys.executable, "-m", "doit", *words, *([f"k8s={version}"] if version else []), "mirror=real"],
            cwd=self.project.root,
            env=clean_environment()
            | {"DOCKER_CONFIG": str(self.upstream.docker_config.parent), "NETRC": str(self.upstream.netrc)},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


@contextmanager
def real_project(root: Path, upstream: Upstream, release: Release = V1_20) -> Iterator[RealProject]:
    project = new_project(root)
    for old, new in release.rows:
        project.edit("versions.toml", old, new)
    if release.arches != ARCHES:
        _leave_out_arches(project, release)
    with (root / "versions.toml").open("a") as text:
        text.write(_PROFILE.format(files=upstream.files_url, registry=upstream.registry, ca=upstream.ca))
    with (root / "context/imageList").open("a") as images:
        images.write("docker.io/library/busybox:1.35.0\n")
    yield RealProject(project, upstream, release)


def _leave_out_arches(project: Project, release: Release) -> None:
    """Say in versions.toml which architectures there are: a lock asks for every file of all of them."""
    path = project.root / "versions.toml"
    platforms = json.dumps([f"linux/{arch}" for arch in release.arches])
    spelled = ", ".join(f'{arch} = "{arch}"' for arch in release.arches)
    text = re.sub(r"(?m)^platforms = .*", f"platforms = {platforms}", path.read_text())
    tables = re.split(r"(?m)^(?=\[)", text)
    for place, table in enumerate(tables):
        head, _, rest = table.partition("\n")
        if head.startswith("[component.") and "\narch = " not in table:
            tables[place] = f"{head}\narch = {{ {spelled} }}\n{rest}"
    path.write_text("".join(tables))
