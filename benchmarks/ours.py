"""Knows how this project is run: as its user does, by doit in a project directory whose mirror is the source."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contest
from benchmarks.contest import Contestant

MIRROR = "bench"
_ROOT = Path(__file__).parent.parent
_PROJECT = ("dodo.py", "versions.toml", "tasks", "clusterimage", "context", "data")


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the project with a mirror profile of its own."""

    root: Path

    @classmethod
    def make(cls, root: Path, registry: str, files: str = "") -> Project:
        """Copy the project to `root` and let its mirror fetch from the addresses HOST:PORT[/PATH] given."""
        remove(root)
        root.mkdir(parents=True)
        for name in _PROJECT:
            source = _ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, root / name)
        project = cls(root)
        project.point_to(registry, files)
        return project

    def point_to(self, registry: str, files: str = "") -> None:
        """Let the mirror fetch from other addresses; what was made stays as it is."""
        lines = ["", f"[mirrors.{MIRROR}]", f'registries = {{ "*" = "{registry}" }}', "own_bytes = true"]
        lines += [f'plain_http = ["{registry.partition("/")[0]}"]']
        lines += [f'files = {{ "" = "http://{files}" }}', ""] if files else [""]
        (self.root / "versions.toml").write_text((_ROOT / "versions.toml").read_text() + "\n".join(lines))

    def words(self, *words: str) -> list[str]:
        """Return the command line of doit with our mirror."""
        return [sys.executable, "-m", "doit", *words, f"mirror={MIRROR}"]

    def doit(self, *words: str) -> None:
        """Run doit, not timed; failing raises WrongResult."""
        contest.measured(self.words(*words), self.root)

    @property
    def build(self) -> Path:
        """Return where our mirror's outputs lie."""
        return self.root / "_build" / MIRROR

    @property
    def dist(self) -> Path:
        """Return where our mirror's images lie."""
        return self.root / "dist" / MIRROR

    def forget(self) -> None:
        """Remove everything that was built, but not what was locked."""
        remove(self.root / "_build")
        remove(self.root / "dist")

    def application(self, name: str, image_list: Sequence[str] = (), tree: Path | None = None) -> list[str]:
        """Write a Kubefile that copies `tree` and needs the images given; return the words that choose it."""
        folder = self.root / name
        remove(folder)
        folder.mkdir()
        context = tree or folder
        if image_list:
            (folder / "manifests").mkdir()
            (folder / "manifests/imageList").write_text("".join(f"{image}\n" for image in image_list))
        (folder / "Kubefile").write_text("FROM scratch\nCOPY . .\n")
        return [f"kubefile={name}/Kubefile", f"context={context}", f"name=docker.io/bench/{name}:v1"]


def empty_doit(folder: Path) -> Contestant:
    """Return doit itself with one task that does nothing: what nobody who uses doit can be faster than."""

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dodo.py").write_text('def task_nothing():\n    return {"actions": None}\n')

    return Contestant("limit: doit, empty dodo.py", [sys.executable, "-m", "doit"], prepare, dict, folder, limit=True)


def remove(path: Path) -> None:
    """Remove a file or a tree; nothing there is fine."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
