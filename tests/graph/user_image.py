"""An image of a user's own Kubefile: written, built, and its layout read."""

from __future__ import annotations

import gzip
import json
import tarfile
from typing import Any

from tests.conftest import Project, Result
from tests.unit.conftest import plant

BASE = "docker.io/sealerio/kubernetes:v1.22.15"
POD = "kind: Pod\nspec: {containers: [{image: 'nginx:1.25'}], initContainers: [{image: quay.io/a/b:v1}]}\n"


def package(project: Project, kubefile: str, *words: str, name: str = "me/app:v1", **files: str | bytes) -> Result:
    """Write a Kubefile with its context and build it."""
    plant(project.root / "app", {"Kubefile": kubefile, **files})
    return again(project, *words, name=name)


def again(project: Project, *words: str, name: str = "me/app:v1") -> Result:
    fixed = ("package", "mirror=embedded", "kubefile=app/Kubefile", f"name={name}")
    platform = () if any(word.startswith("platform=") for word in words) else ("platform=amd64",)
    return project.doit(*fixed, *platform, *words)


def good(result: Result) -> Result:
    assert result.code == 0, result.text
    return result


class Built:
    """A layout in dist/, read."""

    def __init__(self, project: Project, name: str = "me+app+v1", arch: str = "amd64") -> None:
        self.root = project.root / "dist" / "embedded" / name
        index = self.blob(json.loads((self.root / "index.json").read_text())["manifests"][0])
        entry = next(one for one in index["manifests"] if one["platform"]["architecture"] == arch)
        self.manifest = self.blob(entry)
        self.config = self.blob(self.manifest["config"])
        self.layers = [layer["digest"] for layer in self.manifest["layers"]]
        self.extension = json.loads(self.manifest["annotations"]["sealer.image.extension"])
        listed = json.loads(self.manifest["annotations"]["sealer.image.container.images"])
        self.images = [one["image"] for one in listed]

    def blob(self, entry: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.root / "blobs/sha256" / entry["digest"][7:]).read_text())
        return data

    def files(self, layer: int = -1) -> dict[str, bytes]:
        """Return the files of a layer."""
        with (
            gzip.open(self.root / "blobs/sha256" / self.layers[layer][7:]) as stream,
            tarfile.open(fileobj=stream) as tar,
        ):
            return {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}  # type: ignore[union-attr]

    def entries(self) -> dict[str, str]:
        """Return mode and kind of every path of the image outside of its registry, as an unpacked image has them."""
        found = {}
        for layer in self.layers:
            path = self.root / "blobs/sha256" / layer[7:]
            with gzip.open(path) as stream, tarfile.open(fileobj=stream) as tar:
                members = [one for one in tar if one.name.split("/")[0] != "registry"]
            found |= {one.name: f"{one.mode:o}{_kind(one)}" for one in members}
        return found

    def tags(self) -> list[str]:
        """Return REPOSITORY:TAG of everything in the saved registry of all layers."""
        names = [name for number in range(len(self.layers)) for name in self.files(number)]
        root = "registry/docker/registry/v2/repositories/"
        links = [name.removeprefix(root) for name in names if name.startswith(root) and name.endswith("/current/link")]
        return sorted(":".join(link.removesuffix("/current/link").split("/_manifests/tags/")) for link in links)


def _kind(member: tarfile.TarInfo) -> str:
    return f" -> {member.linkname}" if member.issym() else "/" if member.isdir() else ""
