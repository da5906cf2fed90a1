"""The loader that YAML is read by: libyaml's where PyYAML was built with it, which is seven times as fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml


def safe() -> type[yaml.SafeLoader]:
    """Return a loader that makes plain values only; a class derived from it may change what it makes of scalars."""
    import yaml

    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader


def said(error: yaml.YAMLError, text: str) -> str:
    """Return what is wrong with `text`, with its line; libyaml counts one more behind the last."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"line {min(mark.line + 1, len(text.splitlines()))}: {problem}" if mark and text else problem
