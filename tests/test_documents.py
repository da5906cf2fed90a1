"""What the documents name is there: tests, and files of the project."""

from __future__ import annotations

import fnmatch
import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md")
# What a user may put there.
USERS_OWN = ("context/kubeadm.yml",)
TESTS = {
    name for path in ROOT.glob("tests/**/test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_is_there(document: str) -> None:
    named = re.findall(r"`(test_[\w…]+)`", (ROOT / document).read_text())

    assert named
    assert [name for name in named if not fnmatch.filter(TESTS, name.replace("…", "*"))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    named = re.findall(r"`((?:tests|tasks|clusterimage|context|data)/[\w./-]+)`", (ROOT / document).read_text())

    assert named
    assert [path for path in named if not (ROOT / path).exists() and path not in USERS_OWN] == []
