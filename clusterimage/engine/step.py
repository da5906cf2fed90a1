"""The one place that knows the shape of a doit task, and what makes one up to date.

A task is up to date while its inputs, its fingerprint (fingerprint.py) and everything that it made are what they were
when it last ran. The network, by which bytes come, is no part of that: NETWORK stands for it among the
arguments, and REGISTRY for that with the login by which images are pushed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterimage.engine import action, fingerprint
from clusterimage.engine.invocation import plan
from clusterimage.storage import files, manifest
from clusterimage.values import stamp

Task = dict[str, Any]
CPU, NET, SEND = "cpu", "net", "send"


@dataclass(frozen=True, slots=True)
class Made:
    """What a step makes besides its targets: the files that the manifest `listing` names below `root`."""

    listing: Path
    root: Path


def group(name: str, doc: str) -> Task:
    """Return the group task of a step; while a version has no lock the step is to lock it, and doit to begin again."""
    unlocked = [f"lock:{locking.name}" for locking in plan().unlocked]
    again = {"again": True} if unlocked and name != "lock" else {}
    return {"basename": name, "name": None, "doc": doc, "task_dep": [] if name == "lock" else unlocked, "meta": again}


def step(
    name: str,
    call: tuple[Any, ...],
    *,
    inputs: tuple[Path, ...] = (),
    outputs: tuple[Path, ...],
    made: Made | None = None,
    pool: str = CPU,
) -> Task:
    """Return the sub-task `STEP:NAME` that runs `call`, function and arguments, when what shapes it changed.

    The function has a row in `fingerprint.VERSIONS`.
    """
    basename, _, sub_name = name.partition(":")
    function, *arguments = call
    return {
        "basename": basename,
        "name": sub_name,
        "actions": [(action.run, [name, function, tuple(arguments)])],
        "file_dep": [str(path) for path in inputs],
        "targets": [str(path) for path in outputs],
        "uptodate": [_Unchanged(function, tuple(arguments), outputs, made)],
        "clean": [(_clean, [outputs, made.root if made else None])],
        "io": {"capture": False},
        "meta": {"pool": pool},
        "verbosity": 2,
    }


def asked_for(step_name: str) -> bool:
    """Return whether the command line asks for that step by name, not only because another one needs it."""
    return any(word == step_name or word.startswith(f"{step_name}:") for word in sys.argv[1:])


def asked_beside(step_name: str, steps_in: Path) -> tuple[str, ...]:
    """Return the other steps and tasks that the command line asks for together with that step, () if it does not.

    `steps_in` is the directory with one module for every step.
    """
    if not asked_for(step_name):
        return ()
    steps = {path.stem.replace("_", "-") for path in steps_in.glob("[a-z]*.py")} - {step_name}
    return tuple(word for word in sys.argv[1:] if word.partition(":")[0] in steps)


def wipe(dryrun: bool) -> None:
    """Remove all that any build made: _build/ and dist/; with `dryrun` only say it."""
    _clean((), plan().layout.build, dryrun)
    _clean((), plan().layout.dist, dryrun)


def always(
    name: str, call: tuple[Any, ...], *, pool: str = NET, needs: tuple[str, ...] = (), inputs: tuple[Path, ...] = ()
) -> Task:
    """Return the sub-task `STEP:NAME` that runs `call` whenever it is asked for, after the tasks it `needs`.

    It also runs after those that make its `inputs`; doit knows nothing of its result.
    """
    basename, _, sub_name = name.partition(":")
    function, *arguments = call
    return {
        "basename": basename,
        "name": sub_name,
        "actions": [(action.run, [name, function, tuple(arguments)])],
        "file_dep": [str(path) for path in inputs],
        "uptodate": [False],
        "task_dep": list(needs),
        "io": {"capture": False},
        "meta": {"pool": pool},
        "verbosity": 2,
    }


def answer(name: str, doc: str, call: tuple[Any, ...], *, needs: tuple[str, ...] = (), alone: bool = False) -> Task:
    """Return the task `name` that runs `call` whenever it is asked for, and of which only what it says is shown.

    It makes nothing that another task reads, and needs no lock. With `alone` no other doit may be building meanwhile.
    """
    task = always(name, call, needs=needs)
    del task["name"]
    return task | {"doc": doc, "meta": {"pool": CPU, "answer": True, "alone": alone}}


class _Unchanged:
    """Tells whether fingerprint and outputs of a task are what they were; doit asks, and saves what we note."""

    def __init__(
        self, function: Callable[..., None], arguments: tuple[Any, ...], outputs: tuple[Path, ...], made: Made | None
    ) -> None:
        self.shaped_by = (function, arguments)
        self.outputs = outputs
        self.made = made

    @functools.cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the task; made when doit asks: looking at the list of tasks needs none."""
        return fingerprint.of(*self.shaped_by)

    def configure_task(self, task: Any) -> None:
        """Have doit save what the task made when it has run."""
        task.value_savers.append(self._note)

    def __call__(self, task: Any, values: dict[str, Any]) -> bool:
        """Return False when the task has to run."""
        if values.get("fingerprint") != self.fingerprint:
            return False
        return all(stamp.at(path, follow=False) == stamped for path, stamped in values["made"].items())

    def _note(self) -> dict[str, Any]:
        paths = [*self.outputs, *self._contents()]
        return {"fingerprint": self.fingerprint, "made": {str(path): stamp.at(path, follow=False) for path in paths}}

    def _contents(self) -> Iterator[Path]:
        if self.made is None:
            return
        for entry in manifest.read(self.made.listing):
            if not entry.is_directory:
                yield self.made.root / entry.path


def _clean(outputs: tuple[Path, ...], root: Path | None, dryrun: bool) -> None:
    """Remove what a task made; with `dryrun` only say it."""
    for path in (*outputs, *([root] if root else [])):
        if path.exists() or path.is_symlink():
            print(f"remove {path}")
            if not dryrun:
                files.remove(path)
