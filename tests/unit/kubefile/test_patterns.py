"""Patterns: what the documentation and the tests of Go's path/filepath say of Match, in other words."""

from __future__ import annotations

import pytest

from clusterimage.kubefile import patterns
from clusterimage.kubefile.patterns import BadPatternError


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("abc", ["abc"], ["ab", "abcd"]),
        ("*", ["abc", ".hidden", ""], ["a/b"]),
        ("a*c", ["ac", "abc", "a.c"], ["a/c", "acd"]),
        ("a**c", ["ac", "abbc"], ["a/c"]),
        ("a?c", ["abc", "aüc"], ["ac", "a/c"]),
        ("a[bc]", ["ab", "ac"], ["ad", "abc"]),
        ("a[^bc]", ["ad"], ["ab", "a/"]),
        ("a[!b]", ["a!", "ab"], ["ac"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[^a-c]x", ["dx"], ["bx"]),
        ("[c-a]x", [], ["ax", "bx", "cx", "-x"]),
        ("[\\]]", ["]"], ["\\"]),
        ("[\\-x]", ["-", "x"], ["y"]),
        ("[[]", ["["], ["[["]),
        ("[&&~~||]", ["&", "~", "|"], ["a"]),
        ("\\*x", ["*x"], ["ax", "\\*x"]),
        ("\\[a]", ["[a]"], ["a"]),
        ("a]", ["a]"], ["a"]),
        ("a.b$", ["a.b$"], ["axb$", "a.b"]),
        ("a\nb", ["a\nb"], ["a b"]),
    ],
)
def test_what_matches(pattern: str, yes: list[str], no: list[str]) -> None:
    expression = patterns.compiled(pattern)

    assert [text for text in yes if not expression.fullmatch(text)] == []
    assert [text for text in no if expression.fullmatch(text)] == []


@pytest.mark.parametrize("pattern", ["[", "a[", "[]a]", "[^]", "[a-]", "[-a]", "a\\", "[a\\", "[^bc", "[a-b-c]"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        patterns.compiled(pattern)
