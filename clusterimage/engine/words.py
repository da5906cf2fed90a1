"""The names and patterns of tasks on a command line: what they mean, and what is none of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from clusterimage.values.errors import ClusterImageError

_LISTED = "see doit list --all"


@dataclass(frozen=True, slots=True)
class Words:
    """What a command takes: the names of all tasks, and with `runs` also targets and, behind `doit`, commands.

    Of `unlocked`, steps that have no tasks yet because a version is to be locked first, a run of a pattern or a name is
    a run of the step: it locks, and begins again with the same words.
    """

    tasks: Collection[str]
    unlocked: Collection[str] = ()
    targets: Collection[str] = ()
    commands: Collection[str] = ()
    runs: bool = False

    def meant(self, words: list[str]) -> list[str]:
        """Return the names that `words` mean, `*` being anything; what means nothing raises ClusterImageError."""
        return list(dict.fromkeys(name for word in words for name in self._names(word)))

    def _names(self, word: str) -> Iterator[str]:
        if "*" in word:
            found = fnmatch.filter(self.tasks, word)
        else:
            found = [word] if word in self.tasks or word in self.targets else []
        step, colon, _ = word.partition(":")
        if found or not (colon and step in self.unlocked):
            yield from found
        elif self.runs:
            found = [step]
            yield step
        if not found:
            what = "matches no task" if "*" in word else "is no task"
            raise ClusterImageError(f"'{word}' {what} of this selection", hint=self._nearest(word))

    def _nearest(self, word: str) -> str:
        step, colon, rest = word.partition(":")
        if colon and step in self.unlocked:
            return "there is none before the lock: doit lock"
        steps = [name for name in self.tasks if ":" not in name]
        if colon and step not in self.tasks and (near := _close(step, steps)):
            return f"did you mean {near}:{rest}?"
        inside = [name for name in self.tasks if name.startswith(f"{step}:")] if colon else [*steps, *self.commands]
        near = _close(word.replace("*", ""), inside)
        return f"did you mean {near}? {_LISTED}" if near else _LISTED


def _close(word: str, known: list[str]) -> str:
    import difflib

    return "".join(difflib.get_close_matches(word, known, n=1, cutoff=0.5))
