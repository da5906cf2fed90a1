"""Every configuration that we write for containerd, read by three lines of containerd."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.cluster import consumer
from tests.conftest import new_project
from tests.integration.real import containerd_judge as judge
from tests.integration.real import rendered_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
# By Kubernetes version: the containerd of its images, and so the syntax of their configuration.
RELEASES = {"v1.22.15": ("sealer", "sealos"), "v1.36.5": ("sealer", "sealos"), "v1.37.0": ("sealos",)}
IMAGES = [(k8s, flavor) for k8s, flavors in RELEASES.items() for flavor in flavors]
# As sealos fills them in: the ENV of context/sealos/Kubefile.j2.
ENV = {"criData": "/var/lib/containerd", "registryDomain": "sealos.hub", "registryPort": "5000"}
ENV |= {"sandboxImage": "pause:3.9"}
Configs = dict[tuple[str, str], Path]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Configs:
    """The configurations as they come to lie on a node."""
    found: Configs = {}
    for k8s, flavors in RELEASES.items():
        project = new_project(tmp_path_factory.mktemp("rendered") / "project")
        for image in rendered_images.render(project, k8s, flavors):
            if image.cri == "containerd":
                consumer.fill_templates(image.root, ("etc",), ENV)
                found[k8s, image.flavor] = image.root / "etc/dump-config.toml"
    consumer.forget_templates()
    return found


@pytest.fixture(params=IMAGES, ids="-".join)
def config(request: pytest.FixtureRequest, configs: Configs) -> Path:
    return configs[request.param]


def problems(config: Path, version: str) -> list[str]:
    if tomllib.loads(config.read_text())["version"] == 3 and version < "2":
        pytest.skip("containerd 1 does not read version 3: containerd.sh refuses it on a node")
    return judge.problems(judge.program(version), config)


@pytest.mark.parametrize("version", judge.VERSIONS)
def test_containerd_knows_every_key_and_takes_every_value(config: Path, version: str) -> None:
    assert problems(config, version) == []


def test_the_configuration_says_what_kubernetes_needs(config: Path) -> None:
    said = {place[-1]: value for place, value in judge.leaves(tomllib.loads(config.read_text()))}

    assert said["SystemdCgroup"] is True and said["config_path"] == "/etc/containerd/certs.d"
    pause = said["sandbox_image"] if said["version"] == 2 else said["sandbox"]
    assert pause.startswith(("sea.hub:5000/pause:3.", "sealos.hub:5000/pause:3."))


@pytest.mark.parametrize("right", ["config_path", "SystemdCgroup", "runtime_type", "sandbox", "root", "grpc.v1.cri"])
@pytest.mark.parametrize("version", judge.VERSIONS)
def test_a_mistake_would_be_found(configs: Configs, version: str, right: str, tmp_path: Path) -> None:
    text = configs["v1.22.15", "sealos"].read_text()
    assert right in text
    path = tmp_path / "config.toml"
    path.write_text(text.replace(right, f"{right}x"))
    assert problems(path, version) != []
