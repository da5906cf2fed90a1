"""Reading TOML: typed getters that know the path of every key, so that an error can name it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from clusterimage.values import text_file
from clusterimage.values.errors import ConfigError, NewerFormatError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table and the path that leads to it (`versions.toml: component.crictl`)."""

    where: str
    values: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read the file at `path`; a missing or malformed one raises ConfigError with the line."""
        try:
            return cls(path.as_posix(), tomllib.loads(text_file.read(path)))
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: no such file") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: not valid TOML: {error}", hint="mend that line") from error

    @classmethod
    def parsed(cls, where: str, text: str) -> Table:
        """Read TOML that is no file of its own; malformed text raises ConfigError."""
        try:
            return cls(where, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{where}: not valid TOML: {error}", hint="mend that line") from error

    def error(self, key: str, problem: str, hint: str = "") -> ConfigError:
        """Return the error that names `key` of this table."""
        return ConfigError(f"{self._path(key)}: {problem}", hint=hint)

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if ": " in self.where else f"{self.where}: {key}"

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return the value of `key`, which must be of `kind`; without `default` it must be there."""
        if key not in self.values:
            if default is None:
                raise self.error(key, "is missing")
            return default
        value = self.values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"must be {_NAMES.get(kind, kind.__name__)}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string."""
        return self.get(key, str, default)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of strings; one string counts as a list of one."""
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (None,)
        if not all(isinstance(item, str) for item in items):
            raise self.error(key, f"must be a list of strings, not {value!r}")
        return items

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return a table of strings as pairs, in the order of the file; a missing one is empty."""
        value = self.get(key, dict, {})
        for name, item in value.items():
            if not isinstance(item, str):
                raise self.error(f"{key}.{name}", f"must be a string, not {item!r}")
        return tuple(value.items())

    def table(self, key: str) -> Table:
        """Return the sub-table `key`; a missing one is empty."""
        return Table(self._path(key), self.get(key, dict, {}))

    def tables(self, key: str) -> Iterator[Table]:
        """Yield every table of the array `[[key]]`."""
        for index, value in enumerate(self.get(key, list, [])):
            if not isinstance(value, dict):
                raise self.error(f"{key}[{index}]", "must be a table")
            yield Table(self._path(f"{key}[{index}]"), value)

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """Yield name and table of every `[key.NAME]`."""
        parent = self.table(key)
        for name in parent.values:
            yield name, parent.table(name)

    def parse(self, key: str, parser: Callable[[str], T], default: str | None = None) -> T:
        """Return the string `key` read by `parser`; its ConfigError gets the key's path."""
        try:
            return parser(self.text(key, default))
        except ConfigError as error:
            if error.problem.startswith(self.where):
                raise
            raise self.error(key, error.problem, error.hint) from error

    def format(self, known: int) -> int:
        """Return the number in `format`, 0 for a file from before there was one.

        One above `known` raises NewerFormatError: look at it before any other key, which may be new as well.
        """
        number = self.get("format", int, 0)
        if number > known:
            raise NewerFormatError(self.where, number, known)
        return number

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads, naming the nearest known one."""
        for key in self.values:
            if key not in known:
                raise self.error(key, "is not a known key", nearest(key, known))


_NAMES: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return the hint that names the known word nearest to `word`, else all of them."""
    import difflib

    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {match[0]}?" if match else f"known: {', '.join(known)}"
