"""The images of a chart from its values, as the common idioms of charts complete them; what cannot be told is said.

A parent's values lie over those of its sub-charts, `global` over all (https://helm.sh/docs/chart_template_guide/
subcharts_and_globals), and a `condition` that is false leaves a sub-chart out. A tag that is empty or missing is the
appVersion, with or without a v before it, where the templates say so; global.imageRegistry is that of every image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from clusterimage.discover import templates as decided
from clusterimage.discover import texts
from clusterimage.discover.fields import Reading, images
from clusterimage.discover.names import Named
from clusterimage.discover.templates import Chart

_TEMPLATES = "templates/"
_CHART = "Chart.yaml"
_GLOBAL = "global"
_YAML = (".yaml", ".yml", ".tpl")
_VERSION_LINE = re.compile(r"^(?=.*AppVersion)(?=.*(?:[Ii]mage|[Tt]ag)).*$", re.MULTILINE)
_LABEL_LINE = re.compile(r"app\.kubernetes\.io/version|helm\.sh/chart")
_WITH_V = re.compile(r"[\"`]v(?:%s)?[\"`]|v\{\{")
_CHANGED = re.compile(r"trim|replace|regex|substr|split|semver")


def read(inside: Mapping[str, Path], given: Path | None) -> Iterator[Named]:
    """Yield the images of a chart whose files are `inside`; the values of `given` lie over its own."""
    own = _document(given) if given else {}
    yield from _chart(inside, "", own)


def _chart(inside: Mapping[str, Path], at: str, over: Mapping[str, Any]) -> Iterator[Named]:
    """Yield the images of the chart at `at`, "" or a path that ends in a slash, with the values `over` its own."""
    values = _merged(_document(inside.get(f"{at}values.yaml")), over)
    about = _document(inside.get(f"{at}{_CHART}"))
    children = _children(inside, at, about)
    templates = {
        place: path.read_text("utf-8", errors="replace")
        for place, path in sorted(inside.items())
        if place.startswith((f"{at}{_TEMPLATES}", f"{at}crds/")) and PurePosixPath(place).suffix in _YAML
    }
    version, problem = _app_version(str(about.get("appVersion") or ""), templates)
    spread = values.get(_GLOBAL)
    shared = spread if isinstance(spread, dict) else {}
    registry = str(shared.get("imageRegistry") or "").rstrip("/")
    reading = Reading(texts.embedded, values=True, default_tag=version, registry=registry)
    chart = Chart(values, about)
    for text in templates.values():
        yield from decided.images(text, chart)
        yield from texts.read_template(text)
    others = {name for _, names in children for name, _ in names}
    own = {key: value for key, value in decided.without(values, chart.used).items() if key not in others}
    for named in images(own, reading):
        if named.text:
            yield Named(named.text, None, problem) if problem and named.problem.startswith("has no tag") else named
    for child, names in children:
        for name, condition in names:
            if _holds(values, condition):
                below = values.get(name)
                yield from _chart(inside, child, _merged(below if isinstance(below, dict) else {}, {_GLOBAL: shared}))


def _children(inside: Mapping[str, Path], at: str, about: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return where the sub-charts lie, each with the names of its values and the conditions that it is there for."""
    requirements = _document(inside.get(f"{at}requirements.yaml")).get("dependencies")
    wanted = [one for one in [*_rows(about.get("dependencies")), *_rows(requirements)] if one.get("name")]
    found = []
    for place in sorted(inside):
        if not place.startswith(f"{at}charts/") or PurePosixPath(place).name != _CHART:
            continue
        child = place.removesuffix(_CHART)
        if "/charts/" in child.removeprefix(f"{at}charts/"):
            continue  # a sub-chart's own
        name = str(_document(inside[place]).get("name") or PurePosixPath(child).name)
        rows = [one for one in wanted if one["name"] == name]
        names = [(str(one.get("alias") or name), str(one.get("condition") or "")) for one in rows]
        found.append((child, names or [(name, "")]))
    return found


def _rows(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _holds(values: Mapping[str, Any], condition: str) -> bool:
    """Tell whether a sub-chart is there: the first path of its condition that has a boolean decides."""
    for path in condition.split(","):
        value: Any = values
        for key in path.strip().split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return value
    return True


def _merged(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others as helm does: tables are merged, null removes, all else is replaced."""
    found = dict(below)
    for key, value in over.items():
        known = found.get(key)
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found


def _app_version(version: str, templates: Mapping[str, str]) -> tuple[str, str]:
    """Return the tag that templates make of the appVersion, "" if none, and why it cannot be told."""
    lines: list[str] = []
    for text in templates.values():
        lines += (one for one in _VERSION_LINE.findall(text) if not _LABEL_LINE.search(one))
    if not version or not lines:
        return "", ""
    with_v = [bool(_WITH_V.search(line)) for line in lines]
    if any(_CHANGED.search(line) for line in lines) or len(set(with_v)) > 1:
        return "", f"has no tag, and the templates do more than one thing with the appVersion {version}: not saved"
    return (f"v{version}" if with_v[0] else version), ""


def _document(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    found = texts.embedded(path.read_text("utf-8", errors="replace"))
    return found[0] if found and isinstance(found[0], dict) else {}
