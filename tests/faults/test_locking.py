"""The lock: two witnesses, nothing resolved by a build, nothing changed that was pinned."""

from __future__ import annotations

import tomllib

import pytest

from clusterimage.upstream import Faults, Upstream
from tests.conftest import Project


def lock_of(project: Project, mirror: str = "fake") -> dict[str, list[dict[str, str]]]:
    place = "_build/embedded/locks" if mirror == "embedded" else f"locks/{mirror}"
    return tomllib.loads((project.root / place / "v1.22.15.toml").read_text())


def test_a_lock_pins_every_file_and_image_for_both_platforms_and_cris(project: Project, locked: Upstream) -> None:
    lock = lock_of(project)

    files = {(file["component"], file["arch"]) for file in lock["file"]}
    assert {
        (name, arch) for name in ("kubeadm", "docker", "containerd", "runc") for arch in ("amd64", "arm64")
    } <= files
    assert ("tigera-operator", "any") in files
    for file in lock["file"]:
        assert len(file["sha256"]) == 64 and int(file["size"]) > 0 and file["url"].startswith("https://")
    for image in lock["image"]:
        assert [platform["arch"] for platform in image["platform"]] == ["amd64", "arm64"]
        assert all(len(platform["blobs"]) >= 2 for platform in image["platform"])


def test_locking_again_gives_the_same_bytes(project: Project, upstream: Upstream) -> None:
    path = project.root / "locks/fake/v1.22.15.toml"
    assert project.doit("lock", "mirror=fake").code == 0
    before = path.read_bytes()

    assert project.doit("lock", "mirror=fake").code == 0

    assert path.read_bytes() == before


def test_a_build_without_a_lock_locks_first_and_says_so(project: Project, upstream: Upstream) -> None:
    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64")

    assert result.code == 0, result.text
    assert "locked v1.22.15: locks/fake/v1.22.15.toml; building" in result.out


def test_locked_yes_refuses_to_make_a_lock(project: Project, upstream: Upstream) -> None:
    result = project.doit("build", "mirror=fake", "locked=yes")

    assert result.code != 0
    assert "locks/fake/v1.22.15.toml: lacks" in result.out and "doit lock" in result.out
    assert upstream.requests.count() == 0
    assert not (project.root / "locks").exists()


def test_an_image_added_to_the_list_is_pinned_and_all_else_stays(project: Project, locked: Upstream) -> None:
    before = (project.root / "locks/fake/v1.22.15.toml").read_text()
    with (project.root / "context/imageList").open("a") as images:
        images.write("docker.io/calico/ctl:v3.22.1\n")

    refused = project.doit("build", "mirror=fake", "locked=yes")
    assert refused.code != 0 and "lacks 1 pins" in refused.out
    unknown = project.doit("build", "mirror=fake", "cni=none")

    # This upstream does not have it: the build says so, and the lock is what it was.
    assert unknown.code != 0 and "docker.io/calico/ctl" in unknown.out and "404" in unknown.out
    assert (project.root / "locks/fake/v1.22.15.toml").read_text() == before


def test_a_lock_that_lacks_something_gets_that_and_keeps_the_rest(project: Project, locked: Upstream) -> None:
    path = project.root / "locks/fake/v1.22.15.toml"
    before = path.read_text()
    start = before.index('[[image]]\nreference = "k8s.gcr.io/pause')
    end = before.index("[[image]]", start + 1)
    path.write_text(before[:start] + before[end:])

    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64")

    assert result.code == 0, result.text
    assert path.read_text() == before
    assert locked.requests.count("GET /dl.k8s.io/release/v1.22.15/bin/linux/amd64/kubeadm.sha256") == 0


def test_a_publisher_that_contradicts_the_table_is_an_error(project: Project, upstream: Upstream) -> None:
    project.edit("versions.toml", "own_bytes = true", "own_bytes = false")

    result = project.doit("lock", "mirror=fake")

    assert result.code != 0
    assert "its publisher says sha256:" in result.out and "data/checksums.toml says sha256:" in result.out
    assert not (project.root / "locks/v1.22.15.toml").exists()


def test_what_nobody_vouches_for_is_said_and_counted(project: Project, upstream: Upstream) -> None:
    project.edit("versions.toml", '/SHA256SUMS"', '/LICENSE"')

    result = project.doit("lock", "mirror=fake")

    lock = (project.root / "locks/fake/v1.22.15.toml").read_text()
    assert result.code == 0
    assert result.err.count("nerdctl 1.7.7 amd64") == 1
    assert "# Trusted on first use, without a published checksum: " in lock


def test_a_checksum_file_without_the_file_is_an_error(project: Project, upstream: Upstream) -> None:
    other = "https://github.com/k3s-io/k3s-root/releases/download/v0.14.1/sha256sum-amd64.txt"
    project.edit(
        "versions.toml", "https://github.com/containerd/nerdctl/releases/download/v{version}/SHA256SUMS", other
    )

    result = project.doit("lock", "mirror=fake")

    assert result.code != 0 and "FAILED lock:v1.22.15" in result.out


def test_a_file_that_differs_from_its_published_checksum_is_never_built(
    project: Project, locked: Upstream, faults: Faults
) -> None:
    lock = project.root / "locks/fake/v1.22.15.toml"
    kubeadm = next(f for f in lock_of(project)["file"] if f["component"] == "kubeadm" and f["arch"] == "amd64")
    lock.write_text(lock.read_text().replace(kubeadm["sha256"], "0" * 64))

    result = project.doit("build", "mirror=fake", "cni=none")

    assert result.code != 0
    assert f"expected sha256:{'0' * 64}, got sha256:{kubeadm['sha256']}" in result.out


def test_a_build_asks_for_no_tag(project: Project, locked: Upstream) -> None:
    assert project.doit("build", "mirror=fake").code == 0

    paths = [entry.path for entry in locked.requests.entries if "/manifests/" in entry.path]
    assert [path for path in paths if "/manifests/sha256:" not in path] == []


def test_no_byte_is_fetched_twice(project: Project, locked: Upstream) -> None:
    assert project.doit("build", "mirror=fake", "cri=docker,containerd").code == 0

    paths = [entry.path[entry.path.rfind("sha256:") :] for entry in locked.requests.entries]
    assert len([path for path in paths if path.startswith("sha256:")]) > 50
    paths = [
        path if path.startswith("sha256:") else e.path for path, e in zip(paths, locked.requests.entries, strict=True)
    ]
    assert len(paths) == len(set(paths))


def test_a_damaged_lock_is_named_with_its_key(project: Project, locked: Upstream) -> None:
    lock = project.root / "locks/fake/v1.22.15.toml"
    lock.write_text(lock.read_text().replace('sha256 = "', 'sha256 = "zz', 1))

    result = project.doit("list", "mirror=fake")

    assert result.code != 0
    assert "locks/fake/v1.22.15.toml: file[0].sha256" in result.text
    assert "Traceback" not in result.text


def test_another_compressor_than_the_locked_one_is_refused(project: Project, locked: Upstream) -> None:
    lock = project.root / "locks/fake/v1.22.15.toml"
    lock.write_text(lock.read_text().replace("isal isa-l-1", "isal isa-l-9"))

    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64")

    assert result.code != 0 and "the lock names the compressor 'isal isa-l-9" in result.out


def test_versions_that_do_not_fit_are_not_locked(project: Project, upstream: Upstream) -> None:
    project.edit("versions.toml", '["<1.26", "1.3.6"]', '["<1.26", "1.2.9"]')

    result = project.doit("lock", "mirror=fake")

    assert result.code != 0 and "containerd 1.7.36 and runc 1.2.9 do not fit" in result.text
    assert not (project.root / "locks/fake/v1.22.15.toml").exists()


def test_known_holes_are_said_when_they_are_locked(project: Project, upstream: Upstream) -> None:
    result = project.doit("lock", "mirror=fake")

    assert result.code == 0
    assert result.err.count("docker 20.10.24 has known CVEs (CVE-2024-21626, ") == 1


MANIFEST = "tigera-operator.yaml"


def test_images_without_a_cni_need_nothing_of_it(project: Project, upstream: Upstream, faults: Faults) -> None:
    faults.add(MANIFEST, "status", None, code=404)
    faults.add("calico/", "status", None, code=404)

    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64")

    assert result.code == 0, result.text
    assert upstream.requests.count(MANIFEST) + upstream.requests.count("calico/") == 0


def test_what_is_gone_fails_only_the_images_that_need_it(project: Project, upstream: Upstream, faults: Faults) -> None:
    faults.add(MANIFEST, "status", None, code=404)
    locked = project.doit("lock", "mirror=fake")
    asked = upstream.requests.count("/manifests/v")
    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64")

    assert locked.code != 0 and "404 Not Found; images with cni=calico need it" in locked.out
    assert result.code == 0, result.text
    assert "lock " not in result.out and upstream.requests.count("/manifests/v") == asked  # locked before


@pytest.mark.parametrize(
    ("gone", "words"), [("containerd-1", ("cri=docker",)), ("docker-2", ("cri=containerd",)), ("runc.", ())]
)
def test_a_runtime_that_is_gone_is_no_matter_to_the_other(
    project: Project, upstream: Upstream, faults: Faults, gone: str, words: tuple[str, ...]
) -> None:
    faults.add(gone, "status", None, code=404)

    result = project.doit("build", "mirror=fake", "cni=none", "platform=amd64", *words)

    assert result.code == 0, result.text
    assert ("images with cri=containerd need it" in result.err) == (not words)
