"""The graph itself: one maker for every file, every edge a file, nothing done by looking at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project, clean_environment

STEPS = [
    *("lock", "download", "extract", "render-templates", "merge-rootfs"),
    *("pull-images", "save-registry", "package", "build", "push", "load", "serve"),
    *("diff", "plan", "prune"),
]
# Prints every task as doit sees it, with every action as (function, is a module's own).
DUMP = """
import json, sys
sys.argv = ["doit", "list"]
from doit import doit_cmd
doit_cmd.set_var = None
doit_cmd._CMDLINE_VARS = {variables!r}
import dodo
from doit.loader import load_tasks
tasks = []
for task in load_tasks(dodo.__dict__):
    calls = [action.args[1] for action in task.actions]
    tasks.append(dict(name=task.name, inputs=sorted(task.file_dep), outputs=task.targets, task_dep=task.task_dep,
                      functions=[[call.__module__, call.__qualname__] for call in calls]))
print(json.dumps(tasks))
"""


def tasks_of(project: Project, **variables: str) -> list[dict[str, list[str]]]:
    script = DUMP.format(variables={"mirror": "embedded"} | variables)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    return list(json.loads(done.stdout))


def test_every_step_is_a_task_of_its_name(built: Project) -> None:
    listed = [line.split()[0] for line in built.doit("list", "mirror=embedded").out.splitlines()]

    assert set(STEPS) <= set(listed)


def test_every_file_has_one_maker_and_every_input_is_made_or_is_a_source(built: Project) -> None:
    tasks = tasks_of(built, cri="docker,containerd")
    made = [path for task in tasks for path in task["outputs"]]

    assert len(made) == len(set(made))
    for task in tasks:
        for path in task["inputs"]:
            assert path in made or (not path.startswith(("_build", "dist")) and (built.root / path).is_file()), path


def test_paths_are_spelled_one_way(built: Project) -> None:
    for task in tasks_of(built):
        for path in [*task["inputs"], *task["outputs"]]:
            assert path == os.path.normpath(path) and not path.startswith("/")


def test_an_action_is_a_function_of_the_package(built: Project) -> None:
    for task in tasks_of(built):
        for module, name in task["functions"]:
            assert module.startswith("clusterimage."), task["name"]
            assert "<" not in name, task["name"]


def test_names_of_tasks_hold_the_whole_combination(built: Project) -> None:
    names = [task["name"] for task in tasks_of(built, cri="docker,containerd", platform="amd64")]

    assert "package:v1.22.15-containerd-calico" in names
    assert "download:kubeadm-1.22.15-amd64" in names
    assert "pull-images:k8s.gcr.io/pause-3.5-amd64" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("words", [["list"], ["list", "--all"], ["list", "--all", "--status"], ["info", "package"]])
def test_looking_connects_to_nothing_and_writes_nothing(project: Project, words: list[str]) -> None:
    before = sorted(project.root.rglob("*"))
    guard = project.root.parent / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(
        "import socket\ndef refuse(*_): raise SystemExit('a connection was tried')\nsocket.socket.connect = refuse\n"
    )

    result = project.doit(*words, "k8s=v1.22.15", PYTHONPATH=str(guard), PYTHONDONTWRITEBYTECODE="1")

    assert "connection was tried" not in result.text
    assert result.code in (0, 1), result.text  # `info` of something stale is 1
    assert sorted(project.root.rglob("*")) == before


def test_status_tells_the_truth(built: Project) -> None:
    lines = built.doit("list", "--all", "--status", "mirror=embedded").out.splitlines()
    stale = [line for line in lines if line.startswith("R ") and ":" in line.split()[1]]

    assert {line.split()[1].partition(":")[0] for line in stale} <= {"lock", "verify", "push", "load", "serve"}


def test_clean_leaves_nothing_behind(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")

    dry = project.doit("clean", "-n", "mirror=embedded")
    assert (project.root / "dist" / "embedded").exists(), dry.text
    project.doit("clean", "mirror=embedded")

    assert not (project.root / "dist" / "embedded").exists()
    assert not (project.root / "_build" / "embedded").exists()


def test_clean_of_one_step_removes_what_that_step_made(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")

    project.doit("clean", "merge-rootfs:v1.22.15-docker", "mirror=embedded", "cni=none", "platform=amd64")

    assert not (project.root / "_build/embedded/context-v1/v1.22.15-docker").exists()
    assert (project.root / "dist/embedded/v1.22.15-docker/index.json").exists()


def test_tab_completion_is_made(built: Project) -> None:
    assert "package" in built.doit("tabcompletion", "--hardcode-tasks", "mirror=embedded").out


@pytest.mark.parametrize("word", ["download:*kubectl*amd64", "download:kubectl-1.22.15-amd64"])
def test_some_tasks_of_a_version_without_a_lock_are_run_when_it_is_locked(project: Project, word: str) -> None:
    result = project.doit(word, "mirror=embedded")

    assert result.code == 0, result.text
    assert result.out.count("\ndownload ") == 1 and "locked v1.22.15" in result.out


def test_patterns_choose_for_every_command(built_by: Callable[..., Project]) -> None:
    project = built_by()

    listed = project.doit("list", "--quiet", "package:*", "mirror=embedded").out.split()
    assert listed == ["package:v1.22.15-docker", "package:v1.22.15-docker-calico"]
    assert "package:v1.22.15-docker-calico" in project.doit("info", "package:*calico", "mirror=embedded").out
    assert "must select *one* task" in project.doit("info", "package:*", "mirror=embedded").err
    forgotten = project.doit("forget", "package:*", "mirror=embedded").out.splitlines()
    assert forgotten == [f"forgetting {name}" for name in listed]
    assert "2 tasks run" in project.doit("package:*", "mirror=embedded").out
    project.doit("clean", "package:*calico", "mirror=embedded")
    assert [path.name for path in sorted((project.root / "dist/embedded").iterdir())] == ["v1.22.15-docker"]


def test_steps_can_be_chosen_by_a_pattern(project: Project) -> None:
    project.doit("lock", "mirror=embedded")

    result = project.doit("pull-images:*arm64", "mirror=embedded")

    assert result.code == 0, result.text
    assert "arm64" in result.out and "amd64" not in result.out
    assert not Path(project.root, "dist").exists()
