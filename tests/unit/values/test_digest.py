"""Digests as values, and hashing on the way."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from clusterimage.values.digest import CHUNK, Digest, Hasher, of_bytes, of_file
from tests.unit.conftest import HEX_A, error_of

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("text", [HEX_A, f"sha256:{HEX_A}"])
def test_a_digest_is_read_with_or_without_its_algorithm(text: str) -> None:
    assert str(Digest.parse(text)) == f"sha256:{HEX_A}"


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", HEX_A[1:], HEX_A + "a", HEX_A.upper(), "g" * 64, f"sha512:{HEX_A * 2}", f" {HEX_A}"],
)
def test_anything_but_a_sha256_is_refused_by_name(text: str) -> None:
    assert error_of(Digest.parse, text).problem == f"'{text}' is not a sha256 digest"


def test_bytes_and_file_have_the_digest_of_their_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")

    assert of_bytes(b"").hex == EMPTY
    assert of_file(path) == of_bytes(b"content") == Digest(hashlib.sha256(b"content").hexdigest())


def test_a_hasher_counts_what_it_hashes() -> None:
    hasher = Hasher()
    before = hasher.digest

    hasher.update(b"one")
    hasher.update(memoryview(b"two"))

    assert before.hex == EMPTY
    assert (hasher.digest, hasher.size) == (of_bytes(b"onetwo"), 6)


def test_a_hasher_reads_a_stream_to_its_end() -> None:
    data = b"x" * (CHUNK + 1)
    hasher = Hasher()

    hasher.read(io.BytesIO(data))

    assert (hasher.digest, hasher.size) == (of_bytes(data), len(data))


def test_digests_are_ordered_and_hashable() -> None:
    assert sorted({Digest("b" * 64), Digest("a" * 64), Digest("a" * 64)}) == [Digest("a" * 64), Digest("b" * 64)]
