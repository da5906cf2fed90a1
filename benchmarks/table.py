"""Writes results down: a table for each work with medians, spans and ratios, and what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contest import Result

_FACTS = ("requests", "MB fetched", "fetched again", "MB written", "MB on disk")


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to be reached: in words, what was measured, and whether that is it."""

    words: str
    measured: str
    reached: bool

    def __str__(self) -> str:
        return f"{'reached' if self.reached else '**not reached**'}: {self.words}: {self.measured}"


@dataclass(frozen=True, slots=True)
class Section:
    """A work: its title, what was done, who took part, the goals, and more lines that are no table of times."""

    title: str
    words: str
    results: Sequence[Result] = ()
    goals: Sequence[Goal] = ()
    more: Sequence[str] = ()

    def markdown(self) -> str:
        """Return it as Markdown."""
        rows = table(self.results) if any(result.samples for result in self.results) else []
        out = [f"- {result.contestant.name}: {result.failure}" for result in self.results if result.failure]
        blocks = [[f"## {self.title}"], [self.words], rows, self.more, out, [f"- {goal}" for goal in self.goals]]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def table(results: Sequence[Result]) -> list[str]:
    """Return the rows of a table; ratios are to the first of our own, more than 1 is slower than that."""
    counted = [result for result in results if result.samples]
    facts = [name for name in _FACTS if any(name in result.facts for result in counted)]
    reference = next((result.median for result in counted if result.contestant.ours), 0.0)
    header = ["who", "median s", "min–max", "runs", "ratio", "CPU s", "peak MB", *facts]
    lines = [_row(header), _row(["---", *["---:"] * (len(header) - 1)])]
    return lines + [_row(_cells(result, reference, facts)) for result in counted]


def seconds(value: float) -> str:
    """Write a time with three digits that mean something."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _cells(result: Result, reference: float, facts: Sequence[str]) -> list[str]:
    low, high = result.span
    cells = [
        f"**{result.contestant.name}**" if result.contestant.ours else result.contestant.name,
        seconds(result.median),
        f"{seconds(low)}–{seconds(high)}" if len(result.samples) > 1 else "",
        str(len(result.samples)),
        f"{result.median / reference:.2f}" if reference else "",
        f"{result.samples[-1].cpu:.2f}",
        f"{result.rss / 1e6:.0f}",
    ]
    return cells + [_fact(result.facts.get(name)) for name in facts]


def _fact(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
