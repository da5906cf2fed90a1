"""The pinned requirements: one version and its hashes each, within pyproject.toml's ranges, from any registry."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

FILES = ("run.txt", "test.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["dependency-groups"]["build"],
    *PROJECT["project"]["dependencies"],
]
ASKED = {"run.txt": RUN, "test.txt": [*RUN, *PROJECT["project"]["optional-dependencies"]["test"]]}
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.!+]+)(?: ; .+?)?(?: --hash=sha256:[0-9a-f]{64})+")


def entries(file: str) -> list[str]:
    """Return what is asked of pip, each on one line and without comments."""
    text = (ROOT / "requirements" / file).read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    return re.sub(r"\s*\\\n\s*", " ", text).splitlines()


def pins(file: str) -> list[re.Match[str]]:
    return [pin for entry in entries(file) if (pin := PIN.fullmatch(entry))]


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_to_one_version_and_its_content(file: str) -> None:
    assert [entry for entry in entries(file) if not PIN.fullmatch(entry)] == []
    assert pins(file)


@pytest.mark.parametrize("file", FILES)
def test_every_dependency_is_pinned_within_its_range(file: str) -> None:
    def pinned(asked: Requirement) -> bool:
        found = [
            pin["version"] for pin in pins(file) if canonicalize_name(pin["name"]) == canonicalize_name(asked.name)
        ]
        return bool(found) and all(asked.specifier.contains(version) for version in found)

    assert [asked for asked in ASKED[file] if not pinned(Requirement(asked))] == [], "make requirements"


def test_what_runs_is_what_was_tested() -> None:
    assert set(entries("run.txt")) <= set(entries("test.txt"))


@pytest.mark.parametrize("file", FILES)
def test_no_registry_and_no_path_of_a_machine_is_named(file: str) -> None:
    text = (ROOT / "requirements" / file).read_text()

    assert "://" not in text
    assert not re.search(r"(?<!\w)/\w|--(?!hash=)", text), "an absolute path or an option"
