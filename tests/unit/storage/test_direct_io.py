"""What is written past the page cache is whole in any size, on any file system, and does not stay in memory."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clusterimage.storage import direct_io
from clusterimage.storage.direct_io import BLOCK

SIZES = (0, 1, 4095, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 17)


def write(path: Path, data: bytes, part: int = 100_003) -> Path:
    """Write `data` in parts of so many bytes, of the kinds that a layer's are."""
    kinds = (bytes, bytearray, memoryview)
    with path.open("wb") as stream, direct_io.Writer(stream) as out:
        for number, start in enumerate(range(0, len(data), part)):
            out.append([b"", kinds[number % 3](data[start : start + part])])
    return path


def in_memory(path: Path) -> int:
    """Return how many bytes of a file the page cache holds, as util-linux tells."""
    words = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def takes_direct_writes(path: Path) -> bool:
    """Return whether the file system below `path` lets the page cache be passed by."""
    with path.open("wb") as stream:
        return direct_io._set_direct(stream.fileno(), True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", [4096, 100_003, 5 * BLOCK])
def test_every_size_in_any_parts(tmp_path: Path, size: int, part: int) -> None:
    data = random.Random(size).randbytes(size)

    assert write(tmp_path / "file", data, part).read_bytes() == data


@pytest.mark.skipif(not shutil.which("fincore"), reason="needs fincore (util-linux-extra)")
def test_only_the_end_that_fills_no_block_stays_in_memory(tmp_path: Path) -> None:
    if not takes_direct_writes(tmp_path / "tried"):
        pytest.skip("the temporary directory's file system knows no O_DIRECT")

    path = write(tmp_path / "file", random.Random(1).randbytes(4 * BLOCK + 5000))
    os.sync()

    assert in_memory(path) <= 8192
    path.read_bytes()
    assert in_memory(path) >= 4 * BLOCK  # else fincore would have told nothing


def test_memory_of_the_caller_is_free_again_at_once(tmp_path: Path) -> None:
    buffer, expected = bytearray(BLOCK), b""
    with (tmp_path / "file").open("wb") as stream, direct_io.Writer(stream) as out:
        for number in range(5):
            buffer[:] = bytes([number]) * BLOCK
            out.append([buffer])
            expected += bytes(buffer)

    assert (tmp_path / "file").read_bytes() == expected


def test_a_file_system_without_it_gets_ordinary_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_io, "_set_direct", lambda descriptor, on: False)
    data = random.Random(2).randbytes(2 * BLOCK + 1)

    assert write(tmp_path / "file", data).read_bytes() == data


def test_a_system_that_does_not_know_it_gets_ordinary_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECT", raising=False)

    assert not takes_direct_writes(tmp_path / "tried")
    assert write(tmp_path / "file", b"abc" * BLOCK).read_bytes() == b"abc" * BLOCK


def test_one_that_refuses_at_the_first_block_only_gets_ordinary_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, tried = os.write, []

    def picky(descriptor: int, data: memoryview) -> int:
        if not tried:
            tried.append(len(data))
            raise OSError(errno.EINVAL, "Invalid argument")
        return writes(descriptor, data)

    monkeypatch.setattr(os, "write", picky)
    monkeypatch.setattr(direct_io, "_set_direct", lambda descriptor, on: True)
    data = random.Random(3).randbytes(3 * BLOCK + 1)

    assert write(tmp_path / "file", data).read_bytes() == data
    assert tried == [BLOCK]


def test_what_is_no_matter_of_alignment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "write", broken)

    with pytest.raises(OSError, match="Invalid argument"):
        write(tmp_path / "file", bytes(BLOCK))


@pytest.mark.parametrize("most", [1000, 4096, BLOCK - 1])
def test_blocks_are_written_whole_however_few_bytes_the_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    writes = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: writes(descriptor, data[:most]))
    data = random.Random(4).randbytes(BLOCK + 10_000)

    assert write(tmp_path / "file", data).read_bytes() == data


@pytest.mark.parametrize("room", [BLOCK // 2, BLOCK, 3 * BLOCK, 3 * BLOCK + 100])
def test_a_full_disk_is_told_wherever_it_ends(tmp_path: Path, room: int) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from clusterimage.storage import direct_io\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {resource.RLIM_INFINITY}))\n"
        "with Path(sys.argv[1]).open('wb') as stream, direct_io.Writer(stream) as out:\n"
        f"    for _ in range(40): out.append([bytes({BLOCK // 10})])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "File too large" in done.stderr


def test_a_step_that_fails_writes_no_end(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), (tmp_path / "file").open("wb") as stream, direct_io.Writer(stream) as out:
        out.append([b"never"])
        raise ZeroDivisionError

    assert (tmp_path / "file").read_bytes() == b""
