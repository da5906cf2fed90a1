"""The graph of both flavors: what they share is made once, what differs has names of its own."""

from __future__ import annotations

import json

import pytest

from tests.builds import Builds
from tests.conftest import Project
from tests.graph.test_graph import tasks_of

SEALOS = "v1.22.15-containerd-sealos"
WORDS = ("cri=containerd", "cni=none", "platform=amd64")


def names(project: Project, **variables: str) -> set[str]:
    return {task["name"] for task in tasks_of(project, cri="containerd", platform="amd64", **variables)}


@pytest.fixture(scope="module")
def both(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return builds.copy(tmp_path_factory.mktemp("both") / "project", *WORDS, "flavor=sealer,sealos")


def test_an_image_for_sealos_has_tasks_of_its_own_name(both: Project) -> None:
    found = names(both, flavor="sealos")

    assert {f"{step}:{SEALOS}" for step in ("render-templates", "merge-rootfs", "package", "verify")} <= found
    assert "extract:sealos-4.3.7-amd64" in found
    assert "save-registry:kubernetes-v1.22.15-amd64-sealos" in found
    assert not {name for name in found if "calico" in name or "seautil" in name}


def test_what_flavors_share_is_fetched_once(both: Project) -> None:
    tasks = [
        task["name"] for task in tasks_of(both, cri="containerd", platform="amd64", flavor="sealer,sealos", cni="none")
    ]

    assert len(tasks) == len(set(tasks))
    assert tasks.count("download:kubeadm-1.22.15-amd64") == 1
    assert tasks.count("pull-images:k8s.gcr.io/pause-3.5-amd64") == 1


def test_every_file_of_both_flavors_has_one_maker(both: Project) -> None:
    assert both.doit("lock", "mirror=embedded", "flavor=sealer,sealos").code == 0
    tasks = tasks_of(both, cri="docker,containerd", flavor="sealer,sealos")
    made = [path for task in tasks for path in task["outputs"]]

    assert {"package:v1.22.15-docker-calico", "package:v1.22.15-containerd-sealos"} <= {task["name"] for task in tasks}
    assert len(made) == len(set(made))


def test_a_build_of_one_flavor_leaves_the_pins_of_the_other(both: Project) -> None:
    lock = both.root / "_build/embedded/locks/v1.22.15.toml"
    before = lock.read_text()
    assert 'component = "sealos"' in before and 'component = "seautil"' in before

    both.build(*WORDS, "flavor=sealer")
    assert "\n0 tasks run" in both.build(*WORDS, "flavor=sealos").out
    assert both.doit("lock", "mirror=embedded", "flavor=sealer", *WORDS).code == 0

    assert lock.read_text() == before


def test_the_image_is_the_same_alone_and_with_the_other(both: Project, project: Project) -> None:
    project.build(*WORDS, "flavor=sealos")

    assert project.digest(SEALOS) == both.digest(SEALOS)


def test_an_edited_template_of_sealos_rebuilds_its_images_only(both: Project) -> None:
    both.edit("context/sealos/rootfs/README.md.j2", "for sealos", "for sealos!")

    result = both.build(*WORDS, "flavor=sealer,sealos")

    ran = {tuple(line.split()[:2]) for line in result.out.splitlines() if line.split()[:1] and "v1.22" in line}
    assert {name for step, name in ran if step == "package"} == {SEALOS}


def test_a_platform_s_layer_of_images_is_what_the_tags_say(both: Project) -> None:
    layout = both.root / "dist/embedded" / SEALOS
    listing = json.loads((layout / "index.json").read_text())

    assert listing["manifests"][0]["annotations"]["io.containerd.image.name"] == "docker.io/labring/kubernetes:v1.22.15"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["flavor=sealos", "cni=calico"],
            "cni=calico: not with flavor=sealos: an application image brings the network",
        ),
        (["flavor=sealer,sealos", "cni=none,calico"], "cni=calico: not with flavor=sealos"),
        (["flavor=sealos", "k8s=v1.12.10"], "k8s=v1.12.10: Kubernetes before v1.13.0 cannot be built"),
        (["flavor=sealos", "cri=crio"], "cri=crio: unknown container runtime"),
    ],
)
def test_a_combination_that_cannot_be_is_refused_with_the_reason(both: Project, words: list[str], says: str) -> None:
    result = both.doit("build", "mirror=embedded", *words)

    assert result.code != 0
    assert says in result.text and "Traceback" not in result.text
