"""Which paths an ignore file leaves out: what moby/patternmatcher's documentation and tests say, in other words."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.kubefile import ignore_file
from tests.unit.conftest import error_of, plant


@pytest.mark.parametrize(
    ("lines", "out", "kept"),
    [
        ("secret", ["secret", "secret/key"], ["a/secret", "secrets"]),
        ("/secret", ["secret"], ["a/secret"]),
        ("*.log", ["a.log"], ["a/b.log", "a.log.txt"]),
        ("**/*.log", ["a.log", "a/b.log", "a/b/c.log"], ["log"]),
        ("*/temp*", ["a/temp", "a/temporary", "a/temp/x"], ["temp", "a/b/temp"]),
        ("temp?", ["tempa", "tempa/x"], ["temp", "tempab", "temp/"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "b/a/z"]),
        ("docs/*\n!docs/README.md", ["docs/a.md", "docs/sub/x"], ["docs/README.md", "docs"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md"]),
        ("!x\nx", ["x"], ["y"]),
        ("# x\n\n  y  ", ["y"], ["# x", "x"]),
        ("a[0-9]\nb[^x]", ["a1", "by"], ["ab", "bx", "b/"]),
        ("\\*x", ["*x"], ["ax"]),
        ("./d/../e/", ["e", "e/f"], ["d"]),
        ("**", ["a", "a/b"], []),
        ("**\n!keep/**", ["a"], ["keep/a", "keep/b/c"]),
        (".", [], ["a"]),
    ],
)
def test_what_is_left_out(lines: str, out: list[str], kept: list[str]) -> None:
    found = ignore_file.parse(lines.splitlines(), "f")

    assert [path for path in out if not found.leaves_out(path)] == []
    assert [path for path in kept if found.leaves_out(path)] == []


def test_the_first_of_the_three_that_is_there_counts(tmp_path: Path) -> None:
    left_out = []
    for name, text in ((".none", ""), (".dockerignore", "a\n"), (".containerignore", "b\n"), (".sealignore", "c\n")):
        plant(tmp_path, {name: text})
        left_out.append([path for path in "abc" if ignore_file.read(tmp_path).leaves_out(path)])

    assert left_out == [[], ["a"], ["b"], ["c"]]


@pytest.mark.parametrize("text", ["\ufeffsecret\r\n*.key\r\n!a.key\r\n", "secret\n*.key\n!a.key"])
def test_a_file_of_windows_is_read_like_any_other(tmp_path: Path, text: str) -> None:
    plant(tmp_path, {".dockerignore": text})

    found = ignore_file.read(tmp_path)

    assert [path for path in ("secret", "b.key", "a.key", "secret\r") if found.leaves_out(path)] == ["secret", "b.key"]


def test_what_is_no_pattern_is_named_with_its_line(tmp_path: Path) -> None:
    plant(tmp_path, {".dockerignore": "a\nb[\n"})
    assert (
        error_of(ignore_file.read, tmp_path).problem
        == f"{tmp_path}/.dockerignore:2: 'b[' is no pattern: a bracket is not closed"
    )
    plant(tmp_path, {".dockerignore": b"\xff"})
    assert "not UTF-8" in error_of(ignore_file.read, tmp_path).problem
