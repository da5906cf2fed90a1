"""Render build-time templates (`*.j2`, https://jinja.palletsprojects.com); `*.tmpl` are rendered at run time."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterimage.storage import files, manifest
from clusterimage.storage.archive import rooted
from clusterimage.values import text_file
from clusterimage.values.errors import CollisionError, ConfigError

SUFFIX = ".j2"


@dataclass(frozen=True, slots=True)
class Template:
    """A template file, its output path `place`, and its value of the variable `arch` ("" outside platform/).

    Of two templates for one place the higher rank wins; two of the same rank raise CollisionError.
    """

    source: Path
    place: str
    arch: str = ""
    rank: int = 0


def render(templates: tuple[Template, ...], variables: dict[str, Any], texts: dict[str, str], dest: Path) -> None:
    """Render the templates and the literal `texts` (place -> text) to `dest`; its manifest is last.

    A file is 0755 if its template is executable, else 0644. An undefined variable
    raises ConfigError with file and line.
    """
    from clusterimage.context import documents  # it knows the formats, which only an action needs

    listing = dest.with_name(dest.name + manifest.SUFFIX)
    files.remove(listing)
    with files.atomic_tree(dest) as tree:
        for place, text in texts.items():
            files.write(rooted(tree, place), text.encode())
        for template in _choose(templates):
            more = {"arch": template.arch} if template.arch else {}
            text = _text(template.source, variables | more)
            if problem := documents.problem(template.place, text):
                raise ConfigError(
                    f"{template.source}: its program cannot read what it renders to: {problem}",
                    hint=f"mend it there; that is {template.place}",
                )
            mode = 0o755 if template.source.stat().st_mode & stat.S_IXUSR else 0o644
            files.write(rooted(tree, template.place), text.encode(), mode=mode)
        entries = manifest.scan(tree, part="config")
    manifest.write(listing, entries)


def _choose(templates: tuple[Template, ...]) -> list[Template]:
    chosen: dict[str, Template] = {}
    for template in sorted(templates, key=lambda template: template.rank):
        other = chosen.get(template.place)
        if other is not None and other.rank == template.rank and other.source != template.source:
            raise CollisionError(template.place, str(other.source), str(template.source))
        chosen[template.place] = template
    return list(chosen.values())


def _text(source: Path, variables: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    text = text_file.read(source, "drop the .j2 to copy it as it is")
    try:
        return environment.from_string(text, globals=None).render(variables)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        line = getattr(error, "lineno", None) or _line(error)
        where = f"{source}:{line}" if line else str(source)
        problem = " ".join(str(getattr(error, "message", None) or error).split())
        raise ConfigError(f"{where}: {problem}", hint="the variables are listed in CONTRIBUTING.md") from error


def _line(error: BaseException) -> int | None:
    """Return the template line of the innermost frame of `error`, or None."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
