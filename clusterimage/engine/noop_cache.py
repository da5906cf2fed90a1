"""A run that had its way, remembered whole: the same words again find in one look that nothing changed.

_build/noop-v1/<words>.json    size, mtime, inode and mode of all that the run read or made, and what it said at its end

What is remembered is what doit would compare, file by file; any difference, or one file more in a directory that was
read, and doit decides. Nothing heavy is imported before that is known: it would cost more than the look.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NoReturn

DIRECTORY = "noop-v1"  # the number is that of the format of its files
Stamp = list[int]  # what values.stamp says of a file, and its mode; nothing of clusterimage is imported here
_READ = ("dodo.py", "doit.cfg", "pyproject.toml", "versions.toml", "clusterimage", "tasks", "context", "data", "locks")
_NOT_WITH = "push="  # what is pushed to is not among the files of a run
_MADE = ("./_build", "./dist", "./.venv", "./.git")
_TICK = 20_000_000  # nanoseconds; Linux' is 10 ms at most
_before: dict[str, Stamp | None] = {}


def exit_if_up_to_date() -> None:
    """End the process, successfully, if these words were run before and everything is as that run left it.

    Otherwise loading goes on without garbage collection: nothing that it makes is garbage. A run turns it on again.
    """
    gc.disable()
    if not _may_be_kept(sys.argv[1:]):
        return
    for place in _places():
        said = _said(f"{place}/{_key()}.json")
        if said is not None:
            exit_now(0, said)
    # From here on things are read: what changes meanwhile must differ from what is remembered.
    stamps = {path: _stamp(os.stat, path) for path in _sources()}
    # A file that was written in this very tick of the clock may be written again without a new mtime.
    if all(stamped is None or stamped[1] < time.time_ns() - _TICK for stamped in stamps.values()):
        _before.update(stamps)


def exit_now(status: int, said: str = "") -> NoReturn:
    """Say `said` and end now: all is written and closed, and taking Python apart would take 25 ms.

    What could not be said is an error: the disk is full, or who read it is gone.
    """
    try:
        sys.stdout.write(said)
        sys.stdout.flush()
    except OSError as error:
        status = status or 2
        with suppress(OSError):
            sys.stderr.write(f"ERROR: writing what was done: {os.strerror(error.errno or 0).lower()}\n")
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


def record(inputs: Mapping[str, Stamp], made: Mapping[str, Stamp | None], others: Iterable[str], said: str) -> bytes:
    """Return what to remember of a run; `others` are files that were read besides the sources.

    Of a source it is the stamp from before the run: one that changed meanwhile is no longer as it was read.
    """
    read = {path: _with_mode(os.stat, path, stamped) for path, stamped in inputs.items()}
    read |= {path: _stamp(os.stat, path) for path in others} | _before
    kept = {path: _with_mode(os.lstat, path, stamped) for path, stamped in made.items()}
    return json.dumps({"said": said, "read": read, "made": kept}).encode()


def name() -> str:
    """Return the name of the record of this command line, "" for one that is not remembered."""
    return f"{_key()}.json" if _before else ""


def _may_be_kept(words: list[str]) -> bool:
    """Return whether a run of `words` is remembered: names of tasks and variables, without any option."""
    return not any(word.startswith(("-", _NOT_WITH)) for word in words)


def _value(name: str) -> str:
    values = [word.partition("=")[2] for word in sys.argv[1:] if word.startswith(f"{name}=")]
    return values[-1] if values else ""


def _key() -> str:
    """Return a name for the words, and for the one program that the image of a Kubefile may be made with."""
    helm = (shutil.which("helm") or "") if _value("kubefile") else ""
    return hashlib.sha256("\0".join([*sys.argv[1:], helm]).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _places() -> tuple[str, ...]:
    """Return where the record may lie: a mirror with bytes of its own has a build directory of its own."""
    mirror = _value("mirror")
    own = (f"_build/{mirror}/{DIRECTORY}",) if mirror.isidentifier() else ()
    return (*own, f"_build/{DIRECTORY}")


def _said(path: str) -> str | None:
    """Return what the remembered run said, None where there is none or something is not as it was."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 -- pathlib would cost as much as all the rest
            record = json.load(stream)
        same = all(_stamp(os.stat, path) == stamped for path, stamped in record["read"].items()) and all(
            _stamp(os.lstat, path) == stamped for path, stamped in record["made"].items()
        )
        return str(record["said"]) if same else None
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _stamp(stat: object, path: str) -> Stamp | None:
    try:
        status = stat(path)  # type: ignore[operator]
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode]


def _with_mode(stat: object, path: str, stamped: Stamp | None) -> Stamp | None:
    """Return what doit noted of a file, with its mode, that doit sees in the arguments of a task."""
    now = _stamp(stat, path)
    return stamped and now and [*stamped, now[-1]]


def _sources() -> list[str]:
    """Return every file and directory that a plan is made from, before anything is known of the plan."""
    kubefile = _value("kubefile")
    found = [*_READ, *((kubefile, _value("ignore")) if kubefile else ())]
    context = _value("context") or (kubefile if os.path.isdir(kubefile) else os.path.dirname(kubefile))  # noqa: PTH112, PTH120
    locks = (f"{os.path.dirname(place)}/locks" for place in _places())  # noqa: PTH120
    for root in (*_READ, _value("overlay"), *locks, *((context or ".",) if kubefile else ())):
        for folder, names, files in os.walk(root) if root else ():
            names[:] = [name for name in names if f"{folder}/{name}" not in _MADE and name != "__pycache__"]
            found += [folder, *(f"{folder}/{name}" for name in files)]
    return found + (_bases() if kubefile else [])


def _bases() -> list[str]:
    """Return what was built here, which a FROM may name."""
    folders = [place.removesuffix(f"/{DIRECTORY}").replace("_build", "dist", 1) for place in _places()]
    found = []
    for folder in folders:
        names = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
        found += [folder, *(f"{folder}/{name}/index.json" for name in sorted(names))]
    return found
