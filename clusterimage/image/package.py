"""A build context, its Kubefile and its saved registries, made into the cluster image that is shipped.

    dist/<image>/   an OCI layout (oci/image.py) and SHA256SUMS over all of it
    _build/layers-v1/<key>.tar.gz or .tar.zst, <key>.json   every layer once, by its manifest and compressor

A part of the image that changes on its own is a layer of its own: an edited template makes kilobytes anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from clusterimage import __version__, kubefile
from clusterimage.image import base_image
from clusterimage.image.base_image import CONTAINER_IMAGES, EXTENSION, Base, Contents
from clusterimage.kubefile import Content
from clusterimage.oci import image, layer
from clusterimage.oci.image import BuiltLayer, Image
from clusterimage.oci.layer import Layer, Member, Written
from clusterimage.storage import compression, files, manifest
from clusterimage.storage.manifest import Entry
from clusterimage.storage.own_tree import FOLDER
from clusterimage.transport.store import single_flight
from clusterimage.values import digest, stamp, text_file
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.reference import Reference

SUMS = "SHA256SUMS"
_LAYERS = 2  # another number where layers of the same entries have other bytes
_SUM = re.compile(r"[0-9a-f]{64}  .+")

# Layers lie in this order: what changes least at the bottom; parts not named here come before config, by name.
_ORDER = ("lib", "tools", "cri", "kubernetes", "cni")
_LAST = ("config", "overlay")


@dataclass(frozen=True, slots=True)
class Package:
    """What a package is made of: its name, its build context, and per architecture the saved registries and images.

    `kubefile` is the user's, None for the one in the context; `arguments` are the values of its ARGs, `base` is what
    its FROM names. With `command` what is launched becomes the image's Cmd, each word a shell line, as sealos runs it.
    """

    reference: Reference
    context: Path
    registries: tuple[tuple[str, tuple[Path, ...]], ...]
    images: tuple[tuple[str, tuple[str, ...]], ...]
    compressor: str
    labels: tuple[tuple[str, str], ...] = ()
    epoch: int = 0
    sealer_annotations: bool = True
    command: bool = False
    kubefile: Path | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An entry of the image and the file that holds its content."""

    entry: Entry
    path: Path


def write(package: Package, layers: Path, dest: Path, listing: Path) -> None:
    """Write the package to `dest` and its manifest to `listing`, its layers cached in `layers`.

    Whole or not at all, and the same bytes every time.
    """
    files.remove(listing)
    context = manifest.read(package.context.with_name(package.context.name + manifest.SUFFIX))
    source = package.kubefile or package.context / "Kubefile"
    instructions = kubefile.parse(text_file.read(source), source.as_posix())
    images = []
    for arch, registries in package.registries:
        base = base_image.read(package.base, arch, layers) if package.base else None
        inherited = base.inherited if base else None
        content = kubefile.evaluate(instructions, context, arch, inherited, dict(package.arguments))
        modes = inherited.modes if inherited else {}
        built = _layers(_sources(package, content, registries), modes, package, layers)
        images.append(_image(package, arch, content, built, base))
    with files.atomic_tree(dest) as tree:
        image.write(tuple(images), package.reference, tree)
        files.write(tree / SUMS, sums(tree))
        blobs = {f"blobs/sha256/{path.name}": path.name for path in (tree / "blobs" / "sha256").iterdir()}
        entries = manifest.scan(tree, known=blobs)
    manifest.write(listing, entries)


def _image(
    package: Package, arch: str, content: Content, built: tuple[BuiltLayer, ...], base: Contents | None
) -> Image:
    names = (*(base.images if base else ()), *dict(package.images).get(arch, ()))
    annotations = _annotations(content, names, arch) if package.sealer_annotations else {}
    return Image(
        arch=arch,
        layers=built,
        labels=tuple(sorted({**content.labels, **dict(package.labels)}.items())),
        annotations=tuple(sorted(annotations.items())),
        epoch=package.epoch,
        env=tuple(f"{name}={value}" for name, value in content.env.items()),
        author=content.author,
        base=base.image if base else None,
        command=tuple(kubefile.command(content)) if package.command else (),
    )


def _sources(package: Package, content: Content, registries: tuple[Path, ...]) -> list[Source]:
    """Return all entries of the image; a blob that two registries share is taken from the first."""
    sources = {entry.path: Source(entry, package.context / place) for entry, place in kubefile.entries(content)}
    for root in registries:
        for entry in manifest.read(root.with_name(root.name + manifest.SUFFIX)):
            place = f"registry/{entry.path}"
            sources.setdefault(place, Source(replace(entry, path=place), root / entry.path))
    return list(sources.values())


def _annotations(content: Content, names: tuple[str, ...], arch: str) -> dict[str, str]:
    extension = kubefile.extension(content, f"clusterimage {__version__}")
    return {EXTENSION: json.dumps(extension, sort_keys=True), CONTAINER_IMAGES: _listed(names, arch)}


def _listed(names: tuple[str, ...], arch: str) -> str:
    platform = {"architecture": arch, "os": "linux"}
    return json.dumps([{"image": name, "platform": platform} for name in dict.fromkeys(names)], sort_keys=True)


def _layers(
    sources: Sequence[Source], modes: Mapping[str, int], package: Package, cache: Path
) -> tuple[BuiltLayer, ...]:
    """Return the layers; each has the directories above its entries that are not of mode 0755.

    A layer says of a directory anew what mode it has: `modes` are those of the base image.
    """
    own = {source.entry.path: source.entry.mode for source in sources if source.entry.is_directory}
    closed = {path: mode for path, mode in {**modes, **own}.items() if mode != FOLDER}
    parts: dict[str, dict[str, Source]] = {}
    for source in sources:
        part = parts.setdefault(source.entry.part, {})
        part[source.entry.path] = source
        for above in PurePosixPath(source.entry.path).parents if closed else ():
            path = above.as_posix()
            if path in closed:
                part.setdefault(path, Source(Entry(path, closed[path], part=source.entry.part), source.path))
    middle = sorted(parts.keys() - {*_ORDER, *_LAST})
    order = [part for part in (*_ORDER, *middle, *_LAST) if part in parts]
    return tuple(_layer(part, parts[part], package, cache) for part in order)


def _layer(part: str, sources: dict[str, Source], package: Package, cache: Path) -> BuiltLayer:
    """Return the layer of those sources, made now unless the same content was packed before."""
    ordered = [sources[path] for path in sorted(sources)]
    lines = "\n".join(source.entry.line() for source in ordered)
    key = digest.of_bytes(f"{_LAYERS} {package.compressor} {package.epoch}\n{lines}".encode()).hex
    path, record = cache / f"{key}{compression.suffix(package.compressor)}", cache / f"{key}.json"
    with single_flight(path):
        written = _remembered(record, path)
        if written is None:
            written = layer.write(Layer(tuple(map(_member, ordered)), package.epoch), package.compressor, path)
            _remember(record, path, written)
    return BuiltLayer(written, path, part, compression.media_type(package.compressor))


def _member(source: Source) -> Member:
    entry = source.entry
    if entry.link or entry.is_directory:
        return Member(entry.path, entry.mode, link=entry.link, directory=entry.is_directory)
    return Member(entry.path, entry.mode, entry.size, source=source.path)


def _remember(record: Path, path: Path, written: Written) -> None:
    values = {"diff_id": written.diff_id.hex, "digest": written.digest.hex, "size": written.size}
    files.write(record, json.dumps(values | {"stamp": stamp.at(path)}).encode())


def _remembered(record: Path, path: Path) -> Written | None:
    """Return what was noted of the layer at `path`, or None where it is missing or no longer what it was."""
    try:
        values = json.loads(record.read_text("utf-8"))
        written = Written(Digest(values["diff_id"]), Digest(values["digest"]), values["size"])
        stamped = stamp.at(path)
        if stamped and values.get("stamp", values.get("seal")) == stamped:  # "seal" before formats had numbers
            return written
        intact = digest.of_file(path) == written.digest and stamp.at(path) == stamped
    except (OSError, ValueError, KeyError):
        return None
    if not intact:
        return None
    _remember(record, path, written)  # it was only touched: nobody need hash it again
    return written


def sums(root: Path) -> bytes:
    """Return the lines of a SHA256SUMS file over every file below `root`, blobs by the name that is their digest."""
    lines = []
    for path in files.walk(root):
        name = path.relative_to(root).as_posix()
        hex_digits = path.name if name.startswith("blobs/sha256/") else digest.of_file(path).hex
        lines.append(f"{hex_digits}  {name}")
    return ("\n".join(lines) + "\n").encode()


def find_damage(dest: Path) -> Iterator[str]:
    """Hash every file of the package at `dest` against its SHA256SUMS and yield what differs."""
    try:
        lines = (dest / SUMS).read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise ClusterImageError(f"{dest}: is not a built image", hint="run doit build") from error
    except UnicodeDecodeError:
        lines = [""]
    if not all(_SUM.fullmatch(line) for line in lines):
        raise ClusterImageError(f"{dest / SUMS}: damaged", hint="run doit build again")
    expected = {name: hex_digits for hex_digits, _, name in (line.partition("  ") for line in lines)}
    present = {path.relative_to(dest).as_posix() for path in files.walk(dest)} - {SUMS}
    for name in sorted(present ^ expected.keys()):
        yield f"{name}: {'is missing' if name in expected else 'does not belong to it'}"
    for name in sorted(present & expected.keys()):
        if (dest / name).is_symlink():
            yield f"{name}: is a link"
            continue
        actual = digest.of_file(dest / name).hex
        if actual != expected[name]:
            yield f"{name}: expected {expected[name]}, got {actual}"
