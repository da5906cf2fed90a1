"""W7: one tree packed twice, in other directories, with other times, umask, time zone, locale and hash seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks import contest, peers
from benchmarks.contest import WrongResult
from benchmarks.ours import Project, remove
from benchmarks.servers import program

_WORLDS: tuple[Mapping[str, str], ...] = (
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1", "UMASK": "022"},
    {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "UMASK": "077"},
)


def lines(tree: Path, work: Path) -> list[str]:
    """Return who made the same image twice, as list items."""
    said = []
    for name, make in (("clusterimage", _ours), ("umoci", _umoci), ("buildah", _buildah)):
        if make is not _ours and program(name) is None:
            said.append(f"- {name}: skipped: not installed")
            continue
        try:
            digests = {make(tree, work / f"world-{number}", number) for number in (0, 1)}
        except WrongResult as error:
            said.append(f"- {name}: out: {error}")
        else:
            said.append(f"- {name}: {'the same digest' if len(digests) == 1 else '**two digests**'}")
    return said


def _ours(tree: Path, work: Path, number: int) -> str:
    own = _moved(tree, work, number)
    project = Project.make(work / "project", "127.0.0.1:1")
    words = project.application("twice", tree=own)
    _run(project.words("package", *words, "platform=amd64"), project.root, number)
    return (project.dist / "bench+twice+v1/index.json").read_text()


def _umoci(tree: Path, work: Path, number: int) -> str:
    own, out = _moved(tree, work, number), work / "out"
    remove(out)
    _run(peers.umoci(own, out), work, number)
    return (out / "index.json").read_text()


def _buildah(tree: Path, work: Path, number: int) -> str:
    own, out, storage = _moved(tree, work, number), work / "out", work / "storage"
    remove(out)
    storage.mkdir()
    (storage / "Kubefile").write_text("FROM scratch\nCOPY . .\n")
    _run(peers.buildah(own, out, storage, "--timestamp 0"), work, number)
    return (out / "index.json").read_text()


def _moved(tree: Path, work: Path, number: int) -> Path:
    """Copy the tree to where this world keeps it, with other times."""
    own = work / f"tree-{number}"
    if not own.exists():
        shutil.copytree(tree, own)
        for path in own.rglob("*"):
            os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    return own


def _run(command: list[str], folder: Path, number: int) -> None:
    world = dict(_WORLDS[number])
    umask = world.pop("UMASK")
    contest.measured(["sh", "-c", f'umask {umask}; exec "$@"', "sh", *command], folder, world)
