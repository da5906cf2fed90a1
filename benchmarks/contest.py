"""Runs contestants in turn and measures them (measure.py); a result that is wrong does not count."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers import program

_MEASURE = Path(__file__).with_name("measure.py")


class WrongResult(Exception):
    """What a contestant made is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds, CPU seconds, peak resident bytes, and what the check found worth saying."""

    wall: float
    cpu: float
    rss: int
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One who takes part: `prepare` and `check` are not timed, `command` is run in `folder`.

    `check` raises WrongResult, and returns facts for the table. `runs` may be fewer for a slow peer; a `limit` is no
    peer but what the machine can do at all. It is skipped where a program that it `needs` is missing.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[], object]
    check: Callable[[], Mapping[str, object]]
    folder: Path = Path()
    runs: int = 0
    limit: bool = False
    ours: bool = False
    needs: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """All runs of a contestant, or why it has none."""

    contestant: Contestant
    samples: list[Sample] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float:
        """Return the median wall time in seconds."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def span(self) -> tuple[float, float]:
        """Return the fastest and the slowest run."""
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)

    @property
    def rss(self) -> int:
        """Return the most memory that any run took, in bytes."""
        return max(sample.rss for sample in self.samples)

    @property
    def facts(self) -> Mapping[str, object]:
        """Return what the check said about the last run."""
        return self.samples[-1].facts


def run(contestants: Sequence[Contestant], runs: int, tell: Callable[[str], None]) -> list[Result]:
    """Let all run once, then all again, `runs` times; who fails is out, with the reason."""
    results = [Result(contestant, failure=_lacking(contestant)) for contestant in contestants]
    for turn in range(runs):
        for result in results:
            if result.failure or turn >= (result.contestant.runs or runs):
                continue
            try:
                sample = once(result.contestant)
            except (WrongResult, subprocess.SubprocessError, OSError) as error:
                result.failure = str(error)
                tell(f"  {result.contestant.name}: out: {error}")
                continue
            result.samples.append(sample)
            tell(f"  {result.contestant.name}: {sample.wall:.3f} s")
    return results


def _lacking(contestant: Contestant) -> str:
    missing = [name for name in contestant.needs if program(name) is None]
    return f"skipped: {', '.join(missing)} is not installed" if missing else ""


def once(contestant: Contestant) -> Sample:
    """Prepare, run and check one contestant."""
    contestant.prepare()
    wall, cpu, rss = measured(contestant.command, contestant.folder, contestant.environment)
    return Sample(wall, cpu, rss, contestant.check())


def measured(
    command: Sequence[str], folder: Path = Path(), environment: Mapping[str, str] | None = None
) -> tuple[float, float, int]:
    """Run a command and return its wall seconds, CPU seconds and peak resident bytes; failing raises WrongResult."""
    with tempfile.NamedTemporaryFile() as result:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_MEASURE), result.name, *command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # whoever ends us ends what we started
            raise
        finally:
            process.wait()
        if process.returncode:
            raise WrongResult(f"{Path(command[0]).name} failed: {said.decode('utf-8', 'replace').strip()[-400:]}")
        wall, cpu, rss = Path(result.name).read_text().split()
    return float(wall), float(cpu), int(rss) * 1024
