"""Helm charts (https://helm.sh/docs/topics/charts): rendered if helm is installed, else read from their values.

charts/NAME/        Chart.yaml values.yaml templates/ crds/ charts/<sub-chart>/ or <sub-chart>.tgz
charts/NAME.tgz     the same, packed
charts/NAME.values.yaml     values to render it with, as sealos does (github.com/labring/sreg pkg/buildimage/chart.go)

Nothing is fetched: a chart whose dependencies are not in it cannot be rendered, and that is said.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clusterimage.discover import texts, values
from clusterimage.discover.names import Named
from clusterimage.storage import files

log = logging.getLogger(__name__)
CHART = "Chart.yaml"
_RELEASE = "clusterimage"  # and its namespace: charts refuse "default"
_AT_ROOT = (
    *("values.yaml", "values.yml", "Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock"),
    "crds",
)


@dataclass(frozen=True, slots=True)
class Helm:
    """The program at `path`, None if there is none, and the Kubernetes that it renders for.

    `kubernetes` is a version, or "" for the one that helm takes; `apis` are APIs that the image itself brings by CRDs,
    such as monitoring.coreos.com/v1.
    """

    path: Path | None
    kubernetes: str = ""
    apis: tuple[str, ...] = ()


def roots(places: Mapping[str, Path]) -> list[str]:
    """Return the directories of charts among `places`, without sub-charts."""
    found = sorted(place.rpartition("/")[0] for place in places if PurePosixPath(place).name == CHART)
    return [root for root in found if not any(root.startswith(f"{other}/charts/") for other in found)]


def values_place(root: str, packed: str) -> str:
    """Return where the values for the chart at `root` are looked for; `packed` is its archive, or ""."""
    return f"{packed.rpartition('/')[0]}/{PurePosixPath(root).name}.values.yaml" if packed else f"{root}.values.yaml"


def read(root: str, places: Mapping[str, Path], given: Path | None, helm: Helm, work: Path) -> Iterator[Named]:
    """Yield the images of the chart at `root`, with the values of `given` over its own; without helm from the values.

    `places` are unpacked: packed charts have their files below their own name. `work` is a temporary directory for a
    copy of the chart.
    """
    inside = {place.removeprefix(f"{root}/"): path for place, path in places.items() if place.startswith(f"{root}/")}
    if helm.path is None:
        yield Named(PurePosixPath(root).name, None, "is a chart, and no helm is on PATH: its values are read")
        yield from values.read(inside, given)
        return
    with files.atomic_tree(work) as tree:
        for place, path in inside.items():
            if not any(place.startswith(f"{other}/") for other in inside):  # not what lies in a packed sub-chart
                (tree / place).parent.mkdir(parents=True, exist_ok=True)
                files.copy(path, tree / place)
        rendered, problem = _render(helm, tree, given)
    files.remove(work)
    if problem:
        log.warning("%s: helm cannot render it, its values are read instead: %s", root, problem)
        yield Named(root, None, f"helm: {problem}")
        yield from values.read(inside, given)
        return
    yield from texts.read(rendered)


def unused(root: str, places: Mapping[str, Path]) -> list[str]:
    """Return the files of values at a chart's root that it is not rendered with: values-production.yaml."""
    found = []
    for place in places:
        name = place.removeprefix(f"{root}/")
        if place.startswith(f"{root}/") and "/" not in name and name not in _AT_ROOT:
            found += [place] if "values" in name and name.endswith((".yaml", ".yml")) else []
    return found


def _render(helm: Helm, chart: Path, given: Path | None) -> tuple[str, str]:
    """Return the rendered text and "", or "" and the error message of helm."""
    command = [str(helm.path), "template", _RELEASE, str(chart), "--include-crds", "--namespace", _RELEASE]
    command += ["--kube-version", helm.kubernetes] if helm.kubernetes else []
    command += [word for api in helm.apis for word in ("--api-versions", api)]
    command += ["--values", str(given)] if given else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        return "", str(error)
    said = " ".join(done.stderr.split())[-300:]
    return (done.stdout, "") if done.returncode == 0 else ("", said or f"status {done.returncode}")
