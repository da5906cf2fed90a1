"""Trees of users: what is found in them, what is kept of modes, and what no image can hold."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from clusterimage.storage import own_tree
from tests.unit.conftest import error_of, plant


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (0o644, 0o644), (0o664, 0o644), (0o666, 0o644), (0o600, 0o600), (0o640, 0o640), (0o440, 0o440),
        (0o755, 0o755), (0o775, 0o755), (0o777, 0o755), (0o700, 0o700), (0o4755, 0o755), (0o2755, 0o755),
        (0o1755, 0o755), (0o000, 0o000),
    ],
)  # fmt: skip
def test_of_a_file_is_kept_who_reads_and_runs_it(mode: int, kept: int) -> None:
    assert own_tree.kept(stat.S_IFREG | mode) == kept


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (0o755, 0o755), (0o775, 0o755), (0o777, 0o755), (0o700, 0o700), (0o770, 0o750), (0o750, 0o750),
        (0o1777, 0o1777), (0o1770, 0o1770), (0o1755, 0o1755), (0o2775, 0o755), (0o3777, 0o1777), (0o500, 0o500),
    ],
)  # fmt: skip
def test_of_a_directory_too_and_a_sticky_one_is_as_it_is(mode: int, kept: int) -> None:
    assert own_tree.kept(stat.S_IFDIR | mode) == kept


def test_files_links_and_the_directories_of_which_there_is_something_to_say_are_found(tmp_path: Path) -> None:
    files = {"a/b/c": "12", "a/plain/x": "", "a/empty/": "", "a/closed/x": "", "up": "-> ../..", "round": "-> round"}
    plant(tmp_path, files | {"here": "-> a/b", "a/nowhere": "-> /none"})
    (tmp_path / "a/closed").chmod(0o700)

    found = {one.place: (one.mode, one.size, one.link, one.is_directory) for one in own_tree.walk(tmp_path)}

    assert found == {
        "a/b/c": (0o644, 2, "", False),
        "a/closed": (0o700, (tmp_path / "a/closed").stat().st_size, "", True),
        "a/closed/x": (0o644, 0, "", False),
        "a/empty": (0o755, (tmp_path / "a/empty").stat().st_size, "", True),
        "a/nowhere": (0o777, 0, "/none", False),
        "a/plain/x": (0o644, 0, "", False),
        "here": (0o777, 0, "a/b", False),
        "round": (0o777, 0, "round", False),
        "up": (0o777, 0, "../..", False),
    }


def test_a_pipe_a_socket_and_a_device_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
    for name, what in {"pipe": "a named pipe", "sock": "a socket", "/dev/null": "a device"}.items():
        assert error_of(own_tree.read, Path(name), "x").problem == f"{name}: is {what}, which no image can hold"
    assert "is a named pipe" in error_of(list, own_tree.walk(tmp_path)).problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_a_directory_that_may_not_be_looked_into_is_not_passed_over(tmp_path: Path) -> None:
    plant(tmp_path, {"a/b": ""})
    (tmp_path / "a").chmod(0)
    try:
        assert "you may not look into it" in error_of(list, own_tree.walk(tmp_path)).problem
    finally:
        (tmp_path / "a").chmod(0o755)
