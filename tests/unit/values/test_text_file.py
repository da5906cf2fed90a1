"""Texts as editors write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.values import text_file
from tests.unit.conftest import error_of


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"a\nb\n", "a\nb\n"), (b"\xef\xbb\xbfa\r\nb\r\n", "a\nb\n"), (b"", ""), ("ü\ufeff".encode(), "ü\ufeff")],
)
def test_a_byte_order_mark_and_windows_line_ends_are_passed_over(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "f").write_bytes(data)

    assert text_file.read(tmp_path / "f") == text


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"\xff\xfea\0", "save it as UTF-8; it looks like UTF-16"), (b"caf\xe9", "save it as UTF-8")],
)
def test_another_encoding_is_named(tmp_path: Path, data: bytes, hint: str) -> None:
    (tmp_path / "f").write_bytes(data)

    error = error_of(text_file.read, tmp_path / "f")

    assert (error.problem, error.hint) == (f"{tmp_path}/f: not UTF-8 text", hint)
