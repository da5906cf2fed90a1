"""What lies in people's trees, all the way into an image: links, modes, and what no image can hold."""

from __future__ import annotations

import os
import shutil
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.graph.user_image import Built, again, good, package
from tests.unit.conftest import plant

TREE = {
    "etc/key.pem": "k", "etc/pki/ca.pem": "c", "etc/current": "-> pki", "etc/localtime": "-> /usr/share/zoneinfo/None",
    "etc/away": "-> ../../../etc", "etc/circle": "-> circle", "var/lock/": "", "var/tmp/x": "x", "opt/shared/x": "x",
}  # fmt: skip
MODES = {"etc/key.pem": 0o600, "etc/pki": 0o750, "var/lock": 0o700, "var/tmp": 0o1777, "opt/shared": 0o2775}
EXPECTED = {
    "etc": "755/", "etc/key.pem": "600", "etc/pki": "750/", "etc/pki/ca.pem": "644", "etc/current": "777 -> pki",
    "etc/localtime": "777 -> /usr/share/zoneinfo/None", "etc/away": "777 -> ../../../etc",
    "etc/circle": "777 -> circle", "var": "755/", "var/lock": "700/", "var/tmp": "1777/", "var/tmp/x": "644",
    "opt": "755/", "opt/shared": "755/", "opt/shared/x": "644",
}  # fmt: skip


def plant_tree(root: Path) -> Path:
    plant(root, TREE)
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    return root


def test_a_tree_is_in_the_image_as_it_is_on_disk(user: Project) -> None:
    plant_tree(user.root / "app/tree")

    good(package(user, "FROM scratch\nCOPY tree .\n"))

    assert Built(user).entries() == EXPECTED
    assert again(user).text.endswith("0 tasks run, 2 up to date, 0.0 s\n")


@pytest.mark.parametrize(
    ("change", "path", "becomes"),
    [
        (lambda path: path.chmod(0o700), "etc", "700/"),
        (lambda path: path.chmod(0o755), "etc/pki", "755/"),
        (lambda path: path.chmod(0o640), "etc/key.pem", "640"),
        (lambda path: (path.unlink(), path.symlink_to("elsewhere")), "etc/current", "777 -> elsewhere"),
    ],
)
def test_a_change_of_a_mode_or_a_link_is_seen(
    user: Project, change: Callable[[Path], object], path: str, becomes: str
) -> None:
    plant_tree(user.root / "app/tree")
    good(package(user, "FROM scratch\nCOPY tree .\n"))

    change(user.root / "app/tree" / path)
    good(again(user))

    assert Built(user).entries() == EXPECTED | {path: becomes}


def test_an_overlay_is_too_and_another_umask_makes_no_other_bytes(built_by: Callable[..., Project]) -> None:
    words = ("cni=none", "platform=amd64", "overlay=mine")
    project = built_by("cni=none", "platform=amd64")
    plant_tree(project.root / "mine")

    project.build(*words)

    built = Built(project, "v1.22.15-docker")
    assert EXPECTED.items() <= built.entries().items()
    for path in (project.root / "mine").rglob("*"):
        if not path.is_symlink() and path.relative_to(project.root / "mine").as_posix() not in MODES:
            path.chmod(0o775 if path.is_dir() else 0o664)
    project.build(*words)
    assert Built(project, "v1.22.15-docker").manifest == built.manifest


def test_links_of_context_are_links_of_the_image(built_by: Callable[..., Project]) -> None:
    words = ("cni=none", "platform=amd64")
    project = built_by(*words)
    links = {"rootfs/etc/sub": "-> ../scripts", "rootfs/etc/gone": "-> /none", "docker/etc/d.json": "-> daemon.json"}
    plant(project.root / "context", links)

    project.build(*words)

    entries = Built(project, "v1.22.15-docker").entries()
    assert {place: entries[place] for place in ("etc/sub", "etc/gone", "etc/d.json")} == {
        "etc/sub": "777 -> ../scripts", "etc/gone": "777 -> /none", "etc/d.json": "777 -> daemon.json"
    }  # fmt: skip


@pytest.mark.parametrize("target", ["/none", "etc"])
def test_a_template_that_is_a_link_to_no_file_is_named(project: Project, target: str) -> None:
    plant(project.root / "context/rootfs", {"x.conf.j2": f"-> {target}"})

    result = project.doit("build", "mirror=embedded")

    assert result.code != 0 and f"context/rootfs/x.conf.j2: is a link to {target}, where no file is" in result.text
    assert "Traceback" not in result.text


@pytest.mark.parametrize("where", ["app/odd", "mine/etc", "context/rootfs/etc"])
@pytest.mark.parametrize("kind", ["a named pipe", "a socket"])
def test_what_no_image_can_hold_is_refused_by_name(
    user: Project, where: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(user.root)
    Path(where).mkdir(parents=True, exist_ok=True)
    shutil.rmtree("locks/embedded", ignore_errors=True)
    if kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{where}/odd")
    else:
        os.mkfifo(f"{where}/odd")
    if where.startswith("app"):
        result = package(user, "FROM scratch\nADD odd/* x/\n", **{"odd/file": "x"})
    else:
        result = user.doit("build", "mirror=embedded", *(["overlay=mine"] if where.startswith("mine") else []))

    assert result.code != 0 and f"{where}/odd: is {kind}, which no image can hold" in result.text
    assert "Traceback" not in result.text and len(result.err.splitlines()) <= 2


def test_a_pipe_that_is_not_copied_is_nobody_s_business(user: Project) -> None:
    (user.root / "app").mkdir()
    os.mkfifo(user.root / "app/pipe")

    good(package(user, "FROM scratch\nCOPY a x/\n", a="1"))


def test_set_id_bits_are_dropped_and_that_is_said_once(user: Project) -> None:
    plant(user.root / "app", {"bin/su": "#!/bin/sh\n"})
    (user.root / "app/bin/su").chmod(0o4755)

    result = good(package(user, "FROM scratch\nCOPY bin bin\nCOPY bin/su sbin/\n", "platform=amd64,arm64"))

    assert result.err.count("app/bin/su: its set-user-id or set-group-id bit is dropped") == 1
    assert {
        Built(user, arch=arch).entries()[place] for arch in ("amd64", "arm64") for place in ("bin/su", "sbin/su")
    } == {"755"}


def test_directories_of_a_base_keep_their_mode_when_something_is_put_into_them(user: Project) -> None:
    plant_tree(user.root / "app/tree")
    good(package(user, "FROM scratch\nCOPY tree .\n", name="me/base:v1"))

    good(package(user, "FROM me/base:v1\nCOPY x etc/pki/\nCOPY x var/tmp/\nCOPY x etc/y\n", x="1"))

    assert Built(user).entries().items() >= EXPECTED.items()


def test_an_archive_of_add_keeps_its_modes(user: Project) -> None:
    (user.root / "app").mkdir()
    with tarfile.open(user.root / "app/a.tgz", "w:gz") as archive:
        for path in (plant_tree(user.root / "tree")).iterdir():
            archive.add(path, path.name)

    good(package(user, "FROM scratch\nADD a.tgz .\n"))

    assert Built(user).entries() == EXPECTED
