"""Knows how a containerd reads a configuration: what `containerd config dump` says that it has of it.

A key that it does not know containerd drops, with a warning at most, and starts.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.conftest import tool
from tests.integration.real import go_programs
from tests.integration.real.go_programs import Source

Place = tuple[str, ...]
# 1.6 is Debian's, as the proxy does not have its module; the others are those of versions.toml.
VERSIONS = ("1.6", "1.7.36", "2.3.7")
_TAGS = "no_btrfs no_devmapper no_zfs urfave_cli_no_docs"  # snapshotters that nobody here has
_CRI = ("plugins", "io.containerd.grpc.v1.cri")
_IMAGES = ("plugins", "io.containerd.cri.v1.images")
_RUNTIME = ("plugins", "io.containerd.cri.v1.runtime")
# Where containerd 2 keeps what a file of version 2 says: configMigration of plugins/cri/{images,runtime}/plugin.go.
_MOVED: dict[Place, Place] = {
    (*_CRI, "sandbox_image"): (*_IMAGES, "pinned_images", "sandbox"),
    (*_CRI, "registry"): (*_IMAGES, "registry"),
    (*_CRI, "containerd"): (*_RUNTIME, "containerd"),
}


def program(version: str) -> Path:
    """Return a containerd: Debian's, or one built from its module on the first call."""
    if version == "1.6":
        return Path(tool("containerd"))
    path = "github.com/containerd/containerd" + ("/v2" if version.startswith("2.") else "")
    return go_programs.program(Source("containerd-alone", path, f"v{version}", ("cmd/containerd",), _TAGS))


def problems(containerd: Path, config: Path) -> list[str]:
    """Return what a containerd does not know of a configuration, or does not take over from it."""
    known, _ = _said([containerd, "config", "default"])
    taken, complaints = _said([containerd, "--config", config, "config", "dump"])
    found = list(complaints)
    for place, value in leaves(tomllib.loads(config.read_text())):
        if place == ("version",):
            continue  # of the syntax, which containerd's own may be above
        # What a runtime has as options is anybody's: containerd keeps all keys, and hands them on.
        if _at(known, place) is None:
            found.append(f"{'.'.join(place)} is unknown")
        elif _at(taken, place) != value:
            found.append(f"{'.'.join(place)} is {_at(taken, place)!r}, not {value!r}")
    return found


def _said(words: list[str | Path]) -> tuple[Mapping[str, Any], list[str]]:
    """Return the configuration that containerd prints, and what it complains of."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    complaints = [line for line in done.stderr.splitlines() if "unknown key" in line or "level=error" in line]
    return tomllib.loads(done.stdout), complaints


def _at(config: Mapping[str, Any], place: Place) -> Any:
    """Return the value at a place of a file, where this containerd has it; None where there is none."""
    for spelled in (place, _moved(place)):
        value: Any = config
        for name in spelled:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def leaves(table: Mapping[str, Any], above: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value of a configuration with its place."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _moved(place: Place) -> Place:
    for old, new in _MOVED.items():
        if place[: len(old)] == old:
            return (*new, *place[len(old) :])
    return place
