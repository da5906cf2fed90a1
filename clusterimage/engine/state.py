"""What doit remembers between runs: a database that loses nothing, and a checker that reads no file twice.

doit's own backends write at the end of a run only; here every finished task is committed at once, so that a killed run
loses what was under way and nothing else. A damaged database is put aside: everything is then checked anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from doit.dependency import Dependency, FileChangedChecker

from clusterimage.plan import formats
from clusterimage.values import digest, stamp
from clusterimage.values.errors import ClusterImageError

_BLOBS = f"{formats.name('cache')}/sha256"  # what lies there is named by its digest
_SCHEMA = "create table if not exists task (name text primary key, data text not null)"


class StateDB:
    """A doit backend in sqlite; nothing is opened before it is asked, and reading makes no file."""

    def __init__(self, name: str, codec: Any, *, module_name: str | None = None) -> None:
        self.name = name
        self._connection: sqlite3.Connection | None = None
        self._tasks: dict[str, dict[str, Any]] = {}

    def _open(self, *, write: bool) -> sqlite3.Connection | None:
        if self._connection is None and (write or Path(self.name).exists()):
            Path(self.name).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.name, isolation_level=None, timeout=30)
            self._connection.execute("pragma synchronous = normal")
            if write:
                self._connection.execute(_SCHEMA)
        return self._connection

    def _load(self, task: str) -> dict[str, Any]:
        if task not in self._tasks:
            self._tasks[task] = self._read(task)
        return self._tasks[task]

    def _read(self, task: str) -> dict[str, Any]:
        try:
            connection = self._open(write=False)
            row = connection and connection.execute("select data from task where name = ?", (task,)).fetchone()
            return dict(json.loads(row[0])) if row else {}
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return {}
            raise self._said(error) from error
        except (sqlite3.DatabaseError, ValueError):
            self._put_aside()
            return {}

    def _put_aside(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        sys.stderr.write(f"{self.name}: damaged, put aside; every task is checked anew\n")
        Path(self.name).replace(f"{self.name}.damaged")
        self._tasks.clear()

    def _said(self, error: sqlite3.Error) -> ClusterImageError:
        full = "full" in str(error)
        text = "no space left on device" if full else str(error)
        hint = "free some space; finished downloads are kept" if full else "check the owner and mode of that file"
        return ClusterImageError(f"{self.name}: {text}", hint=hint)

    def get(self, task: str, key: str) -> Any:
        """Return a value of a task, or None."""
        return self._load(task).get(key)

    def set(self, task: str, key: str, value: Any) -> None:
        """Keep a value; doit sets `deps:` last, and with that the task is committed."""
        self._load(task)[key] = value
        if key in ("deps:", "ignore:"):
            self._write(task)

    def _write(self, task: str) -> None:
        data = json.dumps(self._tasks[task])
        self._change("insert or replace into task values (?, ?)", (task, data))

    def _change(self, statement: str, values: tuple[str, ...]) -> None:
        try:
            connection = self._open(write=True)
            assert connection is not None
            connection.execute(statement, values)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise self._said(error) from error
            self._put_aside()

    def stamps(self, tasks: Iterable[str]) -> tuple[dict[str, list[int]], dict[str, list[int] | None]] | None:
        """Return size, mtime and inode of all inputs of `tasks`, and of all that they made; None if one is not kept."""
        inputs: dict[str, list[int]] = {}
        made: dict[str, list[int] | None] = {}
        for task in tasks:
            known = self._load(task)
            if "deps:" not in known or "made" not in known.get("_values_:", {}):
                return None  # it runs whenever it is asked for
            inputs |= {dep: known[dep][:3] for dep in known["deps:"]}
            made |= known["_values_:"]["made"]
        return inputs, made

    def restamp(self, touched: list[list[Any]]) -> None:
        """Keep the states `touched`, which are values of ours, as they are now: nobody need hash those files again."""
        states = {id(state) for state in touched}
        for task, known in self._tasks.items():
            if any(id(value) in states for value in known.values()):
                self._write(task)

    def in_(self, task: str) -> bool:
        """Return whether anything is known of a task."""
        return bool(self._load(task))

    def remove(self, task: str) -> None:
        """Forget a task."""
        if self._load(task):
            self._change("delete from task where name = ?", (task,))
        self._tasks[task] = {}

    def remove_all(self) -> None:
        """Forget every task."""
        self._tasks.clear()
        if Path(self.name).exists():
            self._change("delete from task", ())

    def dump(self) -> None:
        """Close the database; all is written already."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class State(Dependency):  # type: ignore[misc]
    """doit's memory with our database, whatever backend is named: the others would lose a killed run's work."""

    def __init__(self, db_class: type, backend_name: str, **kwargs: Any) -> None:
        super().__init__(StateDB, backend_name, **kwargs)


class ContentChecker(FileChangedChecker):  # type: ignore[misc]
    """Compares inputs by size, mtime and inode, and by sha256 where those differ; a blob's name is its sha256."""

    def __init__(self) -> None:
        self.touched: list[list[Any]] = []  # states of inputs that are what they were, with another mtime or inode

    def check_modified(self, file_path: str, file_stat: os.stat_result, state: list[Any]) -> bool:
        """Return whether the content differs from `state`."""
        *known, sha256 = state
        stamped = stamp.of(file_stat)
        if known == stamped:
            return False
        if known[0] != file_stat.st_size or self._sha256(file_path) != sha256:
            return True
        state[:-1] = stamped
        self.touched.append(state)
        return False

    def get_state(self, dep: str, current_state: list[Any] | None) -> list[Any] | None:
        """Return the state of an input, None where it did not change."""
        status = Path(dep).stat()
        stamped = stamp.of(status)
        if current_state and current_state[:-1] == stamped:
            return None
        seeded = digest.seeded(status)
        return [*stamped, seeded.hex if seeded else self._sha256(dep)]

    @staticmethod
    def _sha256(path: str) -> str:
        folder, name = os.path.split(path)
        return name if folder.endswith(_BLOBS) else digest.of_file(Path(path)).hex
