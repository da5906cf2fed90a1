"""Templates: what is undefined is named with file and line, ranks decide, modes stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusterimage.context import template
from clusterimage.context.template import Template
from clusterimage.storage import manifest
from tests.unit.conftest import error_of, plant, texts


def render(root: Path, text: str | bytes, **variables: Any) -> None:
    plant(root, {"in.j2": text})
    template.render((Template(root / "in.j2", "out"),), variables, {}, root / "tree")


def rendered(root: Path, text: str, **variables: Any) -> str:
    render(root, text, **variables)
    return texts(root / "tree")["out"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k8s {{ k8s }}\n", "k8s v1.22.15\n"),
        ("no newline at the end {{ k8s }}", "no newline at the end v1.22.15"),
        ("a\n{% if k8s %}\nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        ("a\n  {% for image in images %}\n- {{ image }}\n  {% endfor %}\n", "a\n- x\n- y\n"),
        ("<&\"'> {{ markup }}\n", "<&\"'> <&>\n"),
        ("", ""),
        ("Go: {{ '{{' }}or .Name{{ '}}' }}\n", "Go: {{or .Name}}\n"),
    ],
)
def test_text_comes_out_as_it_is_meant(tmp_path: Path, text: str, expected: str) -> None:
    assert rendered(tmp_path, text, k8s="v1.22.15", images=("x", "y"), markup="<&>") == expected


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("a\nb\n{{ k8 }}\n", ":3", "'k8' is undefined"),
        ("{{ one }}\n{% if two %}\n{{ deep.er }}\n{% endif %}\n", ":3", "'dict object' has no attribute 'er'"),
        ("a\n{% if %}\n", ":2", "Expected an expression, got 'end of statement block'"),
        ("a\n\n{% fi %}\n", ":3", "Encountered unknown tag 'fi'."),
        ("{{ one | nosuch }}\n", ":1", "No filter named 'nosuch'."),
        ("a\n{{ one\n", ":2", "unexpected end of template"),
        ("a\n{{ one / 0 }}\n", ":2", "division by zero"),
        ("a\n{{ one + 'x' }}\n", ":2", "unsupported operand type"),
        ("a\n{% include 'x' %}\n", ":2", "no loader for this environment specified"),
        ("a\n{{ ''.join([1]) }}\n", ":2", "sequence item 0: expected str instance, int found"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, text: str, where: str, problem: str) -> None:
    error = error_of(render, tmp_path, text, one=1, two=True, deep={})

    assert error.problem.startswith(f"{tmp_path}/in.j2{where}: {problem}")
    assert error.hint == "the variables are listed in CONTRIBUTING.md"


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    error = error_of(render, tmp_path, b"\xff")

    assert error.problem == f"{tmp_path}/in.j2: not UTF-8 text"
    assert error.hint == "drop the .j2 to copy it as it is"


def test_a_template_that_fails_leaves_neither_tree_nor_manifest(tmp_path: Path) -> None:
    error_of(render, tmp_path, "{{ nothing }}")

    assert list(texts(tmp_path)) == ["in.j2"]


@pytest.mark.parametrize(("mode", "expected"), [(0o755, 0o755), (0o700, 0o755), (0o644, 0o644), (0o600, 0o644)])
def test_a_file_is_executable_where_its_template_is(tmp_path: Path, mode: int, expected: int) -> None:
    (plant(tmp_path, {"in.j2": "x"}) / "in.j2").chmod(mode)

    template.render((Template(tmp_path / "in.j2", "out"),), {}, {}, tmp_path / "tree")

    assert (tmp_path / "tree" / "out").stat().st_mode & 0o777 == expected
    assert manifest.read(tmp_path / "tree.manifest")[0].mode == expected


def test_texts_lie_beside_templates_as_they_are(tmp_path: Path) -> None:
    plant(tmp_path, {"in.j2": "{{ x }}"})

    template.render(
        (Template(tmp_path / "in.j2", "etc/out"),), {"x": 1}, {"imageList": "{{ no template }}\n"}, tmp_path / "tree"
    )

    assert texts(tmp_path / "tree") == {"etc/out": "1", "imageList": "{{ no template }}\n"}
    assert manifest.read(tmp_path / "tree.manifest") == manifest.scan(tmp_path / "tree", part="config")


@pytest.mark.parametrize("ranks", [(0, 1), (1, 0)])
def test_of_two_templates_for_a_place_the_higher_rank_is_rendered(tmp_path: Path, ranks: tuple[int, int]) -> None:
    plant(tmp_path, {"0.j2": "low", "1.j2": "high"})
    templates = tuple(Template(tmp_path / f"{rank}.j2", "out", rank=rank) for rank in ranks)

    template.render(templates, {}, {}, tmp_path / "tree")

    assert texts(tmp_path / "tree") == {"out": "high"}


def test_two_templates_of_one_rank_for_a_place_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, {"a.j2": "1", "b.j2": "2"})
    templates = (Template(tmp_path / "a.j2", "out"), Template(tmp_path / "b.j2", "out"))

    error = error_of(template.render, templates, {}, {}, tmp_path / "tree")

    assert error.problem == f"out: both {tmp_path}/a.j2 and {tmp_path}/b.j2 bring it, with different content"


def test_one_template_for_two_architectures_knows_which_it_is_for(tmp_path: Path) -> None:
    plant(tmp_path, {"in.j2": "{{ arch }}"})
    templates = tuple(Template(tmp_path / "in.j2", f"{arch}/out", arch) for arch in ("amd64", "arm64"))

    template.render(templates, {}, {}, tmp_path / "tree")

    assert texts(tmp_path / "tree") == {"amd64/out": "amd64", "arm64/out": "arm64"}


def test_outside_of_platform_no_architecture_is_known(tmp_path: Path) -> None:
    assert "'arch' is undefined" in error_of(render, tmp_path, "{{ arch }}").problem


@pytest.mark.parametrize("place", ["../out", "/out"])
def test_nothing_is_rendered_outside_of_the_tree(tmp_path: Path, place: str) -> None:
    plant(tmp_path, {"in.j2": "x"})

    for templates, more in (((Template(tmp_path / "in.j2", place),), {}), ((), {place: "x"})):
        error = error_of(template.render, templates, {}, more, tmp_path / "deep" / "tree")

        assert error.problem == f"'{place}': leaves the tree that it is written to"


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    render(tmp_path, "{{ x }}", x=1)
    first = (tmp_path / "tree.manifest").read_bytes()

    render(tmp_path, "{{ x }}", x=1)

    assert (tmp_path / "tree.manifest").read_bytes() == first
