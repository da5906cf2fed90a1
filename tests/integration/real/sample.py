"""Knows which few of many a run judges: building what judges them all takes an hour on a new machine.

Another commit takes others, and the same commit always the same ones. CLUSTERIMAGE_JUDGES=all takes all, and a comma
list of names takes those.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence

from tests.conftest import ROOT

VARIABLE = "CLUSTERIMAGE_JUDGES"


def sample(names: Sequence[str], size: int) -> tuple[str, ...]:
    """Return `size` of the names in their order, chosen by the commit."""
    asked = os.environ.get(VARIABLE, "")
    if asked:
        return tuple(name for name in names if asked == "all" or name in asked.split(","))
    return chosen(names, size, commit())


def chosen(names: Sequence[str], size: int, seed: str) -> tuple[str, ...]:
    """Return `size` of the names in their order, chosen by a text."""
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[:size]
    return tuple(name for name in names if name in drawn)


def commit() -> str:
    """Return the hash of the commit that is checked out; of a tree without a repository it is empty."""
    words = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
