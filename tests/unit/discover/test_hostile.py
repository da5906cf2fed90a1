"""Documents that are made to stop a build: each ends, with a line or without an image, and without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.discover.corpus import Shape
from tests.unit.discover.test_corpus import read

ALIASES = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(24)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"b{n}: &b{n} {{<<: [*{f'b{n - 1}' if n else 'a'}, *{f'b{n - 1}' if n else 'a'}]}}\n" for n in range(40)
)
TEXTS = {
    "actions without an end": "{{" * 150_000,
    "comments without an end": "{{/*" * 75_000,
    "names in one line": "image:" * 50_000 + "!",
    "quotes": "image: {{ " + '"' * 100_000 + " }}",
    "dashes": "-" * 200_000 + "{{",
    "brackets": "image: {{ " + "(" * 3_000 + " }}",
    "deep lists": "[" * 100_000,
    "deep tables": "\n".join(" " * depth + "a:" for depth in range(900)),
    "aliases of aliases": ALIASES,
    "merges of merges": MERGES,
    "an alias of itself": "a: &a [*a]\nb: &b {c: *b, image: 'quay.io/a/b:v1'}\n",
    "tags that lie": "a: !!bool x\n---\na: !!int ''\n---\na: !!timestamp x\n---\na: !!float 1e999\n",
    "a tag for bytes": "a: !!binary é\n",
    "a number of many digits": "image: {repository: a/b, tag: " + "9" * 6000 + "}\n",
    "control characters": 'image: "a\\e[31m/b:1"\n',
}  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize("what", TEXTS)
def test_a_hostile_text_ends(tmp_path: Path, what: str) -> None:
    text = TEXTS[what]
    files = {
        "manifests/x.yaml": text,
        "manifests/kustomization.yaml": text,
        "application/apps/x/x.sh": text,
        "images/shim/x": text[:1000],
        "charts/c/Chart.yaml": "name: c\n",
        "charts/c/values.yaml": text,
        "charts/c/templates/x.yaml": text,
        "charts/c/crds/x.yaml": text,
    }

    found, unclear = read(tmp_path, Shape("", files, (), 0))

    assert all(name.startswith("quay.io/a/b") for name in found if "a/b" in name)
    assert all(line.isprintable() for line in unclear)
