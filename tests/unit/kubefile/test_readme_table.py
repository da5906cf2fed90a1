"""README's table of instructions: every row is read, or refused with what to do, as it says; and nothing is missing."""

from __future__ import annotations

import re

import pytest

from clusterimage import kubefile
from clusterimage.kubefile import flags
from clusterimage.kubefile.parse import UNSUPPORTED, VERBS
from clusterimage.storage.manifest import Entry
from tests.conftest import ROOT
from tests.unit.conftest import error_of

CONTEXT = (Entry("a.yaml", 0o644, 1, "0" * 64), Entry("run.sh", 0o755, 1, "0" * 64))
# A Kubefile for every name of the first column; other lines are needed by what they say.
EXAMPLES = {
    "FROM": "FROM scratch",
    "COPY": "FROM scratch\nCOPY [^r]* etc/",
    "ADD": "FROM scratch\nADD a.yaml etc/",
    "ARG": "ARG A=1\nFROM scratch\nARG B=$A",
    "ENV": "FROM scratch\nENV A=1 B=2",
    "LABEL": "FROM scratch\nLABEL a=b",
    "KUBEVERSION": "FROM scratch\nKUBEVERSION >=1.20",
    "MAINTAINER": "FROM scratch\nMAINTAINER me",
    "APP name local://…": "FROM scratch\nAPP a local://a.yaml",
    "CNI": "FROM scratch\nCNI a local://run.sh",
    "CSI": "FROM scratch\nCSI a local://a.yaml",
    "APPCMDS": 'FROM scratch\nAPP a local://a.yaml\nAPPCMDS a ["ls"]',
    "APPENV": "FROM scratch\nAPP a local://a.yaml\nAPPENV a K=v",
    "LAUNCH [..]": 'FROM scratch\nAPP a local://a.yaml\nLAUNCH ["a"]',
    "CMDS [..]": 'FROM scratch\nCMDS ["ls"]',
    "CMD": "FROM scratch\nCMD ls",
    "--chmod": "FROM scratch\nCOPY --chmod=0600 a.yaml etc/",
    "--chown": "FROM scratch\nCOPY --chown=root:0 a.yaml etc/",
    "--from": "FROM scratch\nCOPY --from=builder a.yaml etc/",
    "--platform": "FROM --platform=$BUILDPLATFORM scratch",
    "--exclude": "FROM scratch\nCOPY --exclude=*.sh . etc/",
    "--parents": "FROM scratch\nCOPY --parents a.yaml etc/",
    "--checksum": "FROM scratch\nADD --checksum=sha256:0 a.yaml etc/",
    "# escape=": "# escape=`\nFROM scratch\nCOPY a.yaml `\n  c:\\x",
    "COPY <<EOF": "FROM scratch\nCOPY <<EOF etc/x\nhello\nEOF",
    "$BUILDPLATFORM": "FROM scratch\nLABEL a=$BUILDPLATFORM",
}


def rows() -> dict[str, bool]:
    """Return the names of the table's first column, and whether their row begins with `refused`."""
    table = (ROOT / "README.md").read_text().partition("| instruction | what it does |")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: says.startswith("refused") for names, says in cells for name in re.findall("`([^`]+)`", names)}


def test_the_table_has_every_instruction_and_every_flag() -> None:
    named = {name.split()[0] for name in rows() if name.isupper() or name.split()[0].isupper()}

    assert named - {"#"} >= {*VERBS, *UNSUPPORTED}
    assert {name for name in rows() if name.startswith("--")} == {*flags.REFUSED, "--chmod", "--chown"}


@pytest.mark.parametrize("name", rows())
def test_every_row_of_readme_is_read_or_refused_as_it_says(name: str) -> None:
    text = EXAMPLES.get(name, f"FROM scratch\n{name} x")

    def make() -> None:
        kubefile.evaluate(kubefile.parse(text, "Kubefile"), CONTEXT, "amd64")

    if not rows()[name]:
        make()
        return
    error = error_of(make)
    assert re.fullmatch(r"Kubefile:[12]: [A-Z]+: .+", error.problem), error.problem
    assert name.split()[-1].strip("<") in error.problem or "here-documents" in error.problem
    assert error.hint
