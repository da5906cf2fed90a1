"""Every way of customising that the seeds show has a place here."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import Project, clean_environment

SMALL = ("cni=none", "platform=amd64")


def rootfs(project: Project, name: str = "v1.22.15-docker") -> Path:
    return project.root / "_build/embedded/context-v1" / name / "rootfs"


def documents(project: Project, name: str = "v1.22.15-docker") -> dict[str, dict[str, object]]:
    text = (rootfs(project, name) / "etc/kubeadm.yml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_an_own_daemon_json_and_docker_service_take_the_place_of_ours(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/docker/etc/daemon.json.j2").unlink()
    (project.root / "context/docker/etc/daemon.json").write_text('{"max-concurrent-downloads": 20}\n')
    (project.root / "context/docker/etc/docker.service").write_text("[Service]\nExecStart=/usr/bin/dockerd\n")

    project.build(*SMALL)

    assert json.loads((rootfs(project) / "etc/daemon.json").read_text()) == {"max-concurrent-downloads": 20}
    assert "ExecStart=/usr/bin/dockerd\n" in (rootfs(project) / "etc/docker.service").read_text()


@pytest.mark.parametrize(
    ("cri", "old", "new"), [("docker", "20.10.24", "20.10.21"), ("containerd", "1.7.36", "1.7.34")]
)
def test_another_version_of_a_runtime_is_a_row(built_by: Callable[..., Project], cri: str, old: str, new: str) -> None:
    project = built_by(*SMALL)
    project.edit("versions.toml", f'", "{old}", {{', f'", "{new}", {{')

    project.build(*SMALL, f"cri={cri}")

    name = f"v1.22.15-{cri}"
    assert (
        f'"cluster.alpha.sealer.io/container-runtime-version"="{new}"'
        in (rootfs(project, name) / "Kubefile").read_text()
    )


def test_an_own_containerd_configuration_takes_the_place_of_ours(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/containerd/etc/dump-config.toml.j2").write_text(
        'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "{{ registry }}/pause:{{ pause }}"\n'
    )
    (project.root / "context/containerd/etc/containerd.service").write_text("[Service]\nRestart=always\n")

    project.build(*SMALL, "cri=containerd")

    root = rootfs(project, "v1.22.15-containerd")
    config = tomllib.loads((root / "etc/dump-config.toml").read_text())
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "sea.hub:5000/pause:3.5"
    assert (root / "etc/containerd.service").read_text() == "[Service]\nRestart=always\n"


def test_an_own_registry_configuration_and_image(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/rootfs/etc/registry_config.yml").write_text("version: 0.1\n")
    project.edit("versions.toml", "docker.io/library/registry:2.8.3", "docker.io/library/registry:2.8.1")

    result = project.build(*SMALL)

    assert (rootfs(project) / "etc/registry_config.yml").read_text() == "version: 0.1\n"
    assert "docker.io/library/registry-2.8.1-amd64" in result.out


def test_another_registry_and_other_networks_are_settings(project: Project) -> None:
    project.edit("versions.toml", 'registry = "sea.hub:5000"', 'registry = "hub.example.com:5443"')
    project.edit("versions.toml", 'pod_subnet = "100.64.0.0/10"', 'pod_subnet = "10.244.0.0/16"')
    project.edit("versions.toml", 'service_subnet = "10.96.0.0/22"', 'service_subnet = "10.97.0.0/16"')

    project.build("platform=amd64", "cri=containerd")

    cluster = documents(project, "v1.22.15-containerd")["ClusterConfiguration"]
    assert cluster["imageRepository"] == "hub.example.com:5443"
    assert cluster["networking"] == {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.97.0.0/16"}
    root = rootfs(project, "v1.22.15-containerd")
    assert "hub.example.com:5443/pause:3.5" in (root / "etc/dump-config.toml").read_text()
    registry = yaml.safe_load((root / "etc/registry.yml").read_text())
    assert "hub.example.com" in str(registry) and "5443" in str(registry)
    calico = (project.root / "_build/embedded/context-v1/v1.22.15-containerd-calico/custom-resources.yaml").read_text()
    assert "10.244.0.0/16" in calico and "hub.example.com:5443" in calico


def test_a_user_s_parts_of_kubeadm_yml_are_laid_over_the_default(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/kubeadm.yml").write_text(
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\nlocalAPIEndpoint:\n  bindPort: 7443\n"
        "nodeRegistration:\n  criSocket: /var/run/dockershim.sock\n---\n"
        "kind: ClusterConfiguration\nnetworking:\n  podSubnet: 10.5.0.0/16\n"
        "apiServer:\n  extraArgs:\n    audit-log-maxage: '30'\n"
    )

    result = project.build("platform=amd64")

    assert "render-templates  v1.22.15-docker " in result.out
    found = documents(project)
    assert found["InitConfiguration"]["localAPIEndpoint"] == {"bindPort": 7443}
    assert found["ClusterConfiguration"]["networking"]["podSubnet"] == "10.5.0.0/16"  # type: ignore[index]
    arguments = found["ClusterConfiguration"]["apiServer"]["extraArgs"]  # type: ignore[index]
    assert arguments["audit-log-maxage"] == "30" and arguments["audit-log-format"] == "json"
    calico = (project.root / "_build/embedded/context-v1/v1.22.15-docker-calico/custom-resources.yaml").read_text()
    assert "10.5.0.0/16" in calico


def test_a_part_that_the_version_does_not_know_is_named(project: Project) -> None:
    (project.root / "context/kubeadm.yml").write_text("kind: ClusterConfiguratoin\n")

    result = project.doit("build", "mirror=embedded", *SMALL)

    assert result.code != 0 and "Traceback" not in result.text
    assert "ClusterConfiguratoin" in result.text and "ClusterConfiguration" in result.text


def test_extra_images_are_saved(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    with (project.root / "context/imageList").open("a") as images:
        images.write("nginx:1.25  # the office's own\nquay.io/prometheus/node-exporter:v1.6.1\n")

    project.build(*SMALL)

    saved = project.root / "_build/embedded/registry-v1/base-v1.22.15-amd64/docker/registry/v2/repositories"
    assert (saved / "library/nginx/_manifests/tags/1.25/current/link").exists()
    assert (saved / "prometheus/node-exporter/_manifests/tags/v1.6.1/current/link").exists()


def test_auto_build_ends_with_the_kubefile_and_image_list_of_the_seed(project: Project) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from clusterimage.engine.auto_build import main; main()"),
            *("--k8s-version=v1.22.15", "--platform=amd64", "mirror=embedded"),
        ],
        cwd=project.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    root = rootfs(project, "v1.22.15-docker-calico")
    lines = (root / "Kubefile").read_text().splitlines()
    assert lines == [
        "FROM scratch",
        "COPY rootfs .",
        "COPY ${ARCH} .",
        "COPY imageList manifests",
        'LABEL "io.clusterimage.client"="sealer >=0.9.2"',
        'LABEL "cluster.alpha.sealer.io/cluster-runtime-version"="v1.22.15"',
        'LABEL "cluster.alpha.sealer.io/cluster-runtime-type"="kubernetes"',
        'LABEL "cluster.alpha.sealer.io/container-runtime-type"="docker"',
        'LABEL "cluster.alpha.sealer.io/container-runtime-version"="20.10.24"',
        "COPY tigera-operator.yaml applications/tigera-operator.yaml",
        "COPY custom-resources.yaml applications/custom-resources.yaml",
        "CNI calico local://calico.sh",
        'LAUNCH ["calico"]',
    ]
    listing = (project.root / "_build/embedded/context-v1/v1.22.15-docker-calico/imageList").read_text().splitlines()
    assert listing == [
        "docker.io/sealerio/lvscare:v1.1.3-beta.8",
        "quay.io/tigera/operator:v1.25.3",
        *(f"docker.io/calico/{name}:v3.22.1" for name in ("node", "pod2daemon-flexvol", "cni", "kube-controllers")),
        *(f"docker.io/calico/{name}:v3.22.1" for name in ("typha", "apiserver")),
        *(f"k8s.gcr.io/kube-{name}:v1.22.15" for name in ("apiserver", "controller-manager", "scheduler", "proxy")),
        *("k8s.gcr.io/pause:3.5", "k8s.gcr.io/etcd:3.5.0-0", "k8s.gcr.io/coredns/coredns:v1.8.4"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "kubeadm.yml",
            "kind: KubeletConfiguration\nmaxPodz: 250\n",
            ["line 2: KubeletConfiguration.maxPodz", "maxPods?"],
        ),
        (
            "kubeadm.yml.j2",
            "kind: KubeletConfiguration\n",
            ["context/kubeadm.yml.j2: kubeadm's configuration is no template"],
        ),
    ],
)
def test_an_own_configuration_that_nobody_reads_is_refused(
    built_by: Callable[..., Project], name: str, text: str, said: list[str]
) -> None:
    project = built_by(*SMALL)
    (project.root / "context" / name).write_text(text)

    result = project.doit("build", "mirror=embedded", *SMALL)

    assert result.code != 0 and "Traceback" not in result.text
    assert all(words in result.text for words in said)


def test_the_image_tag_of_an_own_configuration_is_the_image_that_is_saved(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/kubeadm.yml").write_text(
        "kind: ClusterConfiguration\ndns: {imageTag: v1.9.4}\netcd: {local: {imageTag: 3.5.9-0}}\n"
    )

    project.build(*SMALL)

    listing = (rootfs(project).parent / "imageList").read_text().splitlines()
    assert {"k8s.gcr.io/coredns/coredns:v1.9.4", "k8s.gcr.io/etcd:3.5.9-0"} <= set(listing)
    assert not {"k8s.gcr.io/coredns/coredns:v1.8.4", "k8s.gcr.io/etcd:3.5.0-0"} & set(listing)


def test_an_own_configuration_that_leads_nowhere_is_not_passed_over(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/kubeadm.yml").symlink_to("elsewhere.yml")

    result = project.doit("build", "mirror=embedded", *SMALL)

    assert result.code != 0 and "context/kubeadm.yml: is a link to elsewhere.yml, where no file is" in result.err


def test_the_seed_s_own_words_for_a_daemon_json_are_told_the_new_place(project: Project) -> None:
    path = project.root / "context/docker/rootfs/etc/daemon.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"max-concurrent-downloads": 20}\n')

    result = project.doit("build", "mirror=embedded", *SMALL)

    assert result.code != 0 and len(result.err.splitlines()) == 2
    assert (
        "context/docker/rootfs/etc/daemon.json: basefs has it there, here it is context/docker/etc/daemon.json"
        in result.err
    )
    path.rename(project.root / "context/docker/etc/daemon.json")
    (project.root / "context/docker/etc/daemon.json.j2").unlink()
    project.build(*SMALL)
    assert json.loads((rootfs(project) / "etc/daemon.json").read_text()) == {"max-concurrent-downloads": 20}


def test_a_file_that_nothing_reads_is_named_once(built_by: Callable[..., Project]) -> None:
    project = built_by(*SMALL)
    (project.root / "context/dokcer").mkdir()
    (project.root / "context/dokcer/daemon.json").write_text("{}")

    first, second = project.build(*SMALL), project.build(*SMALL)

    assert first.err == "note: context/dokcer/daemon.json: nothing reads it; did you mean docker/?\n"
    assert second.err == ""
    assert project.doit("list", "mirror=embedded").err == ""


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("context/rootfs/statics/audit-policy.yml", "a: [\n", "its program cannot read it: "),
        (
            "context/docker/etc/daemon.json.j2",
            '{"a": "{{ registry }}",}\n',
            "its program cannot read what it renders to: ",
        ),
        ("context/rootfs/etc/own.toml", "a = \n", "its program cannot read it: "),
        ("context/docker/etc/own.json", "\ufeff{}", "its program cannot read it: it begins with a byte order mark"),
    ],
)
def test_a_broken_configuration_fails_the_build(
    built_by: Callable[..., Project], path: str, text: str, says: str
) -> None:
    project = built_by(*SMALL)
    good = project.digest()
    before = (project.root / path).read_text() if (project.root / path).exists() else "{}"
    (project.root / path).write_text(text)

    result = project.doit("build", "mirror=embedded", *SMALL)

    assert result.code != 0 and f"FAILED render-templates:v1.22.15-docker: {path}: {says}" in result.text
    assert "Traceback" not in result.text
    (project.root / path).write_text(before)
    if "own" not in path:
        project.build(*SMALL)
        assert project.digest() == good
