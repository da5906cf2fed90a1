"""Which files of an image are searched for image references, and in which format.

manifests/**  application/apps/<app>/**    *.yaml *.yml *.json *.tmpl as YAML, imageList as a list, *.sh as scripts;
                                           kustomizations with the images that they rename
charts/**     application/apps/<app>/**    directories with Chart.yaml, and packed charts (*.tgz), as charts
images/shim/*                              lists of images
images/skopeo/tar.txt                      names of images in archives
images/**.tar                              archives whose images are imported, not pulled; also compressed

Every other file there is named, but those that are for people.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from clusterimage.context import imagelist
from clusterimage.context.ignore_list import IgnoreList
from clusterimage.discover import arguments, charts, kustomizations, lists, texts
from clusterimage.discover.charts import Helm
from clusterimage.discover.names import Named
from clusterimage.storage import archive, files
from clusterimage.values.errors import shown
from clusterimage.values.reference import Reference

log = logging.getLogger(__name__)
_DOCUMENTS = ("manifests/", "application/apps/")
_CHARTS = ("charts/", "application/apps/", "manifests/")
_IMAGES = "images/"
_SEARCHED = (*_DOCUMENTS, "charts/", _IMAGES)
_PACKED = (".tgz", ".tar.gz")
_ARCHIVES = (".tar", ".gz", ".tgz", ".zst", ".tzst", ".xz", ".txz", ".bz2", ".tbz", ".tbz2")
_YAML = (".yaml", ".yml", ".json", ".tmpl")
_SCRIPT = ".sh"
_FOR_PEOPLE = re.compile(
    r"(?i)(?:readme|license|licence|notice|changelog|copying|owners)(?:\..*)?|.*\.(?:md|png|svg)|\..*"
)
_LARGEST = 64 << 20  # bytes of a text: what is larger is none
_CRD = "CustomResourceDefinition"


@dataclass(slots=True)
class Findings:
    """What was found.

    `images` have the first file that references them. `archives` are paths in the image, each with the names that a
    list gives to its images. `unclear` are lines about values that should be images and could not be told, and about
    files that could name images and were not read; nothing is said of what `ignored` leaves out.
    """

    ignored: IgnoreList = field(default_factory=IgnoreList)
    images: dict[Reference, str] = field(default_factory=dict)
    archives: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    def add(self, place: str, found: Iterable[Named]) -> None:
        """Add the references of a file."""
        for named in found:
            if named.reference is not None:
                self.images.setdefault(named.reference, place)
            else:
                self.say(place, f"'{shown(named.text)}' {shown(named.problem)}")

    def say(self, place: str, what: str) -> None:
        """Say once what is unclear at a place."""
        line = f"{place}: {what}"
        if line not in self.unclear and not self.ignored.leaves_out(place):
            log.warning("%s", line, extra={"notice": True})
            self.unclear.append(line)


def find(places: Mapping[str, Path], helm: Helm, work: Path, ignored: IgnoreList | None = None) -> Findings:
    """Search the files of an image; `places` maps a path in the image to the file on disk.

    `helm` renders charts; without it their values are searched. `work` is a temporary directory.
    """
    findings = Findings(ignored or IgnoreList())
    packed = {place for place in places if place.startswith(_CHARTS) and place.endswith(_PACKED)}
    every = {**places, **_unpacked({place: places[place] for place in packed}, work)}
    roots = charts.roots({place: path for place, path in every.items() if place.startswith(_CHARTS)})
    helm = replace(helm, apis=_apis(every)) if helm.path and roots else helm
    read: set[str] = set()
    for root in roots:
        read |= _chart(findings, root, every, packed, helm, work / "chart")
    rest = {place: path for place, path in sorted(places.items()) if place not in read}
    read |= _kustomized(findings, rest)
    read |= _listed(findings, rest)
    for place, path in rest.items():
        if place not in read and place.startswith(_SEARCHED) and not _file(findings, place, path):
            findings.say(place, "is not searched for images")
    files.remove(work)
    return findings


def _chart(
    findings: Findings, root: str, every: Mapping[str, Path], packed: set[str], helm: Helm, work: Path
) -> set[str]:
    """Read one chart; return the files that are read with it."""
    archived = next((place for place in packed if root.startswith(f"{place}/")), "")
    values = charts.values_place(root, archived)
    findings.add(root, charts.read(root, every, every.get(values), helm, work))
    for place in charts.unused(root, every):
        findings.say(place, "is not what the chart is read with")
    return {place for place in every if place.startswith(f"{root}/")} | {values, archived}


def _kustomized(findings: Findings, places: Mapping[str, Path]) -> set[str]:
    documents = {place: path for place, path in places.items() if place.startswith(_DOCUMENTS)}
    for place, named in kustomizations.read_all(documents):
        findings.add(place, [named])
    return kustomizations.covered(documents)


def _listed(findings: Findings, places: Mapping[str, Path]) -> set[str]:
    """Read the list of archives' names."""
    if lists.ARCHIVES not in places:
        return set()
    for target, name, problem in lists.archives(lists.ARCHIVES, places[lists.ARCHIVES]):
        if problem:
            findings.add(lists.ARCHIVES, [problem])
        elif target not in places:
            findings.add(lists.ARCHIVES, [Named(target, None, "is not in the image: not saved")])
        else:
            findings.archives[target] = (*findings.archives.get(target, ()), name)
    return {lists.ARCHIVES, *findings.archives}


def _file(findings: Findings, place: str, path: Path) -> bool:
    """Read a file by its place and its name; return whether anything reads it, or it is for people."""
    name = PurePosixPath(place).name
    if place.startswith(lists.SHIM):
        findings.add(place, lists.shim(path))
    elif place.startswith(_IMAGES) and name.endswith(_ARCHIVES):
        findings.archives.setdefault(place, ())
    elif place.startswith(_DOCUMENTS) and name == "imageList":
        for reference in imagelist.read(path):
            findings.images.setdefault(reference, place)
    elif place.startswith(_DOCUMENTS) and name.endswith((*_YAML, _SCRIPT)):
        text = _text(path)
        if text is None:
            findings.add(place, [Named("it", None, "is not UTF-8 text")])
        else:
            findings.add(place, arguments.line(text) if name.endswith(_SCRIPT) else texts.read(text))
    else:
        return bool(_FOR_PEOPLE.fullmatch(name))
    return True


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8") if path.stat().st_size <= _LARGEST else None
    except UnicodeDecodeError:
        return None


def _apis(places: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the APIs that the image's own CRDs define: charts ask whether there are such."""
    found: set[str] = set()
    for place, path in places.items():
        if not place.endswith((".yaml", ".yml")) or not place.startswith(_SEARCHED):
            continue
        text = _text(path) or ""
        for one in texts.embedded(text) if _CRD in text else ():
            spec = one.get("spec") if isinstance(one, dict) and one.get("kind") == _CRD else None
            versions = spec.get("versions") if isinstance(spec, dict) else None
            for version in versions if isinstance(versions, list) else ():
                if isinstance(version, dict) and isinstance(spec, dict):
                    found.add(f"{spec.get('group')}/{version.get('name')}")
    return tuple(sorted(found))


def _unpacked(packed: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """Unpack packed charts, and those in them; return their files by path in the image (<chart>.tgz/…)."""
    found: dict[str, Path] = {}
    todo = sorted(packed.items())
    while todo:
        place, path = todo.pop()
        if not archive.is_tar(path):
            continue
        tree = work / f"packed-{len(found)}"
        archive.unpack(path, "", tree)
        inner = {f"{place}/{one.relative_to(tree).as_posix()}": one for one in files.walk(tree)}
        found |= inner
        todo += [(name, one) for name, one in inner.items() if name.endswith(_PACKED)]
    return found
