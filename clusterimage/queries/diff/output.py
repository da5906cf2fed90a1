"""The output of `doit diff` as text tables or JSON.

JSON of two images:

    {"kind": "images", "a", "b", "equal", "ship": {blobs, bytes, of_blobs, of_bytes}, "layers_read", "platforms":
      {ARCH: {"equal", "added", "changed", "removed": [{path, part, a, b: {mode, size, sha256, link} or null}],
              "images": [{name, a, b}], "labels": {NAME: [a, b]},
              "causes": [{part, added, changed, removed, bytes, shipped}]}}}

and of two locks:

    {"kind": "locks", "a", "b", "equal", "ship", "compressor": [a, b],
      "causes": [{kind, name, versions, sha256, blobs, bytes}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from clusterimage.queries.diff import images as of_images
from clusterimage.queries.diff import locks as of_locks
from clusterimage.queries.diff.contents import Shelf
from clusterimage.queries.diff.images import Change, Differing, Shipped
from clusterimage.queries.diff.operands import Built, Pinned
from clusterimage.queries.diff.pairs import matched
from clusterimage.storage.manifest import Entry
from clusterimage.values.formatting import columns, count, size

_KINDS = {"added": "+", "changed": "~", "removed": "-"}
_SAVED = "registry/docker/"  # reported as images, not by path
_SHORT = 12  # hex characters of a digest that are shown


def locks(a: Pinned, b: Pinned, arches: tuple[str, ...], form: str) -> str:
    """Format the differences between two locks; `form` is text or json."""
    causes, shipped = of_locks.compare(a, b, arches), of_locks.ship(a, b, arches)
    compressors = (a.compressor, b.compressor)
    equal = not causes and compressors[0] == compressors[1]
    if form == "json":
        rows = [
            {
                "kind": c.kind,
                "name": c.name,
                "versions": c.versions,
                "sha256": c.keys,
                "blobs": c.blobs,
                "bytes": c.bytes,
            }
            for c in causes
        ]
        top = {"kind": "locks", "a": a.path.as_posix(), "b": b.path.as_posix(), "equal": equal}
        return _dumped(top | {"ship": asdict(shipped), "compressor": compressors, "causes": rows})
    lines = [f"a  {a.path.as_posix()}", f"b  {b.path.as_posix()}", _shipping(shipped) if not equal else "no difference"]
    if compressors[0] != compressors[1]:
        lines += [f"compressor: {compressors[0]} -> {compressors[1]}: every layer gets other bytes"]
    table = [("", "what", "a", "b", "only in b", "bytes")]
    table += [
        (
            _sign(c.keys),
            c.name,
            *_versions(c.versions, c.keys),
            count(c.blobs, "blob"),
            size(c.bytes),
        )
        for c in causes
    ]
    return "\n".join([*lines, *(["", *columns(table, right="45")] if causes else [])])


def _versions(versions: tuple[str, str], keys: tuple[str, str]) -> tuple[str, str]:
    """Return the text of both sides; the same version with different content is shown with its digests."""
    if versions[0] != versions[1]:
        return versions[0] or "none", versions[1] or "none"
    return (f"{versions[0]} {keys[0][:_SHORT]}", f"{versions[1]} {keys[1][:_SHORT]}")


def images(a: Built, b: Built, arches: tuple[str, ...], form: str) -> str:
    """Format the differences between two built images; with `paths` only the added and changed paths of b."""
    shelf = Shelf()
    found = of_images.compare(a, b, arches, shelf)
    if form == "paths":
        return "\n".join(change.path for one in found for change in one.changes if change.after)
    shipped, equal = of_images.ship(a, b, arches), all(one.equal for one in found)
    if form == "json":
        top = {"kind": "images", "a": a.name, "b": b.name, "equal": equal, "ship": asdict(shipped)}
        platforms = {one.arch: _document(one) for one in found}
        return _dumped(top | {"layers_read": len(shelf.held), "platforms": platforms})
    lines = [f"a  {a.name}", f"b  {b.name}", "no difference" if equal else _shipping(shipped)]
    for one in found:
        if not one.equal:
            lines += ["", *_platform(one)]
    return "\n".join(lines)


def _dumped(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False)


def _shipping(shipped: Shipped) -> str:
    those = f"{count(shipped.blobs, 'blob')}, {size(shipped.bytes)}"
    return f"b has {those} that a has not (of {shipped.of_blobs:,}, {size(shipped.of_bytes)})"


def _sign(sides: tuple[object, object]) -> str:
    return _KINDS["added" if not sides[0] else "removed" if not sides[1] else "changed"]


# ------------------------------------------------------------------ two images


def _platform(one: Differing) -> Iterator[str]:
    rows = [(f"linux/{one.arch}", *_KINDS, "bytes", "layers to ship")]
    rows += [(c.part, *(f"{c.counts[kind]:,}" for kind in _KINDS), size(c.bytes), size(c.shipped)) for c in one.causes]
    yield from columns(rows, right="12345")
    if not one.causes:
        yield "no file differs: only what the image says of itself"
    saved = [(_sign((old, new)), f"{name}{_shown(old, new)}") for name, old, new in _saved(one)]
    yield from _section("saved images", saved)
    yield from _section(
        "files", [(_KINDS[c.kind], f"{c.path}{_reason(c)}") for c in one.changes if not c.path.startswith(_SAVED)]
    )
    yield from _section("labels", [(_sign(both), f"{name}: {' -> '.join(both)}") for name, both in one.labels.items()])


def _section(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f"{title}:"
        yield from (f"  {sign} {text}" for sign, text in rows)


def _saved(one: Differing) -> Iterator[tuple[str, tuple[str, str] | None, tuple[str, str] | None]]:
    """Yield the repositories whose saved tags differ, with (tag, digest) of both sides."""
    a, b = ({(name.rpartition(":")[0], name.rpartition(":")[2]): d for name, d in side.items()} for side in one.tags)
    yield from (pair for pair in matched(a, b) if pair[1] != pair[2])


def _shown(old: tuple[str, str] | None, new: tuple[str, str] | None) -> str:
    if old and new:
        same = old[0] == new[0]
        digests = [one[1].removeprefix("sha256:")[:_SHORT] for one in (old, new)]
        return f":{old[0]} {digests[0]} -> {digests[1]}" if same else f":{old[0]} -> :{new[0]}"
    one = old or new
    return f":{one[0]}" if one else ""


def _reason(change: Change) -> str:
    old, new = change.before, change.after
    if not (old and new):
        return ""
    if old.sha256 != new.sha256 and old.sha256 and new.sha256:
        return f"  {size(old.size)} -> {size(new.size)}"
    if old.mode != new.mode and (old.sha256, old.link) == (new.sha256, new.link):
        return f"  mode {old.mode:04o} -> {new.mode:04o}"
    return f"  {_what(old)} -> {_what(new)}"


def _what(entry: Entry) -> str:
    return f"link to {entry.link}" if entry.link else "directory" if entry.is_directory else "file"


def _document(one: Differing) -> dict[str, Any]:
    changes = {kind: [_change(c) for c in one.changes if c.kind == kind] for kind in _KINDS}
    rows = [
        {"name": name, "a": f"{old[0]}@{old[1]}" if old else None, "b": f"{new[0]}@{new[1]}" if new else None}
        for name, old, new in _saved(one)
    ]
    causes = [{"part": c.part, **c.counts, "bytes": c.bytes, "shipped": c.shipped} for c in one.causes]
    return {"equal": one.equal, **changes, "images": rows, "labels": one.labels, "causes": causes}


def _change(change: Change) -> dict[str, Any]:
    return {"path": change.path, "part": change.part, "a": _entry(change.before), "b": _entry(change.after)}


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {"mode": f"{entry.mode:04o}", "size": entry.size, "sha256": entry.sha256, "link": entry.link}
