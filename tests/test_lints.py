"""The linters, as tests: a missing one is skipped on a user's machine and fails in CI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, tool

SCRIPTS = sorted([*ROOT.glob("context/**/*.sh"), *ROOT.glob("benchmarks/*.sh"), ROOT / ".ci" / "run"])


def lint(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    lint(sys.executable, "-m", "ruff", "check", ".")


def test_every_file_is_formatted() -> None:
    lint(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_mypy_strict_finds_nothing() -> None:
    lint(sys.executable, "-m", "mypy")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_finds_nothing(script: Path) -> None:
    lint(tool("shellcheck"), "--external-sources", script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_executable_and_stops_at_the_first_error(script: Path) -> None:
    text = script.read_text()

    assert script.stat().st_mode & 0o111
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text or "Sourced, never run" in text
