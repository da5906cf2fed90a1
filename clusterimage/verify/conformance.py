"""Check the content of an image against its consumer's contract (catalog/contract.py).

A check yields findings, one line each, and raises nothing, so that one run reports all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clusterimage.catalog.cni import NONE
from clusterimage.catalog.contract import (
    FACTS,
    FOLDER,
    PROGRAM,
    RULES,
    SCRIPT,
    Expected,
    Fact,
    Rule,
    network_rules,
    saved_name,
)
from clusterimage.context import documents
from clusterimage.image.base_image import EXTENSION
from clusterimage.oci import remote
from clusterimage.values import yaml_loader
from clusterimage.values.digest import Digest
from clusterimage.values.media_types import DOCKER_MANIFEST, INDEXES
from clusterimage.values.reference import Reference
from clusterimage.verify import consumers, scripts
from clusterimage.verify.rootfs import LONGEST_TEXT, Registry, Rootfs


def check(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    """Yield the findings for one platform of a cluster image."""
    for rule in RULES:
        if rule.holds(expected):
            yield from _path(rootfs, rule, rule.path.format(cri=expected.cri))
    for rule in network_rules(expected.cni, expected.cni_files):
        yield from _path(rootfs, rule, rule.path)
    yield from _machines(rootfs)
    yield from scripts.check(rootfs, expected.cri)
    for fact in FACTS:
        if fact.flavor == expected.flavor:
            yield from _fact(rootfs, fact, expected)
    yield from _annotation(rootfs, expected) if expected.flavor == "sealer" else _commands(rootfs, expected)
    yield from _pause(rootfs, expected)
    yield from _kubeadm(rootfs, expected)
    yield from _configurations(rootfs)
    yield from consumers.check(rootfs, expected)
    yield from _images(rootfs, expected)
    yield from check_registry(rootfs, single_platform=expected.single_platform)


def check_application(rootfs: Rootfs, *, for_sealos: bool) -> Iterator[str]:
    """Yield the findings for one platform of an image of a user's Kubefile."""
    yield from check_registry(rootfs, single_platform=for_sealos)
    yield from consumers.launched_by_sealos(rootfs) if for_sealos else ()


def check_registry(rootfs: Rootfs, *, single_platform: bool = False) -> Iterator[str]:
    """Yield the findings for the saved registry of one platform."""
    yield from rootfs.registry.damaged
    for tag, digest in sorted(rootfs.registry.tags.items()):
        yield from _resolve(rootfs, single_platform, tag, digest)


def _path(rootfs: Rootfs, rule: Rule, path: str) -> Iterator[str]:
    if not rootfs.has(path) and not (rule.kind == FOLDER and rootfs.registry.tags):
        yield f"{path}: is missing ({rule.reader})"
    elif rule.kind == PROGRAM and not rootfs.files[path].machine:
        yield f"{path}: is no program ({rule.reader})"
    elif rule.kind in (PROGRAM, SCRIPT) and not rootfs.files[path].mode & 0o111:
        yield f"{path}: is not executable ({rule.reader})"


def _machines(rootfs: Rootfs) -> Iterator[str]:
    for path, machine in sorted(rootfs.programs.items()):
        if machine != rootfs.arch:
            yield f"{path.removesuffix('!')}: is {machine}, not for linux/{rootfs.arch}"


def _fact(rootfs: Rootfs, fact: Fact, expected: Expected) -> Iterator[str]:
    what, found = ("variable", rootfs.env) if fact.variable else ("label", rootfs.labels)
    of_image = {"cri": expected.cri, "kubernetes": expected.kubernetes, "client": expected.client}
    wanted = fact.value.format(**of_image, pause=expected.pause)
    value = found.get(fact.key, "")
    if not value:
        yield f"{what} {fact.key}: is missing ({fact.reader})"
    elif wanted and value != wanted:
        yield f"{what} {fact.key}: is {value!r}, not {wanted!r} ({fact.reader})"


# --------------------------------------------------------------------------------------------------------- sealer only


def _annotation(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    try:
        extension = json.loads(rootfs.annotations[EXTENSION])
    except (KeyError, ValueError):
        yield f"annotation {EXTENSION}: is missing or no JSON (sealer refuses the image)"
        return
    if extension.get("type") != "kube-installer":
        yield f"annotation {EXTENSION}: its type is {extension.get('type')!r}, not 'kube-installer'"
    applications = {one["name"]: one["files"] for one in extension.get("applications") or []}
    for name, files in applications.items():
        for place in (f"application/apps/{name}/{file}" for file in files):
            if not rootfs.has(place):
                yield f"{place}: is missing (application {name} of {EXTENSION})"
    launched = (extension.get("launch") or {}).get("app_names") or []
    for name in sorted({*launched, *({expected.cni} - {NONE})} - applications.keys()):
        yield f"annotation {EXTENSION}: has no application {name}"


# --------------------------------------------------------------------------------------------------------- sealos only

# Variables that sealos sets for templates and commands, in addition to the image's own.
_SEALOS_VARIABLES = ("SEALOS_SYS_KUBE_VERSION",)


def _commands(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    """Check that the scripts and variables used in label command lines and in templates are in the image."""
    known = {*rootfs.env, *_SEALOS_VARIABLES}
    for key in (fact.key for fact in FACTS if fact.flavor == "sealos" and not fact.variable):
        command = rootfs.labels.get(key, "")
        missing = [name for name in re.findall(r"[\w-]+\.sh", command) if not rootfs.has(f"scripts/{name}")]
        unknown = [name for name in re.findall(r"\$\{?(\w+)", command) if name not in known]
        yield from (f"label {key}: runs {name}, which scripts/ does not hold" for name in missing)
        yield from (f"label {key}: uses ${name}, which is no variable of the image" for name in unknown)
    for path in sorted(path for path in rootfs.files if path.endswith(".tmpl")):
        used = re.findall(r"(?<=[ ({])\.(\w+)", " ".join(_ACTIONS.findall(rootfs.text(path))))
        yield from (f"{path}: uses .{name}, which is no variable of the image" for name in sorted({*used} - known))
    if (image := rootfs.labels.get("image", "")) and image not in expected.images:
        yield f"label image: {image} is not one of the images that were built in"


# ------------------------------------------------------------------------------------------------------ configuration

_ACTIONS = re.compile(r"\{\{.*?\}\}")
_RUN_TIME_VARIABLE = re.compile(r"\{\{-? *\.(\w+) *-?\}\}")
_OR_DEFAULT = re.compile(r'\{\{or \.\w+ "([^"]*)"\}\}')
_CRI_CONFIGS = ("etc/dump-config.toml", "etc/dump-config.toml.tmpl", "etc/cri-docker.service")


def _pause(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    """Check that the runtime's sandbox (pause) image is the saved one: nodes have no other."""
    for path in _CRI_CONFIGS:
        text = _RUN_TIME_VARIABLE.sub(lambda match: rootfs.env.get(match[1], match[0]), rootfs.text(path))
        for name in re.findall(r"/(pause:[\w.-]+)", text):
            if name != expected.pause:
                yield f"{path}: names {name}, the image list has {expected.pause or 'none'}"
        if text and "pause:" not in text:
            yield f"{path}: names no pause image, the image list has {expected.pause}"


def _kubeadm(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    import yaml

    for path in ("etc/kubeadm.yml", "etc/kubeadm.yml.tmpl"):
        if path not in rootfs.files:
            continue
        try:
            text = _OR_DEFAULT.sub(r"\1", rootfs.text(path))
            kinds = {str(one["kind"]): one for one in yaml.load_all(text, yaml_loader.safe()) if one}
        except (yaml.YAMLError, TypeError, KeyError) as error:
            yield f"{path}: kubeadm cannot read it: {' '.join(str(error).split())}"
            continue
        for kind, document in kinds.items():
            api = document.get("apiVersion", "")
            if str(api).startswith("kubeadm.") and api != expected.kubeadm_api:
                yield f"{path}: {kind} is {api}, kubeadm {expected.kubernetes} is to read {expected.kubeadm_api}"
        version = kinds.get("ClusterConfiguration", {}).get("kubernetesVersion")
        if version != str(expected.kubernetes):
            yield f"{path}: kubernetesVersion is {version}, the image holds {expected.kubernetes}"


def _configurations(rootfs: Rootfs) -> Iterator[str]:
    """Check the syntax of configuration files: an error would stop a daemon on an air-gapped site."""
    for path in sorted(path for path in rootfs.files if path.startswith("etc/") and path != "etc/kubeadm.yml"):
        if rootfs.files[path].size <= LONGEST_TEXT and (problem := documents.problem(path, rootfs.text(path))):
            yield f"{path}: its program cannot read it: {problem}"


def _images(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    lists = [path for path in rootfs.files if path == "manifests/imageList" or path.startswith("images/shim/")]
    for path in lists:
        for line in rootfs.text(path).split():
            if line not in expected.images:
                yield f"{path}: {line} is not one of the images that were built in"
    for image in expected.images:
        if Reference.parse(image).tag and saved_name(image) not in rootfs.registry.tags:
            yield f"{image}: is not in the saved registry"


def _copied_by_sealos(tag: str, body: dict[str, Any]) -> Iterator[str]:
    mixed = any(layer["mediaType"].startswith("application/vnd.oci.") for layer in body["layers"])
    if body.get("mediaType") == DOCKER_MANIFEST and mixed:
        yield f"{tag}: a Docker manifest with OCI layers, which sealos up to 5.1.1 does not copy (labring/sealos#6841)"


def _architecture(registry: Registry, digest: Digest) -> str:
    """Return the architecture that the config of a saved manifest says, "" for one that is not saved."""
    manifest = registry.document(str(digest))
    config = registry.document(manifest["config"]["digest"]) if manifest and "config" in manifest else None
    return str((config or {}).get("architecture", ""))


def _resolve(rootfs: Rootfs, single_platform: bool, tag: str, digest: str) -> Iterator[str]:
    """Check that a tag resolves to every blob that a node of this platform pulls."""
    registry = rootfs.registry
    body = registry.document(digest)
    if body is not None and (body.get("mediaType") in INDEXES or "manifests" in body):
        if single_platform:
            yield f"{tag}: is an index, this flavor serves one platform's manifest"
        found = remote.child(tag, body, rootfs.arch, lambda entry: _architecture(registry, entry))
        if found is None:
            yield f"{tag}: its index has no linux/{rootfs.arch}"
            return
        digest, body = str(found), registry.document(str(found))
    if body is None:
        yield f"{tag}: manifest {digest} is not in the saved registry"
        return
    yield from _copied_by_sealos(tag, body) if single_platform else ()
    for blob in (body["config"], *body["layers"]):
        if Digest.parse(blob["digest"]).hex not in registry.blobs:
            yield f"{tag}: blob {blob['digest']} is not in the saved registry"
    config = registry.document(body["config"]["digest"])
    if config and config.get("architecture") != rootfs.arch:
        yield f"{tag}: is an image for {config.get('architecture')}, not for linux/{rootfs.arch}"
