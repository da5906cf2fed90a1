"""Links and modes of a build context, as buildah takes them: a source is followed, what lies in a tree is not."""

from __future__ import annotations

import pytest

from clusterimage import kubefile
from clusterimage.kubefile import Inherited, ignore_file
from clusterimage.storage.manifest import Entry
from tests.unit.conftest import error_of

LINKS = {
    "now": "v2/run.sh", "today": "./now", "current": "v2", "root": "/v2/run.sh", "up": "../../v2/run.sh",
    "broken": "v3/run.sh", "round": "about", "about": "round", "self": "self", "v2/latest": "run.sh",
    "v2/outside": "../../etc/passwd", "v2/dead": "/usr/share/nowhere", "v2/conf": "conf.d",
}  # fmt: skip
FILES = ("v2/run.sh", "v2/conf.d/a", "plain", "shut/key", "wide/x")
CONTEXT = (
    *(Entry(path, 0o644, 1, "0" * 64) for path in FILES),
    *(Entry(path, 0o777, link=link) for path, link in LINKS.items()),
    *(Entry("shut", 0o700), Entry("shut/tmp", 0o1777), Entry("v2/conf.d", 0o750), Entry("hollow", 0o700)),
)
TREE = {
    "run.sh": "v2/run.sh", "conf.d": "v2/conf.d", "conf.d/a": "v2/conf.d/a", "latest": "v2/latest",
    "outside": "v2/outside", "dead": "v2/dead", "conf": "v2/conf",
}  # fmt: skip


def evaluated(*lines: str, base: Inherited | None = None) -> dict[str, tuple[str, Entry]]:
    instructions = kubefile.parse("\n".join(("FROM scratch", *lines)), "Kubefile")
    content = kubefile.evaluate(instructions, CONTEXT, "amd64", base)
    return {entry.path: (source, entry) for entry, source in kubefile.entries(content)}


def copied(*lines: str) -> dict[str, str]:
    return {place: source for place, (source, _) in evaluated(*lines).items()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY now bin/", {"bin/now": "v2/run.sh"}),
        ("COPY now bin/x", {"bin/x": "v2/run.sh"}),
        ("COPY today bin/", {"bin/today": "v2/run.sh"}),
        ("COPY root bin/", {"bin/root": "v2/run.sh"}),
        ("COPY up bin/", {"bin/up": "v2/run.sh"}),
        ("COPY current/run.sh bin/", {"bin/run.sh": "v2/run.sh"}),
        ("COPY current/conf/a etc/", {"etc/a": "v2/conf.d/a"}),
        ("COPY current/r* bin/", {"bin/run.sh": "v2/run.sh"}),
        ("COPY */run.sh bin/", {"bin/run.sh": "v2/run.sh"}),
        ("COPY v2/l* bin/", {"bin/latest": "v2/run.sh"}),
        ("COPY current .", TREE),
        ("COPY v2 .", TREE),
        ("ADD current .", TREE),
        ('APP a local://now\nAPPCMDS a ["sh now"]', {"application/apps/a/now": "v2/run.sh"}),
        ('APP a local://current/conf\nAPPCMDS a ["ls"]', {"application/apps/a/a": "v2/conf.d/a"}),
    ],
)
def test_a_link_that_is_named_is_followed_and_others_stay_links(line: str, expected: dict[str, str]) -> None:
    assert copied(line) == expected


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("COPY broken bin/", "'broken' leads to v3/run.sh, which is not in the build context"),
        ("COPY v2/dead bin/", "'v2/dead' leads to /usr/share/nowhere, which is not in the build context"),
        ("COPY v2/outside etc/", "'v2/outside' leads to ../../etc/passwd, which is not in the build context"),
        ("COPY v2/o* etc/", "'v2/o*' leads to ../../etc/passwd, which is not in the build context"),
        ("COPY round etc/", "'round' leads in a circle of links"),
        ("COPY self/x etc/", "'self/x' leads in a circle of links"),
        ("APP a local://broken", "'broken' leads to v3/run.sh, which is not in the build context"),
    ],
)
def test_where_a_link_leads_nowhere_that_is_said(line: str, problem: str) -> None:
    error = error_of(evaluated, line)

    assert error.problem == f"Kubefile:2: {line.split()[0]}: {problem}"
    assert error.hint


def test_what_a_link_leads_to_is_used_and_so_is_the_link() -> None:
    instructions = kubefile.parse("FROM scratch\nCOPY today current/conf/a etc/", "Kubefile")

    needed, _ = kubefile.used(instructions, CONTEXT, "amd64", {})

    assert needed == {"today", "now", "v2/run.sh", "current", "v2/conf", "v2/conf.d/a"}


@pytest.mark.parametrize("source", ["secret/key", "link"])
def test_what_the_ignore_file_leaves_out_is_said_to_be_that(source: str) -> None:
    ignored = ignore_file.parse(["secret"], ".dockerignore")
    instructions = kubefile.parse(f"FROM scratch\nCOPY {source} etc/", "Kubefile")
    context = (Entry("link", 0o777, link="secret/key"), Entry("a", 0o644, 1, "0" * 64))

    error = error_of(kubefile.used, instructions, context, "amd64", {}, ignored)

    assert error.problem == f"Kubefile:2: COPY: '{source}' is left out by .dockerignore"
    assert error.hint == "take it back in there: !secret/key"


def modes(*lines: str, base: Inherited | None = None) -> dict[str, int]:
    return {place: entry.mode for place, (_, entry) in evaluated(*lines, base=base).items() if entry.is_directory}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("COPY . x",), {"x/shut": 0o700, "x/shut/tmp": 0o1777, "x/v2/conf.d": 0o750, "x/hollow": 0o700}),
        (("COPY shut x",), {"x/tmp": 0o1777}),
        (("COPY hollow x",), {"x": 0o755}),
        (("COPY shut/key x/shut/",), {}),
        (("COPY . x", "COPY wide x/shut/tmp"), {"x/shut": 0o700, "x/shut/tmp": 0o1777, "x/v2/conf.d": 0o750,
                                                "x/hollow": 0o700}),
        (("COPY v2 x/a", "COPY v2/conf.d x/a/conf.d"), {"x/a/conf.d": 0o750}),
    ],
)  # fmt: skip
def test_directories_within_a_tree_keep_their_mode(lines: tuple[str, ...], expected: dict[str, int]) -> None:
    assert modes(*lines) == expected


def test_a_tree_that_is_copied_over_another_brings_its_modes() -> None:
    plain = (*CONTEXT, Entry("other/conf.d/b", 0o644, 1, "0" * 64))
    instructions = kubefile.parse("FROM scratch\nCOPY v2 x\nCOPY other x", "Kubefile")

    content = kubefile.evaluate(instructions, plain, "amd64")

    assert not [entry for entry, _ in kubefile.entries(content) if entry.is_directory]
