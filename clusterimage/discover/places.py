"""Which files of an image are searched for image references, and in which format.

manifests/**  application/apps/<app>/**    *.yaml *.yml *.tmpl as YAML, imageList as a list
charts/**     application/apps/<app>/**    directories with Chart.yaml, and packed charts (*.tgz), as charts
images/*.tar *.tar.gz *.tgz                archives whose images are imported, not pulled
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from clusterimage.context import imagelist
from clusterimage.discover import charts, texts
from clusterimage.discover.fields import Named
from clusterimage.storage import archive, files
from clusterimage.values.reference import Reference

log = logging.getLogger(__name__)
_DOCUMENTS = ("manifests/", "application/apps/")
_CHARTS = ("charts/", "application/apps/", "manifests/")
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_YAML = (".yaml", ".yml", ".tmpl")


@dataclass(slots=True)
class Findings:
    """Images with the first file that references them, image archives, and values that could not be resolved."""

    images: dict[Reference, str] = field(default_factory=dict)
    archives: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def add(self, place: str, found: Iterable[Named]) -> None:
        """Add the references of a file."""
        for named in found:
            if named.reference is not None:
                self.images.setdefault(named.reference, place)
                continue
            line = f"{place}: '{named.text}' {named.problem}"
            if line not in self.unresolved:
                log.warning("%s", line, extra={"notice": True})
                self.unresolved.append(line)


def find(places: Mapping[str, Path], helm: Path | None, work: Path) -> Findings:
    """Search the files of an image; `places` maps a path in the image to the file on disk.

    `helm` renders charts; without it only their values are searched. `work` is a temporary directory.
    """
    findings = Findings()
    packed = {place for place in places if place.startswith(_CHARTS) and place.endswith(".tgz")}
    unpacked = _unpacked({place: places[place] for place in packed}, work)
    every = {**places, **unpacked}
    roots = charts.roots({place: path for place, path in every.items() if place.startswith(_CHARTS)})
    for root in roots:
        findings.add(root, charts.read(root, every, helm, work / "chart"))
    for place, path in sorted(places.items()):
        if any(place.startswith(f"{root}/") for root in roots):
            continue
        if place.startswith(_DOCUMENTS):
            _document(findings, place, path)
        if place.startswith("images/") and place.count("/") == 1 and place.endswith(_ARCHIVES):
            findings.archives.append(place)
    files.remove(work)
    return findings


def _document(findings: Findings, place: str, path: Path) -> None:
    if PurePosixPath(place).name == "imageList":
        for reference in imagelist.read(path):
            findings.images.setdefault(reference, place)
    elif place.endswith(_YAML):
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            findings.add(place, [Named("it", None, "is not UTF-8 text")])
            return
        findings.add(place, texts.read(text))


def _unpacked(packed: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """Unpack packed charts and return their files by path in the image (<chart>.tgz/…)."""
    found: dict[str, Path] = {}
    for number, (place, path) in enumerate(sorted(packed.items())):
        if archive.is_tar(path):
            tree = work / f"packed-{number}"
            archive.unpack(path, "", tree)
            found |= {f"{place}/{one.relative_to(tree).as_posix()}": one for one in files.walk(tree)}
    return found
