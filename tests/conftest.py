"""Fixtures: a project of one's own in a temporary directory, and doit run in it as a user runs it."""

from __future__ import annotations

import compileall
import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.builds import Builds

ROOT = Path(__file__).parent.parent
PROJECT = ("dodo.py", "versions.toml", "tasks", "clusterimage", "context", "data")
FAILED_ON_CI = os.environ.get("CI") == "true"


@dataclass(frozen=True)
class Result:
    """What a command printed and its exit status."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Project:
    """A copy of the project in which a test may break what it likes."""

    root: Path

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "doit", *words]

    def doit(self, *words: str, **environment: str) -> Result:
        done = subprocess.run(
            self.command(*words),
            cwd=self.root,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def build(self, *words: str, **environment: str) -> Result:
        result = self.doit("build", "mirror=embedded", *words, **environment)
        assert result.code == 0, result.text
        return result

    def digest(self, name: str = "v1.22.15-docker") -> str:
        return (self.root / "dist" / "embedded" / name / "index.json").read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new))


def clean_environment() -> dict[str, str]:
    """Return the environment without what a developer's shell may have set for us."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CLUSTERIMAGE_", "DOCKER_"))}


def heed_interrupts() -> None:
    """Undo what a shell does to its background jobs: they are born deaf to SIGINT, and so are their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def new_project(root: Path) -> Project:
    """Copy the project, with its bytecode: compiled anew in every copy it would be a third of what the tests cost."""
    compile_once()
    root.mkdir(parents=True)
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            shutil.copy2(source, root / name)
    return Project(root)


@functools.cache
def compile_once() -> None:
    """Bring the bytecode up to date; Python goes by size and mtime, so code that a test edits is compiled again."""
    for name in ("tasks", "clusterimage"):
        compileall.compile_dir(ROOT / name, quiet=2)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project")


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """What was built once for the whole run, to be copied."""
    from tests.builds import Builds, shared_by_workers  # which knows a Project

    return Builds(shared_by_workers(tmp_path_factory) / "builds")


@pytest.fixture
def built_by(builds: Builds, tmp_path: Path) -> Callable[..., Project]:
    """Make a project of the test's own in which `build` with those words has ended well."""
    return lambda *words: builds.copy(tmp_path / "project", *words)


@pytest.fixture(scope="session")
def built(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The four default images and their containerd sisters, for all tests that only look."""
    return builds.copy(tmp_path_factory.mktemp("built") / "project", "cri=docker,containerd")


def tool(name: str) -> str:
    """Return the path of a program that others wrote; without it a test is skipped, and fails in CI."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        message = f"{name} is not installed (see .ci/run)"
        if FAILED_ON_CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


def run(*words: str | Path, **options: object) -> str:
    """Run a program and return what it printed; its failure fails the test with what it said."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return str(done.stdout)
