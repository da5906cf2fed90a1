"""Pieces by each compressor: what comes back is what went in, and the same bytes every time."""

from __future__ import annotations

import hashlib
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from clusterimage.storage import compression
from clusterimage.storage.compression import Pack

WINDOW = 1 << 15
SIZES = (1, 2, 7, 8, 9, 12, 16, 40, 300, WINDOW - 1, WINDOW, WINDOW + 7, WINDOW + 8, WINDOW + 9, 2 * WINDOW, 1 << 20)
NOISE = hashlib.shake_256(b"noise").digest(1 << 20)


def packed(pack: Pack, piece: bytes) -> bytes:
    return b"".join(pack(memoryview(piece)))


def unpacked(member: bytes) -> bytes:
    """Return what is in one gzip member; a sum that is not right, or bytes behind it, are an error."""
    one = zlib.decompressobj(31)
    data = one.decompress(member) + one.flush()
    assert one.eof and not one.unused_data
    return data


def repeated(period: int, size: int) -> bytes:
    return (NOISE[:period] * (size // period + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("choice", ["isal", "gzip"])
def test_a_piece_is_one_gzip_member(choice: str, size: int) -> None:
    pack = compression.packing(choice)

    for period in (1, 3, 8, 20, WINDOW - 8, WINDOW, WINDOW + 1, 1 << 20):
        piece = repeated(period, size)
        assert unpacked(packed(pack, piece)) == piece
        assert unpacked(packed(compression.storing(choice), piece)) == piece


@pytest.mark.parametrize("choice", compression.CHOICES)
def test_the_bytes_do_not_tell_where_in_memory_they_were_made(choice: str) -> None:
    """Each begins differently and says its beginning again; another thread has its stack at another address."""
    starts = [hashlib.sha256(b"%d" % number).digest() for number in range(4000)]
    pieces = [start + start[:16] + bytes(24) for start in starts]
    pack = compression.packing(choice)

    here = [packed(pack, piece) for piece in pieces]
    with ThreadPoolExecutor(1) as pool:
        there = list(pool.map(lambda piece: packed(pack, piece), pieces))

    assert there == here
