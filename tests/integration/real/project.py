"""A project whose mirror `real` is the real upstream: v1.20.2 built for docker and containerd from real binaries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Project, Result, clean_environment, new_project
from tests.integration.real.loopback_servers import Upstream

K8S = "v1.20.2"
# What a user does who wants another version: the row of versions.toml says Debian's.
_ROWS = (
    ('["<1.21", "19.03.15",', '["<1.21", "20.10.24",'),
    ('["<1.26", "1.7.36",', '["<1.26", "1.6.20",'),
    ('["<1.26", "1.3.6"]', '["<1.26", "1.1.5"]'),
)
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

    @property
    def dist(self) -> Path:
        return self.project.root / "dist" / "real"

    def doit(self, *words: str, k8s: str = K8S) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "doit", *words, *([f"k8s={k8s}"] if k8s else []), "mirror=real"],
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
def real_project(root: Path, upstream: Upstream) -> Iterator[RealProject]:
    project = new_project(root)
    for old, new in _ROWS:
        project.edit("versions.toml", old, new)
    with (root / "versions.toml").open("a") as text:
        text.write(_PROFILE.format(files=upstream.files_url, registry=upstream.registry, ca=upstream.ca))
    with (root / "context/imageList").open("a") as images:
        images.write("docker.io/library/busybox:1.35.0\n")
    yield RealProject(project, upstream)
