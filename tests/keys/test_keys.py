"""Golden keys: the fingerprints of some tasks of a frozen project, and what these tasks make.

Every user's every task is stale when a fingerprint changes, and a cache that machines share knows it by that name. So a
change of one is made on purpose: `UPDATE_EXPECTED=1 pytest tests/keys` writes expected.json anew, and a reviewer sees
which argument of which task it was. It refuses to write other bytes under an old key: raise the number of that action
in `fingerprint.VERSIONS` first.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clusterimage.engine import fingerprint
from tests.conftest import ROOT, Project, clean_environment, new_project

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
DEMO = ("mirror=embedded", "cri=docker,containerd", "compression=gzip")
SHOW = """
import json, sys
from doit import doit_cmd
words = sys.argv[1:]
doit_cmd._CMDLINE_VARS = dict(word.split("=", 1) for word in words)
import dodo
from clusterimage.engine import fingerprint
found = {}
for name, creator in vars(dodo).items():
    for task in creator() if name.startswith("task_") else ():
        for check in task.get("uptodate", ()):
            if hasattr(check, "shaped_by"):
                key = [check.fingerprint, fingerprint.document(*check.shaped_by)]
                found[f"{task['basename']}:{task['name']}"] = key
print(json.dumps(found))
"""
TASKS = (
    "download:kubectl-1.22.15-amd64",
    "download:containerd-1.6.39-arm64",
    "extract:crictl-1.22.0-amd64",
    "render-templates:v1.22.15-docker",
    "render-templates:v1.22.15-containerd-calico",
    "merge-rootfs:v1.22.15-docker",
    "merge-rootfs:v1.22.15-containerd-calico",
    "pull-images:k8s.gcr.io/pause-3.5-amd64",
    "pull-images:docker.io/calico/node-v3.22.1-arm64",
    "save-registry:base-v1.22.15-amd64",
    "save-registry:calico-v1.22.15-arm64",
    "save-registry:docker.io/library/registry-2.8.3-amd64",
    "package:v1.22.15-docker",
    "package:v1.22.15-containerd-calico",
)


def frozen(root: Path, *, lock: bool = True) -> Project:
    """Return the frozen project, with the program as it is now."""
    shutil.copytree(HERE / "project", root)
    if lock:
        (root / "_build/embedded/locks").mkdir(parents=True)
        shutil.copy(HERE / "lock.toml", root / "_build/embedded/locks/v1.22.15.toml")
    return Project(root)


def keys(project: Project, *words: str, **environment: str) -> dict[str, list[Any]]:
    """Return fingerprint and hashed document of every task that has one, by name."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *words],
        cwd=project.root,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def config_digests(index: Path) -> list[str]:
    """Return the config digests of a layout: they hold the diff_ids, and say nothing of compressors."""
    blobs = index.parent / "blobs"

    def read(digest: str) -> Any:
        return json.loads((blobs / digest.replace(":", "/")).read_bytes())

    tops = [read(entry["digest"]) for entry in json.loads(index.read_bytes())["manifests"]]
    return [one["config"]["digest"] for one in tops if "config" in one]


def made(project: Project, task: str) -> list[str]:
    """Return what a task made: the lines of its manifest, or the configs of its image."""
    step, _, name = task.partition(":")
    build = project.root / "_build/embedded"
    directory = {
        "extract": "trees",
        "render-templates": "rendered",
        "merge-rootfs": "context",
        "save-registry": "registry",
    }
    if step == "package":
        return config_digests(project.root / "dist/embedded" / name / "index.json")
    if step == "pull-images":
        return sorted(path.read_text() for path in (build / "images-v1").glob(f"{name.replace('/', '_')}-*.manifest"))
    found = sorted((build / f"{directory.get(step, step)}-v1").glob(f"{name}*.manifest"))
    return [line for path in found for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The keys of the frozen lock, and what a build of today's lock makes."""
    root = tmp_path_factory.mktemp("keys")
    found = keys(frozen(root / "locked"), *DEMO)
    building = new_project(root / "building")
    for place in ("versions.toml", "context", "data"):
        target = building.root / place
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.copytree(HERE / "project", building.root, dirs_exist_ok=True)
    result = building.doit("build", *DEMO)
    assert result.code == 0, result.text
    return {
        task: {"fingerprint": found[task][0], "document": found[task][1], "made": made(building, task)}
        for task in TASKS
    }


def test_no_fingerprint_changed_unless_it_was_meant(now: dict[str, dict[str, Any]]) -> None:
    if os.environ.get("UPDATE_EXPECTED"):
        update(now)
    expected = json.loads(EXPECTED.read_text())

    for task in TASKS:
        assert now[task]["document"] == expected[task]["document"], f"{task}: is stale for every user; see {__file__}"
        assert now[task]["fingerprint"] == expected[task]["fingerprint"], f"{task}: hashed in another way"


@pytest.mark.parametrize("task", TASKS)
def test_the_same_key_stands_for_the_same_bytes(now: dict[str, dict[str, Any]], task: str) -> None:
    expected = json.loads(EXPECTED.read_text())

    assert now[task]["made"] == expected[task]["made"], f"{task}: makes other bytes; see {__file__}"


def update(now: dict[str, dict[str, Any]]) -> None:
    """Write expected.json anew, unless other bytes would have an old key."""
    former = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for task, one in now.items():
        old = former.get(task, one)
        if old["document"] == one["document"] and old["made"] != one["made"]:
            action = one["document"][0]
            pytest.fail(f"{task}: makes other bytes with the same key; raise VERSIONS[{action!r}] in fingerprint.py")
    EXPECTED.write_text(json.dumps(now, indent=1) + "\n")


def test_every_action_has_a_version_and_is_used() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tasks").glob("*.py"))
    names = {action.partition(".")[2] for action in fingerprint.VERSIONS}

    assert all(f".{name}" in written for name in names)


def test_keys_do_not_tell_where_or_by_whom(tmp_path: Path) -> None:
    one, other = frozen(tmp_path / "one"), frozen(tmp_path / "a b" / "ü" / "other")
    (tmp_path / "over").mkdir()
    (tmp_path / "over/motd").write_text("hello\n")
    shutil.copytree(tmp_path / "over", tmp_path / "elsewhere" / "over")

    first = keys(one, *DEMO, f"overlay={tmp_path}/over", LC_ALL="C", PYTHONHASHSEED="1", TZ="UTC")
    environment = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "HOME": str(tmp_path), "USER": "x"}
    second = keys(other, *DEMO, f"overlay={tmp_path}/elsewhere/over", **environment)

    assert len(first) > 50 and first == second
    assert str(tmp_path) not in json.dumps(first)


def test_keys_of_an_application_image_do_not_either(tmp_path: Path) -> None:
    words = ("mirror=embedded", "name=me/app:v1", "platform=amd64", "compression=gzip")
    documents = []
    for root in (tmp_path / "one", tmp_path / "two" / "other"):
        project = new_project(root / "project")
        shutil.copytree(HERE / "project/app", root / "app")
        built = project.doit("package", *words, f"kubefile={root}/app")
        assert built.code == 0, built.text
        documents.append(keys(project, *words, f"kubefile={root}/app"))

    assert documents[0] == documents[1] and len(documents[0]) == 3
    assert str(tmp_path) not in json.dumps(documents[0])


def test_what_has_no_order_or_no_one_spelling_is_refused() -> None:
    def fetch() -> None:
        """Stand for source.fetch."""

    fetch.__module__ = "clusterimage.locks.source"
    for argument in ({"a", "b"}, frozenset("ab"), 1.5, b"bytes", object()):
        with pytest.raises(TypeError, match="cannot be part of a fingerprint"):
            fingerprint.of(fetch, (argument,))
    assert fingerprint.of(fetch, ({"b": 1, "a": 2},)) == fingerprint.of(fetch, ({"a": 2, "b": 1},))
