"""TOML with errors that name the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Version
from tests.unit.conftest import error_of


def table(**values: Any) -> Table:
    return Table("v.toml", values)


def load(root: Path, text: str) -> Table:
    path = root / "v.toml"
    path.write_text(text)
    return Table.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert error_of(Table.load, tmp_path / "none.toml").problem == f"{tmp_path}/none.toml: no such file"


def test_a_malformed_file_is_named_with_its_line(tmp_path: Path) -> None:
    error = error_of(load, tmp_path, "a = 1\nb = \n")

    assert error.problem.startswith(f"{tmp_path}/v.toml: not valid TOML: ")
    assert "line 2" in error.problem
    assert error.hint == "mend that line"


def test_a_file_that_is_no_text_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_bytes(b"a = '\xff'")

    assert error_of(Table.load, tmp_path / "v.toml").problem == f"{tmp_path}/v.toml: not UTF-8 text"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_bytes(b"\xef\xbb\xbf[a]\r\nb = '1'\r\n")

    assert Table.load(tmp_path / "v.toml").values == {"a": {"b": "1"}}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(str, "text"), (int, 7), (int, 0), (bool, False), (list, [1]), (dict, {"a": 1})],
)
def test_a_value_of_the_right_kind_is_returned(kind: type, value: object) -> None:
    assert table(key=value).get("key", kind) == value


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (str, 7, "must be a string, not 7"),
        (int, "7", "must be a whole number, not '7'"),
        (int, True, "must be a whole number, not True"),
        (int, 1.5, "must be a whole number, not 1.5"),
        (bool, 1, "must be true or false, not 1"),
        (list, "a", "must be a list, not 'a'"),
        (dict, [], "must be a table, not []"),
        (float, 1, "must be float, not 1"),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: type, value: object, problem: str) -> None:
    assert error_of(table(key=value).get, "key", kind).problem == f"v.toml: key: {problem}"


def test_a_key_without_default_must_be_there() -> None:
    assert error_of(table().text, "key").problem == "v.toml: key: is missing"
    assert error_of(table().texts, "key").problem == "v.toml: key: is missing"


def test_a_missing_key_is_its_default() -> None:
    assert table().text("key", "") == ""
    assert table().get("key", bool, False) is False
    assert table().texts("key", ()) == ()
    assert table().pairs("key") == ()
    assert table().table("key").values == {}
    assert list(table().tables("key")) == []
    assert list(table().named("key")) == []


@pytest.mark.parametrize(("value", "expected"), [(["a", "b"], ("a", "b")), ("a", ("a",)), ([], ())])
def test_one_string_counts_as_a_list_of_one(value: object, expected: tuple[str, ...]) -> None:
    assert table(key=value).texts("key") == expected


@pytest.mark.parametrize("value", [7, ["a", 7], {"a": "b"}, [["a"]]])
def test_a_list_of_strings_holds_nothing_else(value: object) -> None:
    assert error_of(table(key=value).texts, "key").problem == f"v.toml: key: must be a list of strings, not {value!r}"


def test_pairs_keep_the_order_of_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, '[key]\nz = "1"\na = "2"\n').pairs("key") == (("z", "1"), ("a", "2"))


def test_pairs_are_strings() -> None:
    assert error_of(table(key={"a": 1}).pairs, "key").problem == "v.toml: key.a: must be a string, not 1"


def test_an_error_names_the_whole_path_of_a_key(tmp_path: Path) -> None:
    top = load(tmp_path, "[[row]]\n[[row]]\n[row.sub]\nkey = 1\n")

    second = list(top.tables("row"))[1]

    expected = f"{tmp_path}/v.toml: row[1].sub.key: must be a string, not 1"
    assert error_of(second.table("sub").text, "key").problem == expected


def test_an_array_of_tables_holds_tables() -> None:
    assert error_of(list, table(row=[{}, 7]).tables("row")).problem == "v.toml: row[1]: must be a table"


def test_named_tables_come_with_their_names() -> None:
    assert [(name, one.values) for name, one in table(key={"b": {"x": 1}, "a": {}}).named("key")] == [
        ("b", {"x": 1}),
        ("a", {}),
    ]


def test_a_named_table_that_is_none_is_refused() -> None:
    assert error_of(list, table(key={"a": 1}).named("key")).problem == "v.toml: key.a: must be a table, not 1"


def test_what_a_parser_refuses_is_named_with_its_key() -> None:
    error = error_of(table(key="1.x").parse, "key", Version.parse)

    assert error.problem == "v.toml: key: '1.x' is not a released version"
    assert error.hint == "write it like v1.22.15"


def test_what_is_missing_is_named_once() -> None:
    assert error_of(table().parse, "key", Version.parse).problem == "v.toml: key: is missing"


def test_a_default_is_parsed_too() -> None:
    assert table().parse("key", Version.parse, "1.2.3") == Version(1, 2, 3)


def test_a_key_that_nobody_reads_is_refused_with_the_nearest() -> None:
    error = error_of(table(key="", versoin="").only, "key", "version")

    assert (error.problem, error.hint) == ("v.toml: versoin: is not a known key", "did you mean version?")


def test_known_keys_may_be_missing() -> None:
    table(key="").only("key", "other")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("dokcer", ("docker", "containerd"), "did you mean docker?"),
        ("zzz", ("docker", "containerd"), "known: docker, containerd"),
    ],
)
def test_the_hint_is_the_nearest_word_or_all_of_them(word: str, known: tuple[str, ...], hint: str) -> None:
    assert nearest(word, known) == hint
