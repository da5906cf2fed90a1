"""Says where the time of a command of ours goes, from what `sampled` saw."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import contest


def profile(command: Sequence[str], folder: Path, runs: int = 1, most: int = 8) -> list[str]:
    """Run `python -m doit …` so many times, sampled; return lines with what takes the largest shares."""
    found: Counter[str] = Counter()
    walls = []
    root = str(Path(__file__).parent.parent)
    for _ in range(runs):
        with tempfile.NamedTemporaryFile() as result:
            words = [sys.executable, "-m", "benchmarks.sampled", result.name, *command[2:]]
            contest.measured(words, folder, {"PYTHONPATH": root})
            wall, *lines = Path(result.name).read_text().splitlines()
        walls.append(float(wall))
        for line in lines:
            count, _, name = line.partition(" ")
            found[name] += int(count)
    total = sum(found.values()) or 1
    told = [f"- {count / total:.0%} `{name}`" for name, count in found.most_common(most)]
    return [f"{min(walls):.2f} s; samples of all threads that do not wait for one another:", "", *told]
