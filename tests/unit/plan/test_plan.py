"""From rules, words and pins to the things of every step, with a small project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.locks import lock
from clusterimage.oci.saved_registry import Saved
from clusterimage.plan.plan import Plan
from clusterimage.storage.tree import Piece
from clusterimage.values.digest import of_bytes
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version
from tests.unit.conftest import error_of, plant
from tests.unit.plan.planning import DIGEST, LVSCARE, expand, locked_image, require, write_lock


@pytest.fixture
def locked(small: Path) -> Path:
    write_lock(small)
    return small


def names(things: tuple[object, ...]) -> list[str]:
    return [thing.name for thing in things]  # type: ignore[attr-defined]


def pieces(made: Plan, index: int = 0) -> dict[str, Piece]:
    return {piece.place: piece for piece in made.merges[index].pieces}


def test_without_a_lock_there_is_only_locking(small: Path) -> None:
    made = expand(small)

    needed = require(small)
    assert made.unlocked == made.lockings
    assert (made.lockings[0].requirement, made.lockings[0].path) == (needed, small / "locks/v1.22.15.toml")
    others = [file for file in needed.files if file.cri == "containerd"]  # pinned too, and not missed by these images
    assert made.lockings[0].missing == len(needed.files) - len(others) + len(needed.images)
    assert (made.downloads, made.renders, made.pulls, made.saves, made.loads, made.packs) == ((), (), (), (), (), ())


def test_an_incomplete_lock_is_no_lock_and_counts_what_lacks(locked: Path) -> None:
    path = locked / "locks/v1.22.15.toml"
    pins = lock.load(path)
    assert pins is not None
    needed = [file for file in pins.files if file.component != "kubectl" or file.arch != "amd64"]
    lock.save(path, replace(pins, files=tuple(needed), images=pins.images[2:]))

    made = expand(locked)

    assert [locking.missing for locking in made.unlocked] == [3]
    assert made.packs == ()


def test_a_complete_lock_lacks_nothing(locked: Path) -> None:
    made = expand(locked)

    assert made.unlocked == ()
    assert [locking.missing for locking in made.lockings] == [0]


def test_a_damaged_lock_is_refused(locked: Path) -> None:
    (locked / "locks/v1.22.15.toml").write_text("x")

    assert f"{locked}/locks/v1.22.15.toml: not valid TOML" in error_of(expand, locked).problem


def test_a_damaged_lock_of_stand_ins_is_made_anew(small: Path) -> None:
    write_lock(small, mirror=Mirror("embedded", own_bytes=True)).write_text("x")

    assert expand(small, mirror="embedded").unlocked != ()


def test_a_plan_of_the_same_words_is_the_same(locked: Path) -> None:
    assert expand(locked) == expand(locked)


def test_the_files_of_the_chosen_runtime_and_network_are_downloaded_once(locked: Path) -> None:
    docker = "kubectl-1.22.15 crictl-1.22.0 docker-20.10.24"
    expected = [f"{name}-{arch}" for name in docker.split() for arch in ("amd64", "arm64")]

    assert names(expand(locked, cni="none").downloads) == [*expected, "gperf-3.1"]
    assert names(expand(locked).downloads) == [*expected, "gperf-3.1", "tigera-operator-3.22.1"]


def test_only_the_chosen_architecture_is_downloaded(locked: Path) -> None:
    found = names(expand(locked, platform="arm64", cri="containerd", cni="none").downloads)

    assert found == ["kubectl-1.22.15-arm64", "crictl-1.22.0-arm64", "containerd-1.6.39-arm64", "gperf-3.1"]


def test_a_download_lies_under_its_digest(locked: Path) -> None:
    download = expand(locked).downloads[2]

    assert (download.name, download.mode, download.pinned) == ("crictl-1.22.0-amd64", 0o755, DIGEST[:12])
    assert download.path == locked / "_build/cache-v1/sha256" / DIGEST


def test_an_archive_is_extracted_into_a_tree_of_its_digest(locked: Path) -> None:
    extraction = expand(locked, platform="amd64").extractions[0]

    assert (extraction.name, extraction.install) == ("crictl-1.22.0-amd64", (("crictl", "bin/crictl"),))
    assert extraction.archive.name == DIGEST
    assert extraction.tree == locked / f"_build/trees-v1/crictl-1.22.0-amd64-{DIGEST[:12]}"
    assert extraction.pinned == DIGEST[:12]
    assert len(expand(locked).extractions) == 2


def test_two_locks_that_differ_get_names_that_differ(small: Path) -> None:
    write_lock(small)
    write_lock(small, "v1.24.9", salt="other")

    made = expand(small, k8s="1.22.15,1.24.9", cri="docker", cni="none", platform="amd64")

    other = of_bytes(b"https://files.example/gperf-3.1.tar.gzother").hex[:12]
    assert {"gperf-3.1", f"gperf-3.1@{other}"} < set(names(made.downloads))
    assert sum("lvscare" in name for name in names(made.pulls)) == 2
    assert sum("registry-2.8.3" in name for name in names(made.loads)) == 2
    assert len(set(names(made.pulls))) == len(made.pulls)


def test_templates_become_files_without_their_ending(locked: Path) -> None:
    rendering = expand(locked, cni="none").renders[0].rendering

    assert [(t.source.relative_to(locked / "context").as_posix(), t.place, t.arch) for t in rendering.templates] == [
        ("rootfs/etc/version.j2", "rootfs/etc/version", ""),
        ("Kubefile.j2", "Kubefile", ""),
        ("Kubefile.j2", "rootfs/Kubefile", ""),
        ("platform/Metadata.j2", "amd64/Metadata", "amd64"),
        ("platform/Metadata.j2", "arm64/Metadata", "arm64"),
    ]


def test_the_image_list_of_a_combination_is_a_text_of_it(locked: Path) -> None:
    none, calico = (dict(render.rendering.texts)["imageList"] for render in expand(locked).renders)

    assert none.splitlines()[0] == str(LVSCARE)
    assert "k8s.gcr.io/pause:3.5\n" in none
    assert "library/registry" not in none + calico
    assert set(calico.splitlines()) - set(none.splitlines()) == {
        "quay.io/tigera/operator:v1.25.3",
        "docker.io/calico/node:v3.22.1",
    }


def test_a_user_s_own_kubeadm_file_is_read_where_there_is_one(locked: Path) -> None:
    without = expand(locked).renders[0].rendering
    plant(locked, {"context/kubeadm.yml": ""})

    assert (without.kubeadm, expand(locked).renders[0].rendering.kubeadm) == (None, locked / "context/kubeadm.yml")


@pytest.mark.parametrize(
    ("version", "cri", "cni", "expected"),
    [
        ("v1.22.15", "docker", "none", ("20.10.24", "", "/var/run/dockershim.sock", 2, False)),
        ("v1.22.15", "containerd", "calico", ("1.6.39", "3.22.1", "/run/containerd/containerd.sock", 2, False)),
        ("v1.24.9", "docker", "none", ("20.10.24", "", "/var/run/dockershim.sock", 3, True)),
        ("v1.24.9", "containerd", "none", ("2.2.7", "", "/run/containerd/containerd.sock", 3, False)),
    ],
)
def test_the_variables_follow_the_rules(small: Path, version: str, cri: str, cni: str, expected: tuple[object]) -> None:
    write_lock(small, version)

    made = expand(small, k8s=version, cri=cri, cni=cni).renders[0].rendering.variables

    assert (made.kubernetes, made.cri, made.cni, made.registry) == (Version.parse(version), cri, cni, "sea.hub:5000")
    facts = made.cri_version, made.cni_version, made.socket, made.containerd_config, made.docker_needs_cri_dockerd
    assert facts == expected


def test_the_context_of_the_chosen_runtime_is_merged(locked: Path) -> None:
    found = pieces(expand(locked, platform="amd64"), 1)

    registry = locked_image(Reference.parse("registry:2.8.3")).top.digest.hex[:12]
    assert {place: (piece.part, oct(piece.mode), piece.users) for place, piece in found.items()} == {
        "rootfs/etc/plain.conf": ("config", "0o644", True),
        "rootfs/scripts/docker.sh": ("config", "0o755", True),
        "calico.sh": ("config", "0o644", True),
        "amd64/bin/kubectl": ("kubernetes", "0o755", False),
        "amd64/cri/docker.tar.gz": ("cri", "0o644", False),
        "rootfs/lib/gperf-3.1.tar.gz": ("lib", "0o644", False),
        "tigera-operator.yaml": ("cni", "0o644", False),
        "amd64/images/registry.tar.gz": ("cri", "0o644", False),
    }
    assert found["rootfs/scripts/docker.sh"].rank > found["rootfs/etc/plain.conf"].rank
    assert (
        found["amd64/images/registry.tar.gz"].source.name == f"docker.io_library_registry-2.8.3-amd64-{registry}.tar.gz"
    )


def test_a_piece_is_owned_by_where_it_comes_from(locked: Path) -> None:
    found = pieces(expand(locked, platform="amd64"))

    assert found["rootfs/etc/plain.conf"].owner == f"{locked}/context/rootfs/etc"
    assert found["amd64/bin/kubectl"].owner == "kubectl"
    assert found["amd64/images/registry.tar.gz"].owner == "docker.io/library/registry:2.8.3"


def test_trees_are_merged_where_they_belong(locked: Path) -> None:
    merge = expand(locked, platform="amd64", cni="none").merges[0]

    assert [(branch.root.name, branch.prefix, branch.owner) for branch in merge.branches] == [
        ("v1.22.15-docker", "", "the templates of context/"),
        (f"crictl-1.22.0-amd64-{DIGEST[:12]}", "amd64", "crictl"),
    ]
    assert merge.empty == ("rootfs/registry", "rootfs/manifests")
    assert merge.tree == locked / "_build/context-v1/v1.22.15-docker"


def test_docker_has_cri_dockerd_where_the_kubelet_needs_it(small: Path) -> None:
    write_lock(small, "v1.24.9")

    found = pieces(expand(small, k8s="1.24.9", cri="docker", cni="none"))

    assert {"rootfs/etc/cri-docker.socket", "amd64/cri/cri-dockerd.tar.gz"} < found.keys()


def test_an_overlay_is_laid_over_every_platform(locked: Path, tmp_path: Path) -> None:
    overlay = plant(tmp_path / "mine", {"etc/x.j2": "", "bin/run": "", "link": "-> bin"})
    (overlay / "bin/run").chmod(0o755)

    found = pieces(expand(locked, overlay=str(overlay)))

    assert {(p.part, p.rank, p.users, p.owner) for p in found.values() if p.part == "overlay"} == {
        ("overlay", 2, True, f"overlay {overlay}")
    }
    assert {f"{arch}/{name}" for arch in ("amd64", "arm64") for name in ("etc/x.j2", "bin/run", "link")} < found.keys()
    assert found["arm64/bin/run"].mode == 0o755


def test_every_image_is_pulled_for_every_platform_once(locked: Path) -> None:
    made = expand(locked)

    assert len(made.pulls) == 2 * len(require(locked).images)
    assert made.pulls[0].name == "docker.io/sealerio/lvscare-v1.1.3-amd64"
    digest = made.pulls[0].pinned
    assert made.pulls[0].listing == locked / (
        f"_build/images-v1/docker.io_sealerio_lvscare-v1.1.3-amd64-{digest}.manifest"
    )


def test_images_are_saved_in_groups_under_all_their_names(locked: Path) -> None:
    saves = {save.name: save for save in expand(locked, platform="amd64").saves}

    assert list(saves) == ["base-v1.22.15-amd64", "kubernetes-v1.22.15-amd64", "calico-v1.22.15-amd64"]
    base, kubernetes = saves["base-v1.22.15-amd64"], saves["kubernetes-v1.22.15-amd64"]
    assert base.saved == (Saved(locked_image(LVSCARE, "amd64", "arm64"), (("sealerio/lvscare", "v1.1.3"),)),)
    assert (base.part, base.tree) == ("images-base", locked / "_build/registry-v1/base-v1.22.15-amd64")
    assert kubernetes.saved[-1].names == (
        ("coredns/coredns", "v1.8.4"),
        ("coredns", "v1.8.4"),
        ("other/dns", "fixed"),
    )
    assert len(kubernetes.listings) == len(kubernetes.saved) == 7


def test_a_group_without_images_is_not_saved(locked: Path) -> None:
    (locked / "context/imageList").write_text("")

    assert names(expand(locked, platform="amd64", cni="none").saves) == ["kubernetes-v1.22.15-amd64"]


def test_the_registry_s_image_is_saved_to_be_loaded(locked: Path) -> None:
    load = expand(locked, platform="arm64").loads[0]

    assert (load.name, load.arch, load.compressor) == ("docker.io/library/registry-2.8.3-arm64", "arm64", "gzip 2")
    assert load.listing in [pull.listing for pull in expand(locked).pulls]


def test_an_image_without_a_chosen_platform_is_refused(locked: Path) -> None:
    path = locked / "locks/v1.22.15.toml"
    pins = lock.load(path)
    assert pins is not None
    lock.save(path, replace(pins, images=tuple(locked_image(image.reference, "amd64") for image in pins.images)))

    assert expand(locked, platform="amd64").packs != ()
    assert "has no image for linux/arm64" in error_of(expand, locked).problem


def test_a_package_is_made_of_its_context_and_its_registries(locked: Path) -> None:
    pack = expand(locked, cni="calico").packs[0]

    registry = locked / "_build/registry-v1"
    assert (pack.name, pack.dest) == ("v1.22.15-docker-calico", locked / "dist/v1.22.15-docker-calico")
    assert str(pack.package.reference) == "docker.io/sealerio/kubernetes:v1.22.15-calico"
    assert pack.package.registries == tuple(
        (arch, tuple(registry / f"{group}-v1.22.15-{arch}" for group in ("base", "kubernetes", "calico")))
        for arch in ("amd64", "arm64")
    )
    assert pack.inputs[0] == locked / "_build/context-v1/v1.22.15-docker-calico.manifest"
    assert len(pack.inputs) == 7
    assert (pack.package.compressor, pack.package.labels) == ("isal 1", ())


def test_an_image_of_stand_ins_says_so(small: Path) -> None:
    write_lock(small, mirror=Mirror("embedded", own_bytes=True))

    assert expand(small, mirror="embedded").packs[0].package.labels == (("io.clusterimage.stand-in", "true"),)
