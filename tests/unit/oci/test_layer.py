"""Layers: a tar that others read, and the same bytes whatever the machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import os
import re
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

from clusterimage.oci import layer
from clusterimage.oci.layer import PIECE, Layer, Member, Written
from clusterimage.storage import compression
from tests.conftest import ROOT, tool
from tests.unit.conftest import error_of, plant

LONG = "/".join(["directory" * 5] * 8) + "/" + "file" * 40
NOISE = hashlib.shake_256(b"noise").digest(300_000)
COMPRESSED = b"\x1f\x8b" + NOISE
KNOWN = {
    "gzip libdeflate-1 0.9.0": "e467bae7eca21b03083883383dddbe54e59164a15587ee073a42aa3ca57b5a00",
    "isal isa-l-1 2.32.1 3e976338": "904c1957eeafd2e58749aa3070364b6e129e09c5223e667d239cc6bf24e9e382",
    "zstd libzstd-3 1.5.7": "0c65f9fbc4fb87972eefd5addc42a57132a0218e977352357400b05fbcf1f1fb",
}


def text(path: str, content: str = "content", mode: int = 0o644) -> Member:
    return Member(path, mode, len(content.encode()), data=content.encode())


def file(root: Path, path: str, content: bytes, mode: int = 0o644) -> Member:
    source = plant(root / "sources", {path: content}) / path
    return Member(path, mode, len(content), source=source)


def write(root: Path, *members: Member, epoch: int = 0) -> Written:
    return layer.write(Layer(members, epoch), compression.installed("gzip"), root / "layer.tar.gz")


def read(root: Path) -> list[tarfile.TarInfo]:
    plain = gzip.decompress((root / "layer.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return tar.getmembers()


def contents(root: Path) -> dict[str, bytes]:
    plain = gzip.decompress((root / "layer.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {info.name: b"".join(tar.extractfile(info) or ()) for info in tar if info.isreg()}


def ends(data: bytes) -> list[int]:
    """Return where the members of a gzip chain end in what they unpack to."""
    sizes = []
    while data:
        one = zlib.decompressobj(31)
        sizes.append(len(one.decompress(data)))
        data = one.unused_data
    return list(itertools.accumulate(sizes))


def test_the_digests_are_those_of_the_tar_and_of_the_file(tmp_path: Path) -> None:
    written = write(tmp_path, text("a"))

    data = (tmp_path / "layer.tar.gz").read_bytes()
    assert written.digest.hex == hashlib.sha256(data).hexdigest()
    assert written.diff_id.hex == hashlib.sha256(gzip.decompress(data)).hexdigest()
    assert written.size == len(data)


def test_every_parent_comes_once_and_before_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path, text("a/b/one"), text("a/b/two"), text("a/c"), Member("d/e", 0o755, directory=True), text("f"))

    assert [(info.name, info.isdir()) for info in read(tmp_path)] == [
        ("a", True),
        ("a/b", True),
        ("a/b/one", False),
        ("a/b/two", False),
        ("a/c", False),
        ("d", True),
        ("d/e", True),
        ("f", False),
    ]


def test_a_directory_that_is_named_and_filled_comes_once(tmp_path: Path) -> None:
    write(tmp_path, Member("a", 0o755, directory=True), text("a/b"), Member("a", 0o755, directory=True))

    assert [info.name for info in read(tmp_path)] == ["a", "a/b"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o644, 0o644), (0o600, 0o600), (0o440, 0o440), (0o711, 0o711), (0o666, 0o666), (0o6777, 0o777), (0o4755, 0o755)],
)
def test_a_mode_is_kept_but_for_set_id_bits(tmp_path: Path, mode: int, expected: int) -> None:
    write(tmp_path, text("d/a", mode=mode))

    assert [info.mode for info in read(tmp_path)] == [0o755, expected]


def test_owner_and_time_say_nothing_of_the_machine(tmp_path: Path) -> None:
    write(tmp_path, text("a/b"), Member("a/c", 0o777, link="b"), epoch=86_400)

    assert {(info.uid, info.gid, info.uname, info.gname, info.mtime) for info in read(tmp_path)} == {
        (0, 0, "", "", 86_400)
    }


def test_a_link_keeps_its_target(tmp_path: Path) -> None:
    write(tmp_path, Member("a", 0o644, link="../out/there"), Member("b", 0o755, link="/absolute"))

    assert [(info.name, info.issym(), info.linkname, info.mode, info.size) for info in read(tmp_path)] == [
        ("a", True, "../out/there", 0o777, 0),
        ("b", True, "/absolute", 0o777, 0),
    ]


def test_long_and_foreign_names_are_kept(tmp_path: Path) -> None:
    names = [LONG, "näme", "odd\udcff", "x" * 101, "y" * 255]
    target = "t" * 300

    write(tmp_path, *(text(name, name.encode(errors="surrogateescape").decode("latin-1")) for name in sorted(names)))
    found = {info.name for info in read(tmp_path)}
    write(tmp_path, Member("link", 0o777, link=target))

    assert set(names) < found
    assert read(tmp_path)[0].linkname == target


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4095, 4096, 65_535, 65_536, PIECE - 512, PIECE, PIECE + 1])
@pytest.mark.parametrize("head", [b"\0", b"\x1f\x8b"], ids=["plain", "compressed"])
def test_a_content_of_any_size_is_kept(tmp_path: Path, size: int, head: bytes) -> None:
    content = (head * size)[:size]

    write(tmp_path, file(tmp_path, "a", content), text("b"))

    assert contents(tmp_path) == {"a": content, "b": b"content"}


def test_others_read_it(tmp_path: Path) -> None:
    members = [
        file(tmp_path, "a/big", COMPRESSED * 20),
        file(tmp_path, "a/plain", NOISE),
        Member("l", 0o777, link="a/big"),
    ]
    write(tmp_path, *members, text(LONG), text("run", "#!/bin/sh\n", 0o755))
    out = tmp_path / "out"
    out.mkdir()

    subprocess.run([tool("gzip"), "-t", tmp_path / "layer.tar.gz"], check=True)
    subprocess.run([tool("tar"), "-xzf", tmp_path / "layer.tar.gz", "-C", out], check=True)

    assert (out / "a/big").read_bytes() == COMPRESSED * 20
    assert (out / "a/plain").read_bytes() == NOISE
    assert (out / LONG).read_text() == "content"
    assert (out / "l").readlink() == Path("a/big")
    assert (out / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"\x1f\x8b" + bytes(50_000), True),
        (b"\x28\xb5\x2f\xfd" + bytes(50_000), True),
        (b"\xfd7zXZ" + bytes(50_000), True),
        (b"BZh" + bytes(50_000), True),
        (b"PK\x03\x04" + bytes(50_000), True),
        (bytes(50_000), False),
        (b"\x1f\x8b" + bytes(4000), False),
    ],
)
def test_what_is_compressed_already_is_only_stored(tmp_path: Path, content: bytes, stored: bool) -> None:
    written = write(tmp_path, file(tmp_path, "a", content))

    assert (written.size > len(content)) is stored


def test_no_gzip_member_is_larger_than_a_piece(tmp_path: Path) -> None:
    write(tmp_path, file(tmp_path, "a", bytes(2 * PIECE + 7)), file(tmp_path, "b", COMPRESSED), text("c"))

    places = ends((tmp_path / "layer.tar.gz").read_bytes())

    assert all(later - earlier <= PIECE for earlier, later in itertools.pairwise([0, *places]))
    assert len(places) == 5


def test_the_plain_tar_is_what_is_compressed(tmp_path: Path) -> None:
    members = text("a/b"), file(tmp_path, "c", COMPRESSED)
    write(tmp_path, *members)

    plain = b"".join(layer.tar(Layer(members)))

    assert plain == gzip.decompress((tmp_path / "layer.tar.gz").read_bytes())


def test_an_empty_layer_is_a_tar(tmp_path: Path) -> None:
    write(tmp_path)

    assert read(tmp_path) == []


@pytest.mark.parametrize("cores", [1, 2, 4, None])
def test_the_number_of_cores_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int | None) -> None:
    members = [
        file(tmp_path, "a", NOISE * 30),
        file(tmp_path, "b", COMPRESSED * 3),
        text("c"),
        file(tmp_path, "d", NOISE),
    ]
    expected = write(tmp_path, *members)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    shared = (layer._cores, layer._compressing, layer._buffers)
    for made_once in shared:
        made_once.cache_clear()

    assert write(tmp_path, *members) == expected
    for made_once in shared:
        made_once.cache_clear()


@pytest.mark.parametrize("choice", compression.CHOICES)
def test_the_name_of_a_compressor_stands_for_its_bytes(tmp_path: Path, choice: str) -> None:
    members = (text("a/b", "some text " * 10_000), file(tmp_path, "c", COMPRESSED))
    written = layer.write(Layer(members, 1), compression.installed(choice), tmp_path / "layer")

    assert written.diff_id.hex == "fd1c6dda0e5b589ca573ae296ccdb0da540616adec4b0ca4c3c281ad0b2c7c61"
    if compression.installed(choice) not in KNOWN:
        pytest.skip(f"no digest is known of {compression.installed(choice)}")
    assert written.digest.hex == KNOWN[compression.installed(choice)]


@pytest.mark.parametrize("choice", compression.CHOICES)
def test_every_compressor_makes_the_same_tar(tmp_path: Path, choice: str) -> None:
    members = (file(tmp_path, "a", NOISE * 5), file(tmp_path, "b", COMPRESSED * 9), text("c", "text " * 99_999))
    written = layer.write(Layer(members), compression.installed(choice), tmp_path / "layer")

    with (tmp_path / "layer").open("rb") as stream:
        plain = compression.opened(stream).read()
    assert plain == b"".join(layer.tar(Layer(members)))
    assert written.diff_id.hex == hashlib.sha256(plain).hexdigest()
    assert written.digest.hex == hashlib.sha256((tmp_path / "layer").read_bytes()).hexdigest()


def test_zstd_s_own_program_reads_it(tmp_path: Path) -> None:
    members = (file(tmp_path, "a", NOISE * 5), file(tmp_path, "b", COMPRESSED * 9), text("c"))
    layer.write(Layer(members), compression.installed("zstd"), tmp_path / "layer.tar.zst")

    done = subprocess.run([tool("zstd"), "-dc", tmp_path / "layer.tar.zst"], capture_output=True, check=True)
    assert done.stdout == b"".join(layer.tar(Layer(members)))


@pytest.mark.parametrize("choice", compression.CHOICES)
def test_memory_does_not_grow_with_the_layer(tmp_path: Path, choice: str) -> None:
    with (tmp_path / "big").open("wb") as sparse:
        sparse.truncate(600 << 20)
    code = (
        "import sys; from pathlib import Path; from clusterimage.oci import layer;"
        "from clusterimage.storage import compression;"
        "m = layer.Member('big', 0o644, 600 << 20, source=Path(sys.argv[1]));"
        "layer.write(layer.Layer((m,)), compression.installed(sys.argv[3]), Path(sys.argv[2]));"
        "print(Path('/proc/self/status').read_text())"
    )
    words = [sys.executable, "-c", code, tmp_path / "big", tmp_path / "layer", choice]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)

    # Not getrusage: its peak is also that of the process that started this one.
    peak = next(int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("VmHWM:"))
    assert peak < 150 * 1024  # kB


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    member = file(tmp_path, "a", b"content")
    (tmp_path / "sources" / "a").write_bytes(b"con")

    error = error_of(write, tmp_path, member)

    assert error.problem == f"{tmp_path}/sources/a: changed while it was read"
    assert error.hint == "build again"
    assert not (tmp_path / "layer.tar.gz").exists()


def test_a_file_that_grows_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    member = file(tmp_path, "a", b"content")
    (tmp_path / "sources" / "a").write_bytes(b"content and more")

    assert "changed while it was read" in error_of(write, tmp_path, member).problem


def test_a_file_that_is_gone_leaves_no_layer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path, text("a"), Member("b", 0o644, 5, source=tmp_path / "none"))

    assert list(tmp_path.iterdir()) == []


def test_another_compressor_than_the_locked_one_is_refused(tmp_path: Path) -> None:
    here = compression.installed("gzip")

    error = error_of(layer.write, Layer((text("a"),)), "gzip other 1", tmp_path / "layer.tar.gz")

    assert (
        error.problem == f"the lock names the compressor 'gzip other 1', installed is '{here}': the bytes would differ"
    )
    assert error.hint == "install the deflate package that it names, or lock again: doit lock k8s=…"
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_cpu_that_makes_other_bytes_is_refused(tmp_path: Path) -> None:
    here = compression.installed("isal")
    there = f"{here[:-8]}{'0' * 8}"

    error = error_of(layer.write, Layer((text("a"),)), there, tmp_path / "layer.tar.gz")

    assert error.problem == f"the lock names the compressor '{there}', installed is '{here}': the bytes would differ"
    assert error.hint == (
        "isal makes other bytes on this CPU; compression=gzip makes the same on all, or lock again: doit lock k8s=…"
    )


def test_a_compressor_is_named_with_all_that_decides_its_bytes() -> None:
    names = [re.sub("[0-9.]+[0-9]", "1", compression.installed(choice)) for choice in compression.CHOICES]

    assert re.fullmatch("isal isa-l-1 [0-9.]+ [0-9a-f]{8}", compression.installed("isal"))
    assert [names[1], names[2]] == ["gzip libdeflate-1 1", "zstd libzstd-3 1"]
