"""context/: old places of basefs, a file beside its template, and what nothing reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.plan.own_context import Readers
from tests.unit.conftest import error_of, plant

READERS = Readers(
    ("rootfs", "docker", "containerd", "calico", "sealos/rootfs", "sealos/docker", "platform"),
    frozenset({"imageList", "kubeadm.yml", "Kubefile.j2", "sealos/Kubefile.j2"}),
)
THERE = {
    "imageList": "", "kubeadm.yml": "", "Kubefile.j2": "", "sealos/Kubefile.j2": "", "rootfs/etc/a": "",
    "docker/etc/daemon.json.j2": "", "docker/etc/docker.service": "", "containerd/etc/dump-config.toml.j2": "",
    "sealos/rootfs/etc/rootfs/x": "", "sealos/docker/etc/daemon.json.tmpl": "", "platform/Metadata.j2": "",
}  # fmt: skip


def check(root: Path, **files: str) -> list[str]:
    plant(root, THERE | files)
    return [note.replace(f"{root}/", "") for note in READERS.check(root)]


def test_what_is_read_is_not_noted(tmp_path: Path) -> None:
    assert check(tmp_path) == []


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere", {"etc/x": ""})

    assert check(tmp_path / "context", calico="-> ../elsewhere") == []


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("README.md", "README.md: nothing reads it"),
        ("imagelist", "imagelist: nothing reads it; did you mean imageList?"),
        ("kubeadm.yaml", "kubeadm.yaml: nothing reads it; did you mean kubeadm.yml?"),
        ("Kubefile", "Kubefile: nothing reads it; did you mean Kubefile.j2?"),
        ("dokcer/etc/daemon.json", "dokcer/etc/daemon.json: nothing reads it; did you mean docker/?"),
        ("sealos/crio/etc/x", "sealos/crio/etc/x: nothing reads it"),
        ("amd64/bin/tool", "amd64/bin/tool: nothing reads it"),
    ],
)
def test_what_nothing_reads_is_noted_with_what_may_have_been_meant(tmp_path: Path, name: str, note: str) -> None:
    assert check(tmp_path, **{name: ""}) == [note]


def test_many_are_counted(tmp_path: Path) -> None:
    notes = check(tmp_path, **{f"old/{number}": "" for number in range(9)})

    assert len(notes) == 6 and notes[-1] == f"{tmp_path}: nothing reads 4 more files"


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("docker/rootfs/etc/daemon.json", "docker/etc/daemon.json", ", and remove daemon.json.j2 there"),
        ("docker/rootfs/etc/docker.service", "docker/etc/docker.service", ""),
        ("docker/rootfs/etc/dump-config.toml", "containerd/etc/dump-config.toml",
         ", and remove dump-config.toml.j2 there"),
        ("containerd/rootfs/etc/own.toml", "containerd/etc/own.toml", ""),
        ("rootfs/rootfs/etc/a", "rootfs/etc/a", ""),
    ],
)  # fmt: skip
def test_where_basefs_has_a_file_the_new_place_is_named(tmp_path: Path, old: str, new: str, hint: str) -> None:
    error = error_of(check, tmp_path, **{old: ""})

    assert error.problem == f"{tmp_path}/{old}: basefs has it there, here it is {tmp_path}/{new}"
    assert error.hint == f"mv {tmp_path}/{old} {tmp_path}/{new}{hint}"


@pytest.mark.parametrize("name", ["docker/etc/daemon.json", "containerd/etc/dump-config.toml", "platform/Metadata"])
def test_a_file_beside_its_template_is_refused(tmp_path: Path, name: str) -> None:
    error = error_of(check, tmp_path, **{name: ""})

    assert error.problem == f"{tmp_path}/{name}: lies beside {Path(name).name}.j2, which makes the same file"
