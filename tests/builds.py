"""Projects that are built already: each choice of words once for a whole run of the tests, and handed out as copies.

Of what a build made a copy has hard links, so that to doit nothing has changed: it goes by size, mtime and inode. What
is written in place, and all that a user may edit, is copied. Three things to know:

- A test may replace and delete what was made, as the build itself does. One that writes into it has to build on its
  own, and is found out when the next copy is asked for.
- So has one that counts the bytes which a deletion frees: every file has another name.
- The user's files are others, so the first run in a copy takes the long way. Who asks whether a run is remembered runs
  it once before.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project, new_project, run

MADE = ("_build", "dist")
WRITTEN = (".lock", "log", "noop-v*", "state-v*")  # in place


@dataclass(frozen=True)
class Builds:
    """The directory in which all workers of a run share what they built."""

    root: Path

    def copy(self, to: Path, *words: str) -> Project:
        """Return a project at `to` that is as `build(*words)` leaves a new one."""
        return linked(self._built(*words), to)

    def _built(self, *words: str) -> Path:
        place = self.root / ("+".join(sorted(words)).replace("/", "_") or "default")
        project, record = place / "project", place / "stamps.json"
        with alone(place.with_name(f"{place.name}.lock")):
            if not record.exists():
                shutil.rmtree(place, ignore_errors=True)  # of a build that failed
                new_project(project).build(*words)
                record.write_text(json.dumps(stamps(project)))
            assert stamps(project) == json.loads(record.read_text()), f"a test wrote into what is shared: {project}"
        return project


def shared_by_workers(factory: pytest.TempPathFactory) -> Path:
    """Return the temporary directory of the whole run; a worker of pytest-xdist has its own one below that."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other workers out."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stamps(project: Path) -> dict[str, list[int]]:
    """Return size, mtime and mode of every file that was made."""
    found = {}
    for path in (path for place in MADE for path in (project / place).rglob("*")):
        status = path.lstat()
        if not path.is_dir():
            found[str(path.relative_to(project))] = [status.st_size, status.st_mtime_ns, status.st_mode]
    return found


def linked(source: Path, to: Path) -> Project:
    """Return a copy of the project at `source`, what was made in it by hard links."""
    shutil.copytree(source, to, symlinks=True, ignore=lambda folder, names: MADE if Path(folder) == source else ())
    run("cp", "--archive", "--link", *(source / place for place in MADE), to)
    for name in WRITTEN:
        for path in to.glob(f"_build/*/{name}"):
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            for file in files:
                _part(file)
    return Project(to)


def _part(path: Path) -> None:
    """Put a copy in the place of a hard link."""
    copy = path.with_name(f"{path.name}.copy")
    shutil.copy2(path, copy)
    copy.replace(path)
