"""`doit versions`: which Kubernetes releases are known, which are locked, and which upstream has."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog import kubeadm_tags
from clusterimage.catalog.spec import Spec
from clusterimage.plan.layout import Layout
from clusterimage.transport import git_tags
from clusterimage.transport.network import Network
from clusterimage.values import formatting
from clusterimage.values.errors import ConfigError, FetchError
from clusterimage.values.version import Version

_WANTED = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Release:
    """A release: whether a table has its tags, where its lock is, and whether upstream has it (None: not asked)."""

    version: Version
    known: bool
    lock: Path | None
    upstream: bool | None


def show(
    spec: Spec, layout: Layout, network: Network | None, wanted: str, form: str, say: Callable[[str], None]
) -> None:
    """Print the releases that `wanted` names ("1.34", "v1.34.4", a comma list; "" for the newest of every minor).

    `network` is None to leave upstream out; `form` is text or json. If upstream does not answer, FetchError is raised
    after the output of what is known without it.
    """
    if form == "paths":
        raise ConfigError("format=paths: is of doit diff", hint="format=json")
    try:
        every = releases(spec, layout, network)
    except FetchError as error:
        show(spec, layout, None, wanted, form, say)
        error.hint += "; offline=yes asks nobody"
        raise
    found = [one for one in every if _is_wanted(one.version, wanted)]
    if form == "json":
        say(json.dumps({"kind": "versions", "releases": [_document(one) for one in found]}))
        return
    rows = [_row(one) for one in found] if wanted else _minors(found)
    head = ("minor", "newest known", "locked", "newest upstream")
    for line in formatting.columns([("release", "known", "locked", "upstream") if wanted else head, *rows]):
        say(line)


def _document(one: Release) -> dict[str, object]:
    lock = one.lock.as_posix() if one.lock else None
    return {"version": str(one.version), "known": one.known, "lock": lock, "upstream": one.upstream}


def releases(spec: Spec, layout: Layout, network: Network | None) -> list[Release]:
    """Return the releases that can be built, the oldest first."""
    known = set(kubeadm_tags.known(layout.root / spec.kubeadm_images))
    locks = {version: path for path in layout.locks.glob("v*.toml") if (version := _version(path.stem))}
    repository = dict(spec.releases).get("kubernetes", "")
    upstream = None if network is None or not repository else set(numbers(git_tags.tags(network, repository, "v1.")))
    every = {one for one in known | set(locks) | (upstream or set()) if one >= spec.defaults.oldest}
    asked = {one: None if upstream is None else one in upstream for one in every}
    return [Release(one, one in known, locks.get(one), asked[one]) for one in sorted(every)]


def numbers(tags: Iterable[str]) -> list[Version]:
    """Return the released versions among `tags`; pre-releases are left out."""
    return [version for tag in tags if (version := _version(tag))]


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ConfigError:
        return None


def _is_wanted(version: Version, wanted: str) -> bool:
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        match = _WANTED.fullmatch(name)
        if match is None:
            raise ConfigError(f"k8s={name}: neither a minor nor a release", hint="write it like 1.34 or v1.34.4")
        parts = tuple(int(part) for part in match.groups() if part is not None)
        if (version.major, version.minor, version.patch)[: len(parts)] == parts:
            return True
    return not names


def _row(one: Release) -> tuple[str, str, str, str]:
    upstream = "not asked" if one.upstream is None else "yes" if one.upstream else "no"
    known = "table" if one.known else "by its source"
    return str(one.version), known, one.lock.as_posix() if one.lock else "-", upstream


def _minors(found: list[Release]) -> list[tuple[str, str, str, str]]:
    groups: defaultdict[tuple[int, int], list[Release]] = defaultdict(list)
    for one in found:
        groups[one.version.major, one.version.minor].append(one)
    rows = []
    for (major, minor), group in groups.items():
        known = [str(one.version) for one in group if one.known]
        locked = ", ".join(str(one.version) for one in group if one.lock)
        there = [str(one.version) for one in group if one.upstream]
        upstream = "not asked" if all(one.upstream is None for one in group) else (there or ["-"])[-1]
        rows.append((f"v{major}.{minor}", (known or ["-"])[-1], locked or "-", upstream))
    return rows
