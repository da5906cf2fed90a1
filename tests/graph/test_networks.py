"""Networks (CNI) as rows: those that there are, and a further one that is a row and a folder."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.graph.user_image import Built
from tests.unit.conftest import plant

OWN = """
[cni.kilo]
title = "Kilo"

[[cni.kilo.versions]]
kubernetes = ">=1.20"
version = "0.6.0"
images = ["docker.io/squat/kilo:0.6.0"]
"""
WORDS = ("mirror=embedded", "platform=amd64", "cri=containerd", "k8s=v1.34.4")


def paths(built: Built) -> set[str]:
    return {path for number in range(len(built.layers)) for path in built.files(number)}


@pytest.mark.parametrize(
    ("cni", "files", "images"),
    [
        ("flannel", {"kube-flannel.yml"},
         {"flannel-io/flannel:v0.28.10", "flannel-io/flannel-cni-plugin:v1.9.1-flannel3"}),
        ("cilium", {"cilium.tgz", "cilium-values.yaml"}, {"cilium/cilium:v1.20.2", "cilium/operator-generic:v1.20.2"}),
    ],
)  # fmt: skip
def test_a_network_is_an_application_with_its_images(
    project: Project, cni: str, files: set[str], images: set[str]
) -> None:
    project.build(*WORDS, f"cni=none,{cni}")
    assert project.doit("verify", *WORDS, f"cni=none,{cni}").code == 0

    without, built = (Built(project, f"v1.34.4-containerd{suffix}") for suffix in ("", f"-{cni}"))
    assert built.extension["launch"] == {"app_names": [cni]}
    assert paths(built) - paths(without) >= {
        f"application/apps/{cni}/{cni}.sh",
        *(f"applications/{one}" for one in files),
    }
    assert set(built.tags()) - set(without.tags()) == images
    assert ("bin/helm" in paths(built)) == (cni == "cilium") and "bin/helm" not in paths(without)


def test_a_further_network_is_a_row_and_a_folder(project: Project) -> None:
    project.edit("versions.toml", '"flannel", "cilium"]', '"flannel", "cilium", "kilo"]')
    with (project.root / "versions.toml").open("a") as text:
        text.write(OWN)
    plant(project.root / "context/kilo", {"kilo.sh": "#!/bin/sh\nkubectl apply -f applications/kilo.yaml\n"})
    plant(project.root / "context/kilo", {"kilo.yaml.j2": "kind: List\nitems: [] # {{ pod_subnet }}\n"})
    (project.root / "context/kilo/kilo.sh").chmod(0o755)

    project.build(*WORDS, "cni=kilo")

    assert project.doit("verify", *WORDS, "cni=kilo").code == 0
    built = Built(project, "v1.34.4-containerd-kilo")
    assert {"application/apps/kilo/kilo.sh", "applications/kilo.yaml"} <= paths(built)
    assert built.extension["launch"] == {"app_names": ["kilo"]} and "squat/kilo:0.6.0" in built.tags()
    refused = project.doit("plan", *WORDS[:-1], "k8s=v1.19.16", "cni=kilo")
    assert "cni=kilo: Kilo has no row for v1.19.16, only for >=1.20" in refused.text and refused.code != 0


def test_verify_names_what_the_script_of_a_network_lacks(project: Project) -> None:
    project.edit("context/Kubefile.j2", "COPY {{ file }} applications/{{ file }}", "")

    project.build(*WORDS, "cni=flannel")
    result = project.doit("verify", *WORDS, "cni=flannel")

    assert result.code != 0
    assert "applications/kube-flannel.yml: is missing (flannel.sh applies it)" in result.text
