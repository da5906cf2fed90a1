"""Kubefiles: the lines, and what COPY means, on a context like that of our own images."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterimage import kubefile
from clusterimage.kubefile import Content
from clusterimage.storage.manifest import Entry
from tests.unit.conftest import HEX_A, error_of

CONTEXT = (
    Entry("amd64/bin/kubectl", 0o755, 1, HEX_A, part="kubernetes"),
    Entry("arm64/bin/kubectl", 0o755, 2, HEX_A, part="kubernetes"),
    Entry("calico.sh", 0o755, 3, HEX_A, part="cni"),
    Entry("custom.yaml", 0o644, 4, HEX_A, part="cni"),
    Entry("imageList", 0o644, 5, HEX_A, part="config"),
    Entry("rootfs/Kubefile", 0o644, 6, HEX_A, part="config"),
    Entry("rootfs/etc/link", 0o777, link="../Kubefile", part="config"),
    Entry("rootfs/manifests", 0o755, part="config"),
    Entry("rootfs/registry", 0o755, part="config"),
)


def evaluate(*lines: str, arch: str = "amd64") -> Content:
    instructions = kubefile.parse("\n".join(("FROM scratch", *lines)), "dir/Kubefile")
    return kubefile.evaluate(instructions, CONTEXT, arch)


def copied(*lines: str, arch: str = "amd64") -> dict[str, str]:
    """Return place in the image -> place in the context."""
    return {entry.path: source for entry, source in kubefile.entries(evaluate(*lines, arch=arch))}


# ------------------------------------------------------------------------------------------------------------- lines


def test_comments_blanks_and_indents_do_not_count() -> None:
    found = kubefile.parse("\n# FROM x\n  FROM scratch  \n\n\tLABEL a=b\n", "K")

    assert [(one.where, one.verb, one.words({})) for one in found] == [
        ("K:3", "FROM", ("scratch",)),
        ("K:5", "LABEL", ("a=b",)),
    ]


@pytest.mark.parametrize("verb", ["copy", "Copy", "COPY"])
def test_an_instruction_may_be_written_small(verb: str) -> None:
    assert copied(f"{verb} imageList x") == {"x": "imageList"}


@pytest.mark.parametrize("blank", [" ", "   ", "\t", " \t "])
def test_blanks_and_tabs_separate_words(blank: str) -> None:
    assert copied(f"COPY{blank}imageList{blank}x") == {"x": "imageList"}


def test_a_line_goes_on_behind_a_backslash_and_is_named_by_its_first() -> None:
    error = error_of(evaluate, "COPY \\", "# a comment within", "  none \\", "  x")

    assert error.problem == "dir/Kubefile:2: COPY: 'none' is not in the build context"


def test_a_backslash_at_the_end_of_the_file_loses_nothing() -> None:
    assert copied("COPY imageList x \\") == {"x": "imageList"}


def test_windows_lines_are_lines() -> None:
    found = kubefile.parse("FROM scratch\r\nLABEL a=b\r\n", "K")

    assert [one.words({}) for one in found] == [("scratch",), ("a=b",)]


def test_a_byte_order_mark_is_no_part_of_the_first_word() -> None:
    found = kubefile.parse("\ufeffFROM scratch\r\nLABEL a=b\r\n", "K")

    assert [(one.where, one.verb) for one in found] == [("K:1", "FROM"), ("K:2", "LABEL")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# escape=`\nFROM scratch\nLABEL a=b `\n  c=d`\n`\n e=f\n", "a=b c=d e=f"),
        ('#Escape = `\nFROM scratch\nLABEL a=x`" b=C:\\y\n', 'a=x" b=C:\\y'),
        ("# syntax=docker/dockerfile:1\n# escape=\\\nFROM scratch\nLABEL a=b \\\n c=d\n", "a=b c=d"),
        ("\ufeff# escape=`\r\nFROM scratch\r\nLABEL a=b `\r\n c=d\r\n", "a=b c=d"),
        ("# a word first\n# escape=`\nFROM scratch\nLABEL a=b \\\n c=d\n", "a=b c=d"),
        ("\n# escape=`\nFROM scratch\nLABEL a=b \\\n c=d\n", "a=b c=d"),
    ],
)
def test_a_directive_above_all_else_names_what_escapes(text: str, words: str) -> None:
    *_, label = kubefile.parse(text, "K")

    assert " ".join(label.words({})) == words


def test_what_cannot_escape_is_named() -> None:
    error = error_of(kubefile.parse, "# escape=^\nFROM scratch\n", "K")

    assert error.problem == "K:1: '^' cannot be what escapes"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["COPY --chmod=600 imageList x"], {"x": 0o600}),
        (["COPY --chown=0:0 --chmod=0400 imageList x"], {"x": 0o400}),
        (["COPY --chmod=0666 imageList x"], {"x": 0o666}),
        (["ADD --chmod=700 rootfs x"], {"x/Kubefile": 0o700, "x/etc": 0o700, "x/etc/link": 0o777, "x/manifests": 0o700,
                                        "x/registry": 0o700}),
        (["COPY --chmod=755 rootfs/etc x"], {"x/link": 0o777}),
        (['COPY --chmod=640 ["imageList", "x y"]'], {"x y": 0o640}),
        (["ARG MODE=640", "COPY --chmod=$MODE imageList x"], {"x": 0o640}),
    ],
)  # fmt: skip
def test_chmod_is_the_mode_of_files_and_of_directories_within(lines: list[str], expected: dict[str, int]) -> None:
    assert {entry.path: entry.mode for entry, _ in kubefile.entries(evaluate(*lines))} == expected


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        ("COPPY a b", "unknown instruction 'COPPY'", "did you mean COPY?"),
        ("FROM", "FROM: needs at least one word", ""),
        ("COPY rootfs", "COPY: needs a source and a destination", "write COPY SOURCE DESTINATION"),
        ("COPY root .", "COPY: 'root' is not in the build context", ""),
        ("COPY ${ARCH}/none .", "COPY: 'amd64/none' is not in the build context", ""),
        ("COPY rootfs a/../../x", "COPY: 'a/../../x' leaves the image", ""),
        ("LABEL =b", "LABEL: '=b' is not key=value", ""),
        ("LABEL a = b", "LABEL: 'a' is not key=value", "write a=value"),
        ("CNI a/b local://calico.sh", "CNI: 'a/b' cannot be the name of an application", ""),
        ("LAUNCH 7", "LAUNCH: '7' is not a JSON list of strings", 'write LAUNCH ["one", "two"]'),
        ("LAUNCH null", "LAUNCH: 'null' is not a JSON list of strings", ""),
        ('LAUNCH "calico"', "LAUNCH: '\"calico\"' is not a JSON list of strings", ""),
        ('LAUNCH {"calico": 1}', "LAUNCH: '{\"calico\": 1}' is not a JSON list of strings", ""),
        ("LAUNCH [7]", "LAUNCH: '[7]' is not a JSON list of strings", ""),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(line: str, problem: str, hint: str) -> None:
    error = error_of(evaluate, line)

    assert error.problem == f"dir/Kubefile:2: {problem}"
    assert error.hint == hint or not hint


def test_an_application_is_launched_by_its_name() -> None:
    error = error_of(evaluate, "CNI calico local://calico.sh", 'LAUNCH ["calcio"]')

    assert error.problem == "dir/Kubefile:3: LAUNCH: 'calcio' is no application of this image"
    assert error.hint == "did you mean calico?"


# -------------------------------------------------------------------------------------------------------------- COPY


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["COPY imageList x"], {"x": "imageList"}),
        (["COPY imageList ."], {"imageList": "imageList"}),
        (["COPY imageList ./"], {"imageList": "imageList"}),
        (["COPY imageList /"], {"imageList": "imageList"}),
        (["COPY imageList /x"], {"x": "imageList"}),
        (["COPY imageList ./a/x"], {"a/x": "imageList"}),
        (["COPY imageList a/"], {"a/imageList": "imageList"}),
        (["COPY ./imageList a/"], {"a/imageList": "imageList"}),
        (['COPY "imageList" "a b/"'], {"a b/imageList": "imageList"}),
        (["COPY rootfs/Kubefile a"], {"a": "rootfs/Kubefile"}),
        (["COPY imageList calico.sh a/"], {"a/imageList": "imageList", "a/calico.sh": "calico.sh"}),
        (["COPY imageList a/", "COPY calico.sh a"], {"a/imageList": "imageList", "a/calico.sh": "calico.sh"}),
        (["COPY amd64 ."], {"bin/kubectl": "amd64/bin/kubectl"}),
        (["COPY amd64/ a"], {"a/bin/kubectl": "amd64/bin/kubectl"}),
        (["COPY amd64/bin ."], {"kubectl": "amd64/bin/kubectl"}),
        (["COPY ${ARCH} ."], {"bin/kubectl": "amd64/bin/kubectl"}),
        (["COPY $ARCH/bin/kubectl a/"], {"a/kubectl": "amd64/bin/kubectl"}),
        (["COPY imageList a", "COPY calico.sh a"], {"a": "calico.sh"}),
        (["COPY amd64 .", "COPY arm64 ."], {"bin/kubectl": "arm64/bin/kubectl"}),
    ],
)
def test_copy_puts_a_file_where_docker_puts_it(lines: list[str], expected: dict[str, str]) -> None:
    assert copied(*lines) == expected


def test_a_directory_is_copied_with_links_and_empty_directories() -> None:
    assert copied("COPY rootfs .") == {
        "Kubefile": "rootfs/Kubefile",
        "etc/link": "rootfs/etc/link",
        "manifests": "rootfs/manifests",
        "registry": "rootfs/registry",
    }


def test_a_file_goes_into_an_empty_directory_that_was_copied_before() -> None:
    found = copied("COPY rootfs .", "COPY imageList manifests")

    assert found["manifests/imageList"] == "imageList"
    assert "manifests" not in found


def test_the_whole_context_can_be_copied() -> None:
    assert copied("COPY . all") == {f"all/{entry.path}": entry.path for entry in CONTEXT}


def test_the_architecture_chooses_the_source() -> None:
    assert copied("COPY ${ARCH} .", arch="arm64") == {"bin/kubectl": "arm64/bin/kubectl"}


def test_an_entry_keeps_its_mode_its_link_and_its_part() -> None:
    found = {entry.path: entry for entry, _ in kubefile.entries(evaluate("COPY amd64 .", "COPY rootfs r"))}

    assert found["bin/kubectl"] == Entry("bin/kubectl", 0o755, 1, HEX_A, part="kubernetes")
    assert found["r/etc/link"] == Entry("r/etc/link", 0o777, link="../Kubefile", part="config")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("COPY imageList a", "COPY amd64 a"), "'a/bin/kubectl' lies below the file 'a'"),
        (("COPY imageList a", "COPY calico.sh a/b/"), "'a/b/calico.sh' lies below the file 'a'"),
        (("COPY rootfs .", "COPY calico.sh etc/link/"), "'etc/link/calico.sh' lies below the file 'etc/link'"),
        (("COPY amd64 Kubefile", "COPY rootfs ."), "'Kubefile' is a directory already"),
    ],
)
def test_a_place_is_a_file_or_a_directory(lines: tuple[str, ...], problem: str) -> None:
    error = error_of(evaluate, *lines)

    assert error.problem == f"dir/Kubefile:{len(lines) + 1}: COPY: {problem}"


# ------------------------------------------------------------------------------------------------------- what it says


def test_labels_are_kept_and_the_last_wins() -> None:
    content = evaluate('LABEL "a b"="c=d" e=', "LABEL f='x y' e=1")

    assert content.labels == {"a b": "c=d", "e": "1", "f": "x y"}


def test_a_network_is_an_application_with_a_label() -> None:
    content = evaluate("CNI calico local://calico.sh", 'LAUNCH ["calico"]')

    assert {place: entry.path for place, entry in content.tree.items()} == {
        "application/apps/calico/calico.sh": "calico.sh"
    }
    assert content.labels == {"cluster.alpha.sealer.io/kube-cni-calico": "true"}


def extension(*lines: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(kubefile.extension(evaluate(*lines), "clusterimage 1")))
    return made


def test_the_extension_is_what_sealer_reads() -> None:
    assert extension("CNI calico local://calico.sh", 'LAUNCH ["calico"]') == {
        "buildClient": {"sealerVersion": "clusterimage 1", "buildahVersion": ""},
        "schemaVersion": "v1alpha1",
        "type": "app-installer",
        "applications": [{"name": "calico", "type": "shell", "files": ["calico.sh"], "version": "v1"}],
        "launch": {"app_names": ["calico"]},
    }


def test_without_an_application_nothing_is_launched() -> None:
    made = extension()

    assert (made["applications"], made["launch"]) == ([], {})


def test_a_manifest_is_an_application_of_kind_kube() -> None:
    assert extension("CNI c local://custom.yaml")["applications"] == [
        {"name": "c", "type": "kube", "files": ["custom.yaml"], "version": "v1"}
    ]
