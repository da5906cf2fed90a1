"""Stand-ins are marked, well-formed, and the same bytes on every machine and Python."""

import gzip
import hashlib
import io
import json
import platform
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from clusterimage.upstream.contents import gzip_stored, stand_in, tar
from clusterimage.upstream.images import base_layer, image

LABEL = "kubeadm v1.22.15 linux/amd64"
TREE = {"./bin/ctr": b"ctr", "./README": b"read me", "./bin/notes.d/x": b""}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("kubeadm", "amd64"),
        ("kubeadm", "arm64"),
        ("configure", "any"),
        ("setup.sh", "amd64"),
        ("operator.yaml", "any"),
        ("operator.yml", "any"),
        ("package.json", "any"),
        ("docker/README", "amd64"),
        ("containerd.service", "arm64"),
    ],
)
def test_every_stand_in_says_what_it_stands_for(name: str, arch: str) -> None:
    data = stand_in(name, "thing v1.2.3", arch, 1)

    assert f"clusterimage stand-in thing v1.2.3 ({arch}) {name}".encode() in data


@pytest.mark.parametrize(("arch", "machine"), [("amd64", 62), ("arm64", 183)])
def test_a_binary_is_an_elf_executable_of_its_architecture(arch: str, machine: int) -> None:
    data = stand_in("kubeadm", LABEL, arch, 1)

    assert data[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<HHI", data, 16) == (2, machine, 1)


@pytest.mark.parametrize(("name", "arch"), [("configure", "any"), ("program", "s390x"), ("README", "amd64")])
def test_what_is_no_binary_of_ours_is_no_elf(name: str, arch: str) -> None:
    assert not stand_in(name, LABEL, arch, 1).startswith(b"\x7fELF")


@pytest.mark.skipif(platform.machine() != "x86_64" or platform.system() != "Linux", reason="executes Linux amd64")
def test_a_binary_that_is_run_says_what_it_is_and_fails(tmp_path: Path) -> None:
    program = tmp_path / "kubeadm"
    program.write_bytes(stand_in("kubeadm", LABEL, "amd64", 1))
    program.chmod(0o755)

    done = subprocess.run([program, "version"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"clusterimage stand-in {LABEL} (amd64) kubeadm\n"


def test_a_script_that_is_run_says_what_it_is_and_fails(tmp_path: Path) -> None:
    script = tmp_path / "setup.sh"
    script.write_bytes(stand_in("setup.sh", LABEL, "any", 1))

    done = subprocess.run(["sh", script], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (1, f"clusterimage stand-in {LABEL} (any) setup.sh\n")


def test_yaml_and_json_parse_and_name_no_image() -> None:
    document = yaml.safe_load(stand_in("operator.yaml", LABEL, "any", 1))

    assert document["kind"] == "ConfigMap"
    assert "image" not in str(document).replace("clusterimage", "")
    assert LABEL in json.loads(stand_in("package.json", LABEL, "any", 1))["stand-in"]


def test_the_size_scales_binaries_and_not_texts() -> None:
    small, large = (len(stand_in("kubeadm", LABEL, "amd64", size)) for size in (1, 10))

    assert 16 * 1024 < small < 48 * 1024
    assert 9 * small < large < 10 * small
    assert stand_in("README", LABEL, "amd64", 1) == stand_in("README", LABEL, "amd64", 10)


def test_a_tar_has_parents_before_children_and_nothing_of_this_machine() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar(TREE))) as archive:
        members = archive.getmembers()

    assert [(each.name, each.isdir(), each.mode) for each in members] == [
        (".", True, 0o755),
        ("./README", False, 0o644),
        ("./bin", True, 0o755),
        ("./bin/ctr", False, 0o755),
        ("./bin/notes.d", True, 0o755),
        ("./bin/notes.d/x", False, 0o755),
    ]
    assert {(each.mtime, each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, 0, "", "")}


@pytest.mark.parametrize("length", [0, 1, 65534, 65535, 65536, 131070, 200000])
def test_stored_gzip_unpacks_to_what_went_in(length: int) -> None:
    data = b"\xa5" * length

    assert gzip.decompress(gzip_stored(data)) == data


def test_the_bytes_are_the_same_on_every_python() -> None:
    bases = {arch: base_layer(arch, 1) for arch in ("amd64", "arm64", "s390x")}
    made = {
        "amd64": sha256(stand_in("kubeadm", LABEL, "amd64", 1)),
        "arm64": sha256(stand_in("kubeadm", LABEL, "arm64", 1)),
        "tar": sha256(tar(TREE)),
        "tgz": sha256(gzip_stored(tar(TREE))),
        "oci": image("k8s.gcr.io/pause", "k8s.gcr.io/pause:3.5", bases, 1).index.blob.digest,
        "docker": image("k8s.gcr.io/etcd", "k8s.gcr.io/etcd:3.5.0-0", bases, 1).index.blob.digest,
    }

    assert made == {
        "amd64": "90e12e8bb805acdc20b29d2300aefabf45ea56dcb233358bce441326f747f882",
        "arm64": "ce64d727bbfac821e2d1a97511531c4d2a8ce376fa41d2da221ffec7a5ef83ca",
        "tar": "a05c3756c0a3ee3094ca048782076ae25a160035a9ddca74b02d53c726edb250",
        "tgz": "8a2aae63a4ee6fae70579f4198882ee9ff79dc03e8922459ca34d2a6443ae70b",
        "oci": "sha256:002a0a0377122163d7aa21946d8a7cb7332bfafe50264bc58644de5fde036cd5",
        "docker": "sha256:116c16d94d1a21ff5209db466aaec70398933ad19cedf4bf86b30fc59fb6e8a7",
    }
