"""Locks: the same pins give the same bytes, and a damaged one is named with its key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.catalog.requirement import FileRequest, ImageRequest, Requirement
from clusterimage.locks import lock
from clusterimage.locks.lock import Descriptor, Lock, LockedFile, LockedImage, LockedPlatform
from clusterimage.values.digest import Digest
from clusterimage.values.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version
from tests.unit.conftest import HEX_A, HEX_B, HEX_C, error_of

VERSION = Version(1, 22, 15)


def locked_file(component: str = "kubectl", arch: str = "amd64", url: str = "https://x/kubectl") -> LockedFile:
    return LockedFile(component, "1.22.15", arch, url, Digest(HEX_A), 42, "publisher, table")


def locked_platform(arch: str) -> LockedPlatform:
    blobs = (Descriptor(Digest(HEX_B), 3, OCI_CONFIG), Descriptor(Digest(HEX_A), 4, OCI_LAYER_GZIP))
    return LockedPlatform(arch, Descriptor(Digest(HEX_C), 2, OCI_MANIFEST), blobs)


def locked_image(name: str = "k8s.gcr.io/pause:3.5", *arches: str) -> LockedImage:
    top = Descriptor(Digest(HEX_A), 1, OCI_INDEX)
    return LockedImage(Reference.parse(name), top, tuple(map(locked_platform, arches or ("amd64", "arm64"))))


def wanted_file(component: str = "kubectl", arch: str = "amd64", url: str = "https://x/kubectl") -> FileRequest:
    return FileRequest(component, "1.22.15", arch, url, "", "", (("", "bin/x"),), 0o755, "tools", "", "")


def requirement(files: tuple[FileRequest, ...] = (), images: tuple[str, ...] = ()) -> Requirement:
    return Requirement(VERSION, files, tuple(ImageRequest(Reference.parse(name), "base") for name in images))


LOCK = Lock(
    VERSION,
    "gzip zlib-ng-2 2.2.4",
    (locked_file(), locked_file("gperf", "any", 'https://x/"ä".gz')),
    (locked_image(f"quay.io/a/b:1@sha256:{HEX_B}", "arm64"), locked_image()),
)
TEXT = f"""\
# Pins of one Kubernetes version, written by `doit lock`. Review a change as you would review code.
format = 1
kubernetes = "v1.22.15"
compressor = "gzip zlib-ng-2 2.2.4"

[[file]]
component = "kubectl"
version = "1.22.15"
arch = "amd64"
url = "https://x/kubectl"
sha256 = "{HEX_A}"
size = 42
witness = "publisher, table"

[[image]]
reference = "k8s.gcr.io/pause:3.5"
digest = "{HEX_A} 1 {OCI_INDEX}"

[[image.platform]]
arch = "amd64"
manifest = "{HEX_C} 2 {OCI_MANIFEST}"
blobs = [
  "{HEX_B} 3 {OCI_CONFIG}",
  "{HEX_A} 4 {OCI_LAYER_GZIP}",
]
"""


def load(root: Path, text: str) -> Lock | None:
    (root / "lock.toml").write_text(text)
    return lock.load(root / "lock.toml")


def test_a_lock_reads_as_it_was_written(tmp_path: Path) -> None:
    lock.save(tmp_path / "locks" / "lock.toml", LOCK)

    read = lock.load(tmp_path / "locks" / "lock.toml")

    assert read is not None
    assert set(read.files) == set(LOCK.files)
    assert set(read.images) == set(LOCK.images)
    assert (read.kubernetes, read.compressor) == (VERSION, LOCK.compressor)


def test_a_lock_is_a_text_to_review(tmp_path: Path) -> None:
    lock.save(
        tmp_path / "lock.toml",
        Lock(VERSION, LOCK.compressor, (locked_file(),), (locked_image("k8s.gcr.io/pause:3.5", "amd64"),)),
    )

    assert (tmp_path / "lock.toml").read_text() == TEXT


def test_the_order_of_pins_does_not_show(tmp_path: Path) -> None:
    image = locked_image("quay.io/a/b:2", "arm64", "amd64")
    one = replace(LOCK, images=(*LOCK.images, image))
    other = replace(
        LOCK,
        files=LOCK.files[::-1],
        images=(replace(image, platforms=image.platforms[::-1]), *LOCK.images[::-1]),
    )

    lock.save(tmp_path / "one", one)
    lock.save(tmp_path / "other", other)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_no_lock_is_no_error(tmp_path: Path) -> None:
    assert lock.load(tmp_path / "none.toml") is None


def test_an_empty_lock_pins_nothing(tmp_path: Path) -> None:
    empty = lock.empty(VERSION, "gzip x")

    lock.save(tmp_path / "lock.toml", empty)

    assert lock.load(tmp_path / "lock.toml") == empty == Lock(VERSION, "gzip x", (), ())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"v1.22.15"', '"1.22"', "kubernetes: '1.22' is not a released version"),
        ("compressor", "compresor", "compresor: is not a known key"),
        (f'sha256 = "{HEX_A}"', 'sha256 = "abc"', "file[0].sha256: 'abc' is not a sha256 digest"),
        ("size = 42", 'size = "42"', "file[0].size: must be a whole number, not '42'"),
        ('witness = "publisher, table"\n', "", "file[0].witness: is missing"),
        ("pause:3.5", "Pause:3.5", "image[0].reference: image 'k8s.gcr.io/Pause:3.5': bad repository 'Pause'"),
        (f"{HEX_A} 1 {OCI_INDEX}", HEX_A, f"image[0].digest: '{HEX_A}' is not '<sha256> <size> <media type>'"),
        (f"{HEX_C} 2", f"{HEX_C} two", "image[0].platform[0].manifest: '"),
        (f"{HEX_B} 3", "abc 3", "image[0].platform[0].blobs: 'abc 3 "),
        ("blobs = [", "blops = [", "image[0].platform[0].blobs: is missing"),
    ],
)
def test_a_damaged_lock_is_named_with_its_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in TEXT

    assert error_of(load, tmp_path, TEXT.replace(old, new)).problem.startswith(f"{tmp_path}/lock.toml: {problem}")


@pytest.mark.parametrize("text", ["", "a b", f"{HEX_A} 1", f"{HEX_A} one t", f"{HEX_A} 1 t x"])
def test_a_descriptor_is_digest_size_and_media_type(text: str) -> None:
    with pytest.raises(ValueError):
        Descriptor.parse(text)


def test_a_descriptor_reads_as_it_is_written() -> None:
    descriptor = Descriptor(Digest(HEX_A), 7, OCI_CONFIG)

    assert Descriptor.parse(str(descriptor)) == descriptor


def test_an_image_gives_the_platform_that_is_asked_for() -> None:
    assert locked_image().platform("arm64").arch == "arm64"


def test_an_image_without_the_platform_is_named() -> None:
    error = error_of(locked_image("quay.io/tigera/operator:v1.5.3", "amd64").platform, "arm64")

    assert error.problem == "quay.io/tigera/operator:v1.5.3: has no image for linux/arm64"
    assert error.hint == "drop it, or build with platform=amd64"


def test_a_pin_is_found_by_what_is_asked_for() -> None:
    assert LOCK.file(wanted_file()) == locked_file()
    assert LOCK.image(Reference.parse("k8s.gcr.io/pause:3.5")) == locked_image()


@pytest.mark.parametrize(
    "wanted", [wanted_file("kubelet"), wanted_file(arch="arm64"), wanted_file(url="https://elsewhere/kubectl")]
)
def test_a_pin_of_something_else_does_not_count(wanted: FileRequest) -> None:
    assert LOCK.file(wanted) is None
    assert LOCK.lacks(requirement((wanted,))) == ((wanted,), ())


def test_an_image_that_is_not_pinned_is_lacking() -> None:
    other = Reference.parse("k8s.gcr.io/pause:3.6")

    files, images = LOCK.lacks(requirement((wanted_file(),), ("k8s.gcr.io/pause:3.5", str(other))))

    assert LOCK.image(other) is None
    assert (files, [image.reference for image in images]) == ((), [other])


def test_pins_that_nothing_asks_for_are_dropped() -> None:
    kept = LOCK.only(requirement((wanted_file(),), ("k8s.gcr.io/pause:3.5",)))

    assert kept == replace(LOCK, files=(locked_file(),), images=(locked_image(),))
