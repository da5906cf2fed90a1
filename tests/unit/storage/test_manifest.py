"""The manifest of a tree: what it says, and that a damaged one is noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterimage.storage import manifest
from clusterimage.storage.manifest import Entry
from clusterimage.values.digest import of_bytes
from tests.conftest import ROOT
from tests.unit.conftest import HEX_A, error_of, plant

ENTRIES = (
    Entry("bin/kubectl", 0o755, 42, HEX_A, part="kubernetes"),
    Entry("etc/link", 0o777, link="../bin/kubectl", part="config"),
    Entry("registry", 0o755, part=""),
    Entry("with blank", 0o644, 0, HEX_A, part="config"),
)
LINES = (
    f"0755\t42\t{HEX_A}\tkubernetes\tbin/kubectl",
    "0777\t0\t-\tconfig\tetc/link\t../bin/kubectl",
    "0755\t0\t-\t-\tregistry",
    f"0644\t0\t{HEX_A}\tconfig\twith blank",
)


@pytest.mark.parametrize(("entry", "line"), list(zip(ENTRIES, LINES, strict=True)))
def test_an_entry_is_one_line_and_is_read_back(entry: Entry, line: str) -> None:
    assert entry.line() == line
    assert Entry.parse(line) == entry


def test_only_an_entry_without_content_and_target_is_a_directory() -> None:
    assert [entry.is_directory for entry in ENTRIES] == [False, False, True, False]


def test_a_manifest_is_sorted_whatever_the_order(tmp_path: Path) -> None:
    manifest.write(tmp_path / "m", reversed(ENTRIES))

    assert (tmp_path / "m").read_text() == "".join(f"{line}\n" for line in LINES)
    assert manifest.read(tmp_path / "m") == ENTRIES


def test_the_manifest_of_nothing_is_empty(tmp_path: Path) -> None:
    manifest.write(tmp_path / "m", ())

    assert (tmp_path / "m").read_bytes() == b""
    assert manifest.read(tmp_path / "m") == ()


@pytest.mark.parametrize(
    "content", [b"0755\t42\n", b"rwx\t1\t-\t-\tname\n", b"0755\tmany\t-\t-\tname\n", b"\n", b"0755\t1\t-\t-\t\xff\n"]
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)

    error = error_of(manifest.read, tmp_path / "m")

    assert (error.problem, error.hint) == (f"{tmp_path}/m: damaged manifest", "delete it and build again")


def test_a_scan_describes_files_links_and_empty_directories(tmp_path: Path) -> None:
    plant(tmp_path, {"a/run": "x", "a/link": "-> /nowhere", "empty/inner/": "", "z": ""})
    (tmp_path / "a" / "run").chmod(0o755)
    (tmp_path / "z").chmod(0o600)

    assert manifest.scan(tmp_path, part="tools") == (
        Entry("a/link", 0o777, link="/nowhere", part="tools"),
        Entry("a/run", 0o755, 1, of_bytes(b"x").hex, part="tools"),
        Entry("empty/inner", 0o755, part="tools"),
        Entry("z", 0o600, 0, of_bytes(b"").hex, part="tools"),
    )


def test_a_scan_does_not_follow_links_to_directories(tmp_path: Path) -> None:
    plant(tmp_path, {"outside/secret": "x", "tree/link": "-> ../outside", "tree/file": ""})

    assert [entry.path for entry in manifest.scan(tmp_path / "tree")] == ["file", "link"]


def test_a_digest_that_is_known_is_not_made_again(tmp_path: Path) -> None:
    plant(tmp_path, {"file": "x"})

    assert manifest.scan(tmp_path, known={"file": HEX_A}) == (Entry("file", 0o644, 1, HEX_A),)


@pytest.mark.parametrize(
    ("path", "link", "shown"),
    [
        ("tab\there", "", r"'tab\there'"),
        ("line\nfeed", "", r"'line\nfeed'"),
        ("odd\udcff", "", r"'odd\udcff'"),
        ("link", "to\nnowhere", "'link'"),
        ("link", "odd\udcff", "'link'"),
    ],
)
def test_a_name_that_breaks_a_line_is_refused(tmp_path: Path, path: str, link: str, shown: str) -> None:
    plant(tmp_path / "tree", {path: f"-> {link}" if link else "x"})

    error = error_of(manifest.write, tmp_path / "m", manifest.scan(tmp_path / "tree"))

    assert error.problem == f"{shown}: a name or target with control characters cannot be shipped"
    assert error.hint == "rename it"
    assert not (tmp_path / "m").exists()


ROUND_TRIP = r"""
import sys
from pathlib import Path
from clusterimage.storage import manifest
path, entry = Path(sys.argv[1]), manifest.Entry("n\u00e4me", 0o644, 1, "a" * 64)
manifest.write(path, [entry])
assert manifest.read(path) == (entry,)
"""


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}

    subprocess.run([sys.executable, "-c", ROUND_TRIP, tmp_path / "m"], env=os.environ | ascii_only, check=True)

    assert manifest.read(tmp_path / "m")[0].path == "näme"
