"""`doit plan`: what a build would download, reuse from the store and need on disk, computed offline.

The numbers of requests and bytes are exact except for token requests, redirects and retries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterimage.plan.plan import Plan
from clusterimage.queries import disk_estimate
from clusterimage.queries.disk_estimate import DiskEstimate
from clusterimage.transport.store import Store
from clusterimage.values import formatting
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ConfigError

_DAEMON = "the Docker daemon"


@dataclass(slots=True)
class Amount:
    """A number of blobs (files count as blobs), and their total size in bytes."""

    blobs: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Add a blob of `size` bytes."""
        self.blobs += 1
        self.bytes += size


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blob that a build needs, its size in bytes, and the host that it is fetched from."""

    digest: Digest
    size: int
    host: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The result: `images` maps an id to whether it is up to date; `hosts` has requests and bytes by host."""

    images: dict[str, bool]
    saved: int
    fetch: Amount
    reuse: Amount
    hosts: dict[str, Amount]
    disk: DiskEstimate


def show(plan: Plan, sources: dict[str, str], form: str, say: Callable[[str], None]) -> None:
    """Print the downloads and disk usage of a build of `plan`; `form` is text or json.

    Versions without a complete lock raise ConfigError, after the output for the others.
    """
    if form == "paths":
        raise ConfigError("format=paths: is of doit diff", hint="format=json")
    if plan.packs:
        found = compute(plan, sources)
        say(json.dumps(_document(found), indent=1) if form == "json" else "\n".join(_lines(found, plan)))
    if plan.unlocked:
        raise _unlocked(plan)


def _unlocked(plan: Plan) -> ConfigError:
    """Return the error that names the missing or incomplete locks and the command to create them."""
    names = [one.name for one in plan.unlocked]
    half = [one.name for one in plan.unlocked if one.path.is_file()]
    problem = f"{', '.join(names)}: not locked, so that sizes and digests are not known"
    if half == names:
        problem = f"{', '.join(names)}: the lock does not have all that is needed now"
    mirror = f" mirror={plan.layout.mirror.name}" if plan.layout.mirror.own_bytes else ""
    versions = f"doit lock k8s={','.join(names)}{mirror}" if plan.lockings else "doit lock and the same words"
    return ConfigError(problem, hint=f"lock first: {versions}")


def compute(plan: Plan, sources: dict[str, str]) -> BuildPlan:
    """Compute what a build of `plan` would do; `sources` maps registry hosts to replacements."""
    store = plan.layout.store
    fetch, reuse, hosts = Amount(), Amount(), dict[str, Amount]()
    wanted = {one.digest: one for one in reversed([*_wanted(plan, sources)])}
    for one in reversed(wanted.values()):
        left = _remaining(store, one)
        if left is None:
            reuse.add(one.size)
            continue
        fetch.add(left)
        if left:  # a completely received partial file is only verified
            hosts.setdefault(one.host, Amount()).add(left)
    needs = {pack.name: disk_estimate.missing_inputs(plan, pack) for pack in plan.packs}
    images = {name: need.is_empty for name, need in needs.items()}
    saved = {name for save in plan.saves for one in save.saved for name in one.names}
    return BuildPlan(
        images, len(saved), fetch, reuse, hosts, disk_estimate.estimate(plan, list(needs.values()), fetch.bytes)
    )


def _remaining(store: Store, wanted: Wanted) -> int | None:
    """Return the bytes left to download, None for a blob in the store."""
    if _size(store.path(wanted.digest)) == wanted.size:
        return None
    return wanted.size - min(_size(store.partial(wanted.digest)) or 0, wanted.size)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _wanted(plan: Plan, sources: dict[str, str]) -> Iterator[Wanted]:
    from urllib.parse import urlsplit

    from clusterimage.transport.network import Network

    network = Network(plan.layout.mirror, sources=sources)
    for download in plan.downloads:
        pin = download.pin
        yield Wanted(pin.digest, pin.size, urlsplit(network.file_url(pin.url)).netloc)
    for pull in plan.pulls:
        reference, platform = pull.image.reference, pull.image.platform(pull.arch)
        url = network.repository_url(reference.host, reference.repository)
        host = _DAEMON if reference.local else urlsplit(url).netloc
        for blob in (pull.image.top, platform.manifest, *platform.blobs):
            yield Wanted(blob.digest, blob.size, host)


# ------------------------------------------------------------------- the answer


def _document(found: BuildPlan) -> dict[str, Any]:
    hosts = {name: {"requests": amount.blobs, "bytes": amount.bytes} for name, amount in found.hosts.items()}
    disk = asdict(found.disk) | {"needed": found.disk.needed, "short": found.disk.needed > found.disk.free}
    amounts = {"fetch": asdict(found.fetch), "reuse": asdict(found.reuse)}
    return {
        "kind": "plan",
        "images": found.images,
        "saved_images": found.saved,
        **amounts,
        "hosts": hosts,
        "disk": disk,
    }


def _lines(found: BuildPlan, plan: Plan) -> Iterator[str]:
    for name, made in found.images.items():
        yield f"{name:<44}  {'is built' if made else 'to be built'}"
    platforms = ", ".join(f"linux/{arch}" for arch in plan.selection.arches)
    yield f"each with its images saved, {found.saved} names in all, for {platforms}"
    yield ""
    for what, amount in (("to fetch", found.fetch), ("in the store", found.reuse)):
        yield f"{what:<14}{formatting.count(amount.blobs, 'blob'):>14}  {formatting.size(amount.bytes):>9}"
    if found.hosts:
        yield ""
        yield from formatting.columns(
            [
                ("from", "requests", "bytes"),
                *((host, f"{one.blobs:,}", formatting.size(one.bytes)) for host, one in found.hosts.items()),
            ],
            right="12",
        )
    disk = found.disk
    parts = [
        f"{name} {formatting.size(getattr(disk, name))}"
        for name in ("fetched", "unpacked", "copied", "layers", "registries")
    ]
    yield ""
    more = f"about {formatting.size(disk.needed)} more ({', '.join(parts)})" if disk.needed else "nothing more"
    yield f"disk: {more}; free are {formatting.size(disk.free)}"
    if disk.needed > disk.free:
        lack = formatting.size(disk.needed - disk.free)
        yield f"warning: that is {lack} too little; doit prune drops what no lock needs"
