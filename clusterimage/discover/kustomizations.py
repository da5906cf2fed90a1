"""Images that a kustomization renames.

kustomization.yaml    resources: [deploy.yaml, ../base]    images: [{name: controller, newName: r/c, newTag: v1}]

A file is read once for each kustomization that nothing else names and that leads to it, with the images of all on the
way. https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from clusterimage.discover import texts
from clusterimage.discover.names import Named, read

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LISTS = ("resources", "bases", "components", "patchesStrategicMerge")
_DEEPEST = 32  # kustomizations that name each other in a circle


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row of `images`."""

    name: str
    new_name: str
    new_tag: str
    digest: str

    def apply(self, text: str) -> str:
        """Return the name that becomes of `text`, as kustomize api/filters/imagetag does it."""
        found = re.fullmatch(rf"({re.escape(self.name)})(:[\w.{{}}-]*)?(@sha256:[\w.{{}}-]*)?", text, re.ASCII)
        if found is None:
            return text
        rest = f":{self.new_tag}" if self.new_tag else ""
        rest += f"@{self.digest}" if self.digest else ""
        return (self.new_name or self.name) + (rest or f"{found[2] or ''}{found[3] or ''}")


def read_all(places: Mapping[str, Path]) -> Iterator[tuple[str, Named]]:
    """Yield what the kustomizations among `places` lead to, each with the file that names it."""
    documents = {place: _document(path) for place, path in places.items() if PurePosixPath(place).name in FILES}
    named = {target for place, one in documents.items() for target in _targets(place, one, places)}
    for place in sorted(documents.keys() - named):
        yield from _read(place, documents, places, (), 0)


def covered(places: Mapping[str, Path]) -> set[str]:
    """Return the kustomizations among `places` and all files that they lead to: nothing else reads them."""
    documents = {place: _document(path) for place, path in places.items() if PurePosixPath(place).name in FILES}
    return documents.keys() | {target for place, one in documents.items() for target in _targets(place, one, places)}


def _read(
    place: str, documents: Mapping[str, dict[str, Any]], places: Mapping[str, Path], rules: tuple[_Rule, ...], deep: int
) -> Iterator[tuple[str, Named]]:
    one = documents[place]
    rules = (*_rules(one), *rules)  # the inner ones first
    for name in _names(one, places, place):
        yield place, Named(name, None, "is no file of the image, and is not fetched: not read")
    for target in _targets(place, one, places) if deep < _DEEPEST else ():
        if target in documents:
            yield from _read(target, documents, places, rules, deep + 1)
            continue
        for found in texts.read(places[target].read_text("utf-8", errors="replace")):
            yield target, _renamed(found, rules)


def _renamed(found: Named, rules: tuple[_Rule, ...]) -> Named:
    text = found.text
    for rule in rules:
        text = rule.apply(text)
    return found if text == found.text else read(text)


def _rules(one: Mapping[str, Any]) -> Iterator[_Rule]:
    rows = one.get("images")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("name"):
            yield _Rule(*(str(row.get(key) or "") for key in ("name", "newName", "newTag", "digest")))


def _entries(one: Mapping[str, Any]) -> Iterator[str]:
    for key in _LISTS:
        rows = one.get(key)
        yield from (row for row in rows if isinstance(row, str)) if isinstance(rows, list) else ()
    patches = one.get("patches")
    for row in patches if isinstance(patches, list) else ():
        if isinstance(row, dict) and isinstance(row.get("path"), str):
            yield row["path"]


def _target(place: str, entry: str, places: Mapping[str, Path]) -> str:
    """Return the file of the image that an entry names, "" if there is none."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), entry))
    candidates = (path, *(f"{path}/{name}" for name in FILES))
    return next((one for one in candidates if one in places), "")


def _targets(place: str, one: Mapping[str, Any], places: Mapping[str, Path]) -> list[str]:
    return [target for entry in _entries(one) if (target := _target(place, entry, places))]


def _names(one: Mapping[str, Any], places: Mapping[str, Path], place: str) -> Iterator[str]:
    """Yield what is not in the image: other files, addresses, charts."""
    yield from (entry for entry in _entries(one) if "\n" not in entry and not _target(place, entry, places))
    charts = one.get("helmCharts")
    for row in charts if isinstance(charts, list) else ():
        yield f"helmCharts: {row.get('name', '')}" if isinstance(row, dict) else "helmCharts"


def _document(path: Path) -> dict[str, Any]:
    found = texts.embedded(path.read_text("utf-8", errors="replace"))
    return found[0] if found and isinstance(found[0], dict) else {}
