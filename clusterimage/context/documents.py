"""JSON, TOML and YAML that is shipped: whether its program can read it, which a node would find out too late."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from clusterimage.values import yaml_loader
from clusterimage.values.errors import ConfigError

_MARK = "\ufeff"
_RENDERED_LATER = "{{"  # by sealer or helm: until then it need not be anything


def problem(place: str, text: str) -> str:
    """Return what is wrong with `text`, whose kind the ending of `place` says; "" for what is right or of no kind."""
    read = _READERS.get(PurePosixPath(place).suffix.lower())
    if read is None or not text or _RENDERED_LATER in text:
        return ""
    if text.startswith(_MARK) and read is not _yaml:
        return "it begins with a byte order mark, which its program takes for content"
    try:
        read(text)
    except (ValueError, RecursionError) as error:
        return " ".join(str(error).split())
    return ""


def check(path: Path) -> None:
    """Raise ConfigError for a file that is shipped as it is and that its program cannot read."""
    if path.suffix.lower() not in _READERS:
        return
    try:
        found = problem(path.name, path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text", hint="save it as UTF-8") from error
    if found:
        raise ConfigError(f"{path}: its program cannot read it: {found}", hint="mend it there")


def _yaml(text: str) -> None:
    import yaml

    try:
        for _ in yaml.compose_all(text, yaml_loader.safe()):
            pass
    except yaml.YAMLError as error:
        raise ValueError(yaml_loader.said(error, text)) from error


_READERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yml": _yaml,
    ".yaml": _yaml,
}
