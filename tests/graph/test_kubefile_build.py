"""Images of users' own Kubefiles: the examples of the documents."""

from __future__ import annotations

import shutil

from tests.conftest import Project
from tests.graph.user_image import BASE, POD, Built, good, package


def test_a_daemon_json_over_a_base_is_one_layer_over_the_same_layers(user: Project) -> None:
    good(package(user, f"FROM {BASE}-calico\nCOPY daemon.json etc/\n", **{"daemon.json": '{"mine": true}'}))

    base, built = Built(user, "v1.22.15-docker-calico"), Built(user)
    assert built.layers[:-1] == base.layers
    assert built.files() == {"etc/daemon.json": b'{"mine": true}'}
    assert built.config["config"]["Labels"] == base.config["config"]["Labels"]
    assert built.config["rootfs"]["diff_ids"][:-1] == base.config["rootfs"]["diff_ids"]
    assert built.extension == base.extension
    assert built.images == base.images
    verify = user.doit("verify", "mirror=embedded", "platform=amd64", "kubefile=app/Kubefile", "name=me/app:v1")
    assert verify.code == 0, verify.text


def test_a_name_without_host_and_path_finds_the_image_that_was_built_here(user: Project) -> None:
    result = package(user, "FROM kubernetes:v1.22.15\nCOPY kubeadm.yml etc\n", **{"kubeadm.yml": "kind: X\n"})

    good(result)
    assert list(Built(user).files()) == ["etc/kubeadm.yml"]


def test_a_rootfs_from_scratch_is_a_base_for_the_next(user: Project) -> None:
    rootfs = {"bin/kubeadm": "x", "etc/daemon.json": "{}", "Metadata": "{}", "manifests/imageList": "busybox\n"}
    good(package(user, "FROM scratch\nCOPY . .\n", name="user-defined-kubernetes:v1.19.8", **rootfs))
    built = Built(user, "user-defined-kubernetes+v1.19.8")
    assert set(built.files()) == {*rootfs, "Kubefile"}
    assert built.tags() == ["library/busybox:latest"]
    assert built.extension["type"] == "kube-installer"

    good(package(user, "FROM user-defined-kubernetes:v1.19.8\nCOPY daemon.json etc\n", **{"daemon.json": "{1}"}))

    assert Built(user).layers[:-1] == built.layers


def test_every_directory_of_the_guide_takes_what_the_guide_puts_there(user: Project) -> None:
    kubefile = (
        f"FROM {BASE}\nCOPY imageList manifests\nCOPY recommend.yaml manifests\nCOPY shell.yaml plugins\n"
        "COPY nginx charts\nCOPY registry_config.yaml etc/\n"
    )
    files = {
        "imageList": "busybox\n",
        "recommend.yaml": POD,
        "shell.yaml": "kind: Plugin\nspec: {type: SHELL, action: PostInstall}\n",
        "registry_config.yaml": "version: 0.1\n",
        "nginx/Chart.yaml": "name: nginx\nappVersion: 1.21.0\n",
        "nginx/values.yaml": "image: {repository: bitnami/nginx, tag: ''}\n",
        "nginx/templates/d.yaml": "image: {{ .Values.image.repository }}:{{ .Chart.AppVersion }}\n",
    }
    result = good(package(user, kubefile, **files))

    built = Built(user)
    base = Built(user, "v1.22.15-docker")
    new = sorted({*built.tags()} - {*base.tags()})
    assert new == ["a/b:v1", "bitnami/nginx:1.21.0", "library/busybox:latest", "library/nginx:1.25"]
    assert {"plugins/shell.yaml", "charts/Chart.yaml", "manifests/recommend.yaml"} <= set(built.files())
    assert built.layers[: len(base.layers)] == base.layers
    assert result.err.count("no helm is on PATH") == (0 if shutil.which("helm") else 1)


def test_the_kubefile_of_auto_build_gives_its_labels_and_launches_calico(user: Project) -> None:
    label = "cluster.alpha.sealer.io/"
    kubefile = (
        "FROM scratch\nCOPY rootfs .\nCOPY amd64 .\nCOPY imageList manifests\n"
        f'LABEL "{label}cluster-runtime-version"="v1.22.15"\nLABEL "{label}cluster-runtime-type"="kubernetes"\n'
        f'LABEL "{label}container-runtime-type"="docker"\nLABEL "{label}container-runtime-version"="19.03.14"\n'
        "COPY tigera-operator.yaml applications/tigera-operator.yaml\n"
        "COPY custom-resources.yaml applications/custom-resources.yaml\n"
        'CNI calico local://calico.sh\nLAUNCH ["calico"]\n'
    )
    files = {
        "rootfs/etc/x": "1",
        "amd64/bin/kubeadm": "k",
        "imageList": "k8s.gcr.io/pause:3.5\ncalico/node:v3.22.1\n",
        "tigera-operator.yaml": "a: 1\n",
        "custom-resources.yaml": "b: 1\n",
        "calico.sh": "#!/bin/sh\n",
    }
    good(package(user, kubefile, **files))

    built = Built(user)
    assert built.config["config"]["Labels"][f"{label}kube-cni-calico"] == "true"
    assert built.config["config"]["Labels"][f"{label}container-runtime-version"] == "19.03.14"
    assert built.extension["launch"] == {"app_names": ["calico"]}
    assert built.tags() == ["calico/node:v3.22.1", "pause:3.5"]
    assert built.files()["application/apps/calico/calico.sh"] == b"#!/bin/sh\n"
