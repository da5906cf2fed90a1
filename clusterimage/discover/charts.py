"""Helm charts (https://helm.sh/docs/topics/charts): rendered if helm is installed, else searched in values.yaml.

<chart>/Chart.yaml values.yaml templates/ charts/<sub-chart>/
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from clusterimage.discover import texts
from clusterimage.discover.fields import Named, images
from clusterimage.storage import files

log = logging.getLogger(__name__)
CHART = "Chart.yaml"
_TEMPLATES = "templates/"


def roots(places: Mapping[str, Path]) -> list[str]:
    """Return the directories of charts among `places`, without sub-charts."""
    found = sorted(place.rpartition("/")[0] for place in places if PurePosixPath(place).name == CHART)
    return [root for root in found if not any(root.startswith(f"{other}/charts/") for other in found)]


def read(root: str, places: Mapping[str, Path], helm: Path | None, work: Path) -> Iterator[Named]:
    """Yield the images of the chart at `root` with its default values; without `helm` those in values.yaml.

    `work` is a temporary directory for a copy of the chart.
    """
    inside = {place.removeprefix(f"{root}/"): path for place, path in places.items() if place.startswith(f"{root}/")}
    if helm is None:
        yield Named(PurePosixPath(root).name, None, "is a chart, and no helm is on PATH: its values are read")
        yield from _values(inside)
        return
    with files.atomic_tree(work) as tree:
        for place, path in inside.items():
            (tree / place).parent.mkdir(parents=True, exist_ok=True)
            files.copy(path, tree / place)
        rendered, problem = _render(helm, tree)
    files.remove(work)
    if problem:
        log.warning("%s: helm cannot render it, its values are read instead: %s", root, problem)
        yield Named(root, None, f"helm: {problem}")
        yield from _values(inside)
        return
    yield from texts.read(rendered)


def _render(helm: Path, chart: Path) -> tuple[str, str]:
    """Return the rendered text and "", or "" and the error message of helm."""
    command = [str(helm), "template", "clusterimage", str(chart), "--include-crds"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    said = " ".join(done.stderr.split())[-300:]
    return (done.stdout, "") if done.returncode == 0 else ("", said or f"status {done.returncode}")


def _values(inside: Mapping[str, Path]) -> Iterator[Named]:
    """Yield the images in values.yaml of the chart and its sub-charts, and literal images in templates."""
    for place, path in sorted(inside.items()):
        name = PurePosixPath(place).name
        text = path.read_text("utf-8", errors="replace")
        if name == "values.yaml":
            version = _app_version(inside, place)
            for document in texts.embedded(text):
                yield from (named for named in images(document, texts.embedded, version) if named.text)
        elif _TEMPLATES in place and PurePosixPath(place).suffix in (".yaml", ".yml", ".tpl"):
            for named in texts.read(text):
                # Unresolved references are reported for values.yaml, where templates take them from.
                if named.reference is not None:
                    yield named


def _app_version(inside: Mapping[str, Path], values: str) -> str:
    """Return the appVersion of the chart of this values.yaml: the usual default for an empty tag."""
    chart = inside.get(f"{values.rpartition('/')[0]}/{CHART}".lstrip("/"))
    for document in texts.embedded(chart.read_text("utf-8", errors="replace")) if chart else []:
        if isinstance(document, dict) and document.get("appVersion"):
            return str(document["appVersion"])
    return ""
