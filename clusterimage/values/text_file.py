"""A text that somebody wrote with an editor of theirs: UTF-8, with or without the byte order mark of Windows'."""

from __future__ import annotations

from pathlib import Path

from clusterimage.values.errors import ConfigError

_MARK = "\ufeff"


def read(path: Path, hint: str = "save it as UTF-8") -> str:
    """Return the text of the file at `path` without a byte order mark; what is no UTF-8 raises ConfigError."""
    try:
        return without_mark(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        hint += "; it looks like UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise ConfigError(f"{path}: not UTF-8 text", hint=hint) from error


def without_mark(text: str) -> str:
    """Return `text` without a byte order mark."""
    return text.removeprefix(_MARK)
