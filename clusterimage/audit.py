"""Checking what was built: every byte, every saved tag for its platform, and the image list against kubeadm's."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterimage import package
from clusterimage.digest import Digest, Hasher
from clusterimage.errors import ClusterImageError
from clusterimage.oci import remote
from clusterimage.oci.media import INDEXES

log = logging.getLogger(__name__)
_ROOT = "registry/docker/registry/v2"
_AGAIN = "run doit build again"


@dataclass(frozen=True, slots=True)
class Kubeadm:
    """A kubeadm that this host can run, and the images that the version's list is to have."""

    path: Path
    version: str
    images: tuple[str, ...]


@dataclass(slots=True)
class _Registry:
    """The saved registry of one platform as its layers hold it: blobs (small ones with their text) and tags."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def audit(dest: Path, kubeadm: Kubeadm | None) -> None:
    """Verify the package at `dest`; raises ClusterImageError naming the first thing that is not as it should be.

    Every file is hashed, every blob of the saved registries too, and every saved tag is followed to the blobs of the
    image's platform. Where the host can run `kubeadm` its own image list is compared with ours.
    """
    package.verify(dest)
    listing = json.loads((dest / "index.json").read_text("utf-8"))
    index = _document(dest, listing["manifests"][0]["digest"])
    for entry in index["manifests"]:
        arch = entry["platform"]["architecture"]
        registry = _read(dest, _document(dest, entry["digest"]))
        for tag, digest in sorted(registry.tags.items()):
            _resolve(registry, tag, digest, arch)
        log.info("%s: linux/%s: %d blobs, %d tags", dest, arch, len(registry.blobs), len(registry.tags))
    if kubeadm is not None:
        _compare(kubeadm)


def _document(dest: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((dest / "blobs" / "sha256" / Digest.parse(digest).hex).read_text("utf-8"))
    return document


def _read(dest: Path, document: dict[str, Any]) -> _Registry:
    """Hash every blob of the saved registry in the layers of `document`."""
    registry = _Registry()
    for layer in document["layers"]:
        path = dest / "blobs" / "sha256" / Digest.parse(layer["digest"]).hex
        # A chain of gzip members is one file (RFC 1952 §2.2), but not to tarfile's own stream mode.
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.isreg() and member.name.startswith(_ROOT):
                    _take(registry, tar, member)
    return registry


def _take(registry: _Registry, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    stream = tar.extractfile(member)
    assert stream is not None
    if not member.name.endswith("/data"):
        repository, found, rest = member.name.removeprefix(f"{_ROOT}/repositories/").partition("/_manifests/tags/")
        if found and rest.endswith("/current/link"):
            registry.tags[f"{repository}:{rest.partition('/')[0]}"] = stream.read().decode()
        return
    name = member.name.split("/")[-2]
    hasher, text = Hasher(), b""
    while chunk := stream.read(1 << 20):
        hasher.update(chunk)
        text = chunk if hasher.size == len(chunk) and chunk.startswith(b"{") else b""
    if hasher.digest.hex != name:
        raise ClusterImageError(f"{member.name}: its content is {hasher.digest}", hint=_AGAIN)
    registry.blobs[name] = text


def _resolve(registry: _Registry, tag: str, digest: str, arch: str) -> None:
    """Follow a tag to every blob that a node of `arch` asks for."""
    body = _body(registry, tag, digest)
    if body.get("mediaType") in INDEXES or "manifests" in body:
        found = remote.child(tag, body, arch)
        if found is None:
            raise ClusterImageError(f"{tag}: its index has no linux/{arch}", hint="run doit lock, then build again")
        body = _body(registry, tag, str(found))
    for blob in (body["config"], *body["layers"]):
        if Digest.parse(blob["digest"]).hex not in registry.blobs:
            raise ClusterImageError(f"{tag}: blob {blob['digest']} is not in the saved registry", hint=_AGAIN)


def _body(registry: _Registry, tag: str, digest: str) -> dict[str, Any]:
    text = registry.blobs.get(Digest.parse(digest).hex)
    if not text:
        raise ClusterImageError(f"{tag}: manifest {digest} is not in the saved registry", hint=_AGAIN)
    body: dict[str, Any] = json.loads(text)
    return body


def _compare(kubeadm: Kubeadm) -> None:
    command = [str(kubeadm.path), "config", "images", "list", "--kubernetes-version", kubeadm.version]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"HOME": "/"})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterImageError(f"{kubeadm.path}: does not run: {error}", hint="is it for this machine?") from error
    lines = tuple(line for line in answer.stdout.splitlines() if "/" in line and " " not in line)
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()[-1:] or [f"exit status {answer.returncode}"]
        raise ClusterImageError(f"{kubeadm.path}: {said[0]}", hint="run it by hand")
    for name in sorted({*lines} ^ {*kubeadm.images}):
        who = "kubeadm lists it, we do not" if name in lines else "we list it, kubeadm does not"
        raise ClusterImageError(f"{name}: {who}", hint="mend the row of that release in data/kubeadm-images.toml")
    log.info("kubeadm %s lists the same %d images", kubeadm.version, len(lines))
