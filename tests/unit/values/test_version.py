"""Versions and ranges as versions.toml writes them."""

from __future__ import annotations

import pytest

from clusterimage.values.version import Range, Version
from tests.unit.conftest import error_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v1.22.15", Version(1, 22, 15)),
        ("1.22.15", Version(1, 22, 15)),
        (" v1.22.15\n", Version(1, 22, 15)),
        ("v0.0.0", Version(0, 0, 0)),
        ("v1.37.100", Version(1, 37, 100)),
    ],
)
def test_a_version_is_read_with_or_without_its_v(text: str, expected: Version) -> None:
    assert Version.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "v", "1", "v1.22", "v1.22.15.1", "v1.22.x", "v1.22.15-rc.0", "v1.22.15+k3s1", "vv1.22.15", "latest"],
)
def test_anything_but_a_release_is_refused_by_name(text: str) -> None:
    error = error_of(Version.parse, text)

    assert error.problem == f"'{text}' is not a released version"
    assert error.hint == "write it like v1.22.15"


def test_versions_are_ordered_by_number() -> None:
    names = ["v1.10.0", "v1.9.10", "v1.9.9", "v2.0.0"]

    assert [str(version) for version in sorted(map(Version.parse, names))] == ["v1.9.9", "v1.9.10", "v1.10.0", "v2.0.0"]


def test_a_version_is_written_with_its_v_and_its_number_without() -> None:
    version = Version.parse("1.22.15")

    assert (str(version), version.number) == ("v1.22.15", "1.22.15")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", "v0.0.1 v1.22.15 v9.0.0", ""),
        ("<1.24", "v1.23.99 v0.1.0", "v1.24.0 v1.24.1"),
        ("<=1.24", "v1.24.0", "v1.24.1"),
        (">1.24", "v1.24.1 v1.25.0", "v1.24.0"),
        (">=1.24", "v1.24.0 v2.0.0", "v1.23.9"),
        ("==1.24.3", "v1.24.3", "v1.24.2 v1.24.4"),
        ("==1.24", "v1.24.0", "v1.24.1"),
        (">=1", "v1.0.0", "v0.9.9"),
        (">=1.15,<1.23", "v1.15.0 v1.22.17", "v1.14.9 v1.23.0"),
        (" >= v1.15 , < v1.23.2 ,", "v1.15.0 v1.23.1", "v1.23.2"),
    ],
)
def test_a_range_holds_where_all_its_comparisons_hold(text: str, inside: str, outside: str) -> None:
    held = Range.parse(text)

    assert all(held.holds(Version.parse(name)) for name in inside.split())
    assert not any(held.holds(Version.parse(name)) for name in outside.split())


@pytest.mark.parametrize("text", ["1.24", "=1.24", "~1.24", ">=", ">=1.x", "<1.24 >1.20", ">=1.15;<1.23", ">=1.2.3.4"])
def test_what_is_no_range_is_refused_by_name(text: str) -> None:
    error = error_of(Range.parse, text)

    assert error.problem == f"'{text}' is not a range"
    assert error.hint == "write it like >=1.15,<1.23"
