"""Writes RESULTS.md: when, on what machine, with which programs, every work, and where the time goes."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from benchmarks import peers
from benchmarks.contents import Donors
from benchmarks.table import Section

RESULTS = Path(__file__).with_name("RESULTS.md")
NEXT = Path(__file__).with_name("next.md")


def text(sections: Sequence[Section], profiles: Mapping[str, Sequence[str]], donors: Donors, took: float) -> str:
    """Return the whole report."""
    parts = [_head(donors, took), *(section.markdown() for section in sections), "## Where the time goes\n"]
    for title, lines in profiles.items():
        parts.append("\n".join([f"### {title}", "", *lines, ""]))
    parts.append(NEXT.read_text())
    return "\n".join(parts)


def _head(donors: Donors, took: float) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = ", ".join(f"{name} {version}" for name, version in peers.versions().items())
    missing, python = peers.missing(), platform.python_version()
    ours = ", ".join(f"{name} {_installed(name)}" for name in _libraries())
    lines = [
        "# How fast",
        "",
        f"{day}: {_processor()}, {os.cpu_count()} cores, {_memory()} GB, {_system()}, Python {python}.",
        f"Written by `make bench` in {took / 60:.0f} minutes; what would cut the time is from `next.md`.",
        "",
        f"- peers: {found}",
        f"- clusterimage: {ours}",
        f"- binaries of the work: blocks of {', '.join(donors.names)} (`{donors.digest}`), real Go programs of this"
        " machine, in an order that each file's name decides; layers and archives: noise in valid gzip. All contestants"
        " get the same files.",
        "- medians, fastest and slowest run, in turn in one run; ratio: to the first row of ours, above 1 is slower.",
        "- no time counts before what was made was hashed again; requests and bytes are the source's access log's.",
        "- memory: peak of the largest process; CPU: of the client, without the registry that a peer copies to.",
        "",
    ]
    if missing:
        lines[-1:] = [f"- not installed, skipped: {', '.join(missing)}", ""]
    return "\n".join(lines)


def _libraries() -> list[str]:
    """Return what clusterimage itself needs, by name."""
    needed = metadata.requires("clusterimage") or []
    return sorted(re.split(r"[^\w.-]", one)[0] for one in needed if "extra ==" not in one)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "?"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def _system() -> str:
    return str(platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()))
