"""What little work costs, counted: modules imported, files read and written, connections made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.counting import counted
from tests.unit.conftest import plant

SMALL = ("mirror=embedded", "cni=none", "platform=amd64")
ONLY_SOMETIMES = {
    "resolve.application",
    "plan.application.recipe",
    "oci.archive_images",
    "oci.daemon_pull",
    "discover",
    "queries.build_plan",
}
LOOKING = {"clusterimage", "clusterimage.engine", "clusterimage.engine.noop_cache"}
HEAVY = {"requests", "docker", "jinja2", "yaml", "tqdm", "deflate", "isal", "zstandard", "http.client", "ssl"}
LONG_WAY = ("-n", "2", "build")  # with an option nothing is taken from memory


def test_loading_imports_what_the_command_needs(project: Project) -> None:
    counts = counted(project, "list")

    assert not {f"clusterimage.{name}" for name in ONLY_SOMETIMES} & counts.modules
    assert not HEAVY & counts.modules
    assert len(counts.of("clusterimage")) <= 97


def test_a_build_with_nothing_to_do_finds_it_in_one_look(project: Project) -> None:
    first = project.build()

    again = counted(project, "build", "mirror=embedded")

    images = first.out[first.out.index("docker.io/sealerio/kubernetes:v1.22.15  sha256:") :].splitlines()[:-1]
    assert again.out.splitlines() == [*images, "0 tasks run, 75 up to date, 0.0 s"]
    assert again.of("clusterimage") == LOOKING and again.of("sqlite3") == set()
    assert (again.written, again.connected) == ([], [])
    assert [path for path in again.read if not path.startswith("_build/embedded/noop-v1/")] == []


@pytest.fixture
def remembered(built_by: Callable[..., Project]) -> Project:
    """A project whose small build is remembered: in a copy the first run still has to look at the user's files."""
    project = built_by(*SMALL[1:])
    project.build(*SMALL[1:])
    return project


def test_the_long_way_hashes_nothing_either(remembered: Project) -> None:
    project = remembered

    again = counted(project, *LONG_WAY, *SMALL)

    assert "0 tasks run, 30 up to date" in again.out
    assert again.of("clusterimage") > LOOKING and again.connected == []
    assert [path for path in again.read if "/cache-v1/" in path or path.startswith("context/")] == ["context/imageList"]
    assert again.written == ["_build/embedded/.lock"]


def _edit_versions(project: Project) -> None:
    project.edit("versions.toml", "[defaults]", "[defaults] # edited")


def _add_a_file(project: Project) -> None:
    (project.root / "context/rootfs/etc/motd").write_text("hello\n")


def _forget(project: Project) -> None:
    assert project.doit("forget", *SMALL, "package").code == 0


def _delete_a_blob(project: Project) -> None:
    next((project.root / "dist/embedded/v1.22.15-docker/blobs/sha256").iterdir()).unlink()


def _edit_the_code(project: Project) -> None:
    project.edit("clusterimage/storage/tree.py", '"""Merging', '"""Edited: merging')


def _change_a_mode(project: Project) -> None:
    (project.root / "context/rootfs/etc/registry_config.yml").chmod(0o755)


@pytest.mark.parametrize(
    "change", [_edit_versions, _add_a_file, _change_a_mode, _forget, _delete_a_blob, _edit_the_code]
)
def test_whatever_changed_is_looked_at_the_long_way(remembered: Project, change: Callable[[Project], None]) -> None:
    project = remembered
    change(project)

    again = counted(project, "build", *SMALL)

    assert again.of("clusterimage") > LOOKING
    assert counted(project, "build", *SMALL).of("clusterimage") == LOOKING


APPLICATION = ("package", "mirror=embedded", "kubefile=app", "name=me/app:v1", "platform=amd64")


def _edit_the_kubefile(project: Project) -> None:
    project.edit("app/Kubefile", "COPY", "LABEL edited=yes\nCOPY")


def _add_to_the_context(project: Project) -> None:
    (project.root / "app/etc/motd").write_text("hello\n")


def _edit_the_context(project: Project) -> None:
    (project.root / "app/etc/hosts").write_text("edited\n")


def _delete_a_link(project: Project) -> None:
    next((project.root / "_build/embedded/registry-v1/me+app+v1-amd64").rglob("link")).unlink()


def _edit_the_base(project: Project) -> None:
    project.edit("context/rootfs/etc/kubelet.service", "[Unit]", "# edited\n[Unit]")
    project.build(*SMALL[1:], "cri=docker")


@pytest.mark.parametrize(
    "change", [_edit_the_kubefile, _add_to_the_context, _edit_the_context, _delete_a_link, _edit_the_base]
)
def test_the_image_of_a_kubefile_is_remembered_until_something_of_it_changes(
    built_by: Callable[..., Project], change: Callable[[Project], None]
) -> None:
    project = built_by(*SMALL[1:])
    plant(project.root / "app", {"Kubefile": "FROM kubernetes:v1.22.15\nCOPY etc etc\nCOPY imageList manifests\n",
                                 "etc/hosts": "one\n", "imageList": "nginx:1.25\n"})  # fmt: skip
    for _ in range(2):  # the first made the lock, and what makes locks is not remembered
        assert project.doit(*APPLICATION).code == 0

    again = counted(project, *APPLICATION)
    assert "0 tasks run" in again.out
    assert again.of("clusterimage") == LOOKING and (again.written, again.connected) == ([], [])

    change(project)
    changed = project.doit(*APPLICATION)
    assert changed.code == 0 and "0 tasks run" not in changed.out


def test_a_user_s_file_is_read_once_for_its_copy_and_its_digest(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY . .\n", "images/large.bin": "x" * 5_000_000})
    copy = "_build/embedded/context-v1/me+app+v1/images/large.bin"

    locked = counted(project, "lock", *APPLICATION[1:])
    built = counted(project, *APPLICATION)

    assert locked.read.count("app/images/large.bin") == 1
    assert [path for path in locked.read if path.endswith("/large.bin")] == ["app/images/large.bin"]
    assert [path for path in built.read if path.endswith("/large.bin")] == [copy]


def test_a_touched_file_is_hashed_once_more_and_not_again(project: Project) -> None:
    project.build(*SMALL[1:])
    script = project.root / "context/docker/scripts/docker.sh"
    script.touch()

    again = counted(project, *LONG_WAY, *SMALL)
    third = counted(project, *LONG_WAY, *SMALL)

    assert "0 tasks run" in again.out
    assert again.read.count("context/docker/scripts/docker.sh") == 1
    assert third.read.count("context/docker/scripts/docker.sh") == 0
