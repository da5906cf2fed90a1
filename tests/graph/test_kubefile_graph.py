"""An image of a user's own in the graph: what runs again, what is locked, what is refused."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import Project
from tests.graph.test_incremental import ran
from tests.graph.user_image import POD, Built, again, good, package
from tests.unit.conftest import plant


def test_a_second_run_does_nothing(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))

    result = good(again(project))

    assert ran(result) == []
    assert "0 tasks run" in result.out


def test_a_new_image_is_added_to_the_lock_and_the_others_stay(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))
    before = Built(project).layers
    lock = project.root / "_build/embedded/locks/apps/me+app+v1.toml"
    pins = lock.read_text()
    (project.root / "app/x.yaml").write_text(POD + "---\nimage: new/one:1\n")

    result = good(again(project))

    assert "locked me+app+v1" in result.out
    assert [task for task in ran(result) if task.startswith("pull-images")] == ["pull-images:docker.io/new/one-1-amd64"]
    assert "new/one:1" in Built(project).tags()
    assert set(pins.splitlines()) < set(lock.read_text().splitlines())
    assert Built(project).layers != before


def test_the_digest_does_not_depend_on_what_was_built_before(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": "image: other:1\n"}))
    (project.root / "app/x.yaml").write_text(POD)
    good(again(project))
    incremental = (project.root / "dist/embedded/me+app+v1/index.json").read_text()
    shutil.rmtree(project.root / "_build")
    shutil.rmtree(project.root / "dist")

    good(again(project))

    assert (project.root / "dist/embedded/me+app+v1/index.json").read_text() == incremental


def test_a_touched_file_and_an_unused_one_change_nothing(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD, "unused": "1"}))
    (project.root / "app/unused").write_text("2")
    assert ran(good(again(project))) == []
    (project.root / "app/x.yaml").touch()

    assert ran(good(again(project))) == ["lock:me+app+v1"]


def test_locked_refuses_a_missing_pin_and_offline_needs_none(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))
    good(again(project, "locked=yes", "offline=yes"))
    (project.root / "app/x.yaml").write_text("image: new/one:1\n")

    refused = again(project, "locked=yes")

    assert refused.code != 0
    assert "has no pin for docker.io/new/one:1, and locked=yes" in refused.text


def test_the_lock_can_be_made_by_itself(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY x.yaml manifests\n", "x.yaml": POD})
    result = project.doit("lock", "mirror=embedded", "kubefile=app", "name=me/app:v1")

    good(result)
    assert "nginx:1.25" in (project.root / "_build/embedded/locks/apps/me+app+v1.toml").read_text()
    assert not (project.root / "dist").exists()


def test_looking_writes_nothing(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY x.yaml manifests\n", "x.yaml": POD})
    before = sorted(project.root.rglob("*"))

    result = project.doit(
        *("list", "--all", "--status", "kubefile=app/Kubefile", "name=x:1"), PYTHONDONTWRITEBYTECODE="1"
    )

    assert result.code == 0, result.text
    assert sorted(project.root.rglob("*")) == before


def test_args_give_args_their_values(project: Project) -> None:
    files = {"x.yaml": POD, "y.yaml": "image: y:1\n"}
    kubefile = "ARG WHAT=x\nFROM scratch\nARG WHAT=x\nARG OPTION=\nCOPY $WHAT.yaml manifests\nLABEL option=$OPTION\n"
    good(package(project, kubefile, "args=WHAT=y,OPTION=a=b,c", **files))

    assert Built(project).tags() == ["library/y:1"]
    assert Built(project).config["config"]["Labels"]["option"] == "a=b,c"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("kubefile=app/Kubefile",), "the image has no name"),
        (("kubefile=app/none", "name=x:1"), "kubefile=app/none: no such file"),
        (("kubefile=app/Kubefile", "name=x:1", "context=none"), "context=none: no such directory"),
        (("kubefile=app/Kubefile", "name=x:1", "ignore=none"), "ignore=none: no such file"),
        (("kubefile=app/Kubefile", "name=x:1", "args=x"), "'x' is not NAME=VALUE"),
        (("kubefile=app/Kubefile", "name=x:1", "args=A=b"), "has no ARG A"),
        (("kubefile=app/Kubefile", "name=x:1", "k8s=v1.22.15"), "k8s=: a Kubefile says itself"),
        (("kubefile=app/Bad", "name=x:1"), "app/Bad:2: RUN: nothing is executed at build time"),
        (("kubefile=app/Lacks", "name=x:1"), "app/Lacks:2: COPY: 'none' is not in the build context"),
        (("context=app",), "context=: only means something with kubefile="),
    ],
)
def test_what_is_wrong_is_one_clean_line(project: Project, words: tuple[str, ...], problem: str) -> None:
    bad = {"Kubefile": "FROM scratch\n", "Bad": "FROM scratch\nRUN x\n", "Lacks": "FROM scratch\nCOPY none .\n"}
    plant(project.root / "app", bad)

    result = project.doit("package", "mirror=embedded", *words)

    assert result.code != 0
    assert problem in result.text
    assert "Traceback" not in result.text
