"""imageList files: one image a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.context import imagelist
from tests.unit.conftest import error_of

TEXT = """# comment
docker.io/sealerio/lvscare:v1.1.3-beta.8

  "quay.io/tigera/operator:v1.25.3"   # the operator
'nginx'
nginx:latest
    # indented
"""


def listed(root: Path, text: str) -> list[str]:
    (root / "imageList").write_text(text)
    return [str(image) for image in imagelist.read(root / "imageList")]


def test_comments_blanks_and_quotes_do_not_count_and_every_image_comes_once(tmp_path: Path) -> None:
    assert listed(tmp_path, TEXT) == [
        "docker.io/sealerio/lvscare:v1.1.3-beta.8",
        "quay.io/tigera/operator:v1.25.3",
        "docker.io/library/nginx:latest",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", '""\n'])
def test_a_list_may_be_empty(tmp_path: Path, text: str) -> None:
    assert listed(tmp_path, text) == []


def test_windows_lines_are_lines(tmp_path: Path) -> None:
    assert listed(tmp_path, "nginx:1\r\nredis:2\r\n") == ["docker.io/library/nginx:1", "docker.io/library/redis:2"]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    error = error_of(listed, tmp_path, "nginx\n\nNginx:1\n")

    assert error.problem == f"{tmp_path}/imageList:3: image 'Nginx:1': bad repository 'library/Nginx'"
    assert error.hint == "one image a line, like quay.io/org/name:tag"


def test_two_images_on_a_line_are_refused(tmp_path: Path) -> None:
    assert "imageList:1: image 'nginx redis': bad repository" in error_of(listed, tmp_path, "nginx redis").problem


def test_a_missing_list_is_a_user_error(tmp_path: Path) -> None:
    assert error_of(imagelist.read, tmp_path / "none").problem == f"{tmp_path}/none: no such file"


def test_a_list_that_is_no_text_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "imageList").write_bytes(b"\xff\xfe")

    assert error_of(imagelist.read, tmp_path / "imageList").problem == f"{tmp_path}/imageList: not UTF-8 text"
