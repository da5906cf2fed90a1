"""JSON, TOML and YAML that is shipped: what its program could not read is found before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clusterimage.context import documents, rendering
from clusterimage.values import yaml_loader
from tests.unit.conftest import error_of

MARK = "\ufeff"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("daemon.json", '{"a": [1, 2]}'),
        ("config.toml", 'version = 2\r\n[plugins."io.containerd.grpc.v1.cri"]\r\n'),
        ("a.yaml", "a: 1\n---\nb: !Custom {c: *d, e: &d 1}\n".replace("*d", "1")),
        ("a.YML", f"{MARK}a: [1,\n  2]\n"),
        ("chart.yaml", "a: {{ .Values.a }}\nb: [\n"),
        ("daemon.json", '{"registry": "{{ .RegistryURL }}"'),
        ("notes.txt", "{"),
        ("empty.json", ""),
    ],
)
def test_what_can_be_read_or_is_none_of_these(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    documents.check(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("daemon.json", '{"a": 1,}', "line 1 column 9"),
        ("daemon.JSON", "{'a': 1}", "line 1 column 2"),
        ("daemon.json", f"{MARK}{{}}", "it begins with a byte order mark"),
        ("config.toml", "version = 2\nroot = /var\n", "line 2"),
        ("config.toml", f"{MARK}a = 1\n", "it begins with a byte order mark"),
        ("a.yaml", "a: 1\n b: 2\n", "line 2"),
        ("a.yml", "a:\n\t- b\n", "line 2"),
        ("a.yml", "a: 1\nb: *nowhere\n", "line 2"),
        ("a.yaml", "a: 1\n---\nb: [\n", "line 3"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)

    error = error_of(documents.check, tmp_path / name)

    assert error.problem.startswith(f"{tmp_path}/{name}: its program cannot read it: ")
    assert says in error.problem and "\n" not in error.problem and error.hint


def test_what_is_checked_is_what_can_be_read() -> None:
    assert [name for name in rendering.CHECKED if not documents.problem(f"x{name}", "]")] == []


def test_yaml_is_read_by_libyaml_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, 2020-01-01]\nb: &x {c: yes}\nd: *x\n"
    with_it = yaml.load(text, yaml_loader.safe())

    assert yaml_loader.safe() is (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert yaml_loader.safe() is yaml.SafeLoader
    assert yaml.load(text, yaml_loader.safe()) == with_it
