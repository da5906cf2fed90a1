"""What stands for a file that nobody reads again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage.values import stamp


def _grow(path: Path) -> None:
    path.write_text("content and more")
    os.utime(path, (1, 1))


def _edit(path: Path) -> None:
    path.write_text("CONTENT")
    os.utime(path, (2, 2))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("CONTENT")
    os.utime(other, (1, 1))
    other.replace(path)


@pytest.mark.parametrize("change", [_grow, _edit, _replace])
def test_a_file_has_another_seal_when_it_was_written(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    os.utime(path, (1, 1))
    before = stamp.at(path)
    assert before == stamp.at(str(path)) == stamp.of(path.stat())

    change(path)

    assert stamp.at(path) != before


def test_a_link_is_sealed_as_what_it_leads_to_unless_it_is_not_followed(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("content")
    link.symlink_to("file")

    assert stamp.at(link) == stamp.at(file)
    assert stamp.at(link, follow=False) == stamp.of(link.lstat()) != stamp.at(file)


def test_what_is_not_there_has_no_seal(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")

    assert stamp.at(tmp_path / "nowhere") is None
    assert stamp.at(tmp_path / "dangling") is None and stamp.at(tmp_path / "dangling", follow=False) is not None
