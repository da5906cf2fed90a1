"""What we write for Kubernetes, before Kubernetes itself: kubeadm and the components of many minors, from Go modules.

One of them in one run (tests/integration/real/sample.py). A kubeadm costs 200 seconds of CPU once, the other judge 300.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clusterimage.values.version import Version
from tests.cluster import consumer, sealer
from tests.cluster.node import Node
from tests.conftest import ROOT, new_project, run
from tests.integration.real import kubernetes_judges as judges
from tests.integration.real import rendered_images
from tests.integration.real.rendered_images import RenderedImage
from tests.integration.real.sample import VARIABLE, sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
# The patch of a minor that the module proxy has with all its staging modules, and the flavors that are built for it.
BOTH = ("sealer", "sealos")
RELEASES = {
    "v1.22.15": BOTH,
    "v1.26.0": BOTH,
    "v1.28.15": BOTH,
    "v1.30.14": BOTH,
    "v1.31.0": BOTH,
    "v1.33.13": BOTH,
    "v1.34.4": BOTH,
    "v1.35.4": BOTH,
    "v1.36.5": BOTH,
    "v1.37.0": ("sealos",),  # whose kubeadm refuses what sealer writes
}
CHOSEN = sample(tuple(RELEASES), 1)
IMAGES = [(k8s, cri, flavor) for k8s in CHOSEN for flavor in RELEASES[k8s] for cri in ("docker", "containerd")]
VALIDATES = Version.parse("v1.28.0")  # the first that has it in cmd/kubeadm/app/cmd/config.go
# The parts of a ClusterConfiguration that may have arguments, and whose they are.
PROGRAMS = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
KINDS = ("KubeletConfiguration", "KubeProxyConfiguration")
Images = dict[tuple[str, str, str], RenderedImage]


@pytest.fixture(scope="module", autouse=True)
def said(request: pytest.FixtureRequest) -> None:
    """Say which releases judge."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\njudged by {', '.join(CHOSEN)}; {VARIABLE}=all takes all {len(RELEASES)}")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    found: Images = {}
    for k8s in CHOSEN:
        project = new_project(tmp_path_factory.mktemp("rendered") / "project")
        for image in rendered_images.render(project, k8s, RELEASES[k8s]):
            found[k8s, image.cri, image.flavor] = image
    return found


@pytest.fixture(params=IMAGES, ids="-".join)
def image(request: pytest.FixtureRequest, images: Images) -> RenderedImage:
    return images[request.param]


@pytest.fixture
def kubeadm(image: RenderedImage, tmp_path: Path) -> judges.Kubeadm:
    return judges.kubeadm(image.k8s, tmp_path)


def test_kubeadm_finds_nothing_wrong(image: RenderedImage, kubeadm: judges.Kubeadm) -> None:
    if Version.parse(image.k8s) < VALIDATES:
        pytest.skip(f"kubeadm {image.k8s} cannot validate")
    assert kubeadm.config("validate", documents=image.kubeadm()).wrong == ""


def test_kubeadm_lists_exactly_our_images(image: RenderedImage, kubeadm: judges.Kubeadm) -> None:
    verdict = kubeadm.config("images", "list", documents=image.kubeadm())
    assert verdict.wrong == ""
    # Up to 1.22 it warns on standard output.
    listed = [line for line in verdict.said.splitlines() if not line.startswith("[config] WARNING")]
    assert sorted(listed) == sorted(image.images_of_kubeadm())


def test_kubeadm_turns_every_document_into_its_newest_api(image: RenderedImage, kubeadm: judges.Kubeadm) -> None:
    verdict = kubeadm.config("migrate", documents=image.kubeadm(), option="--old-config")
    assert verdict.wrong == ""
    for kind in ("ClusterConfiguration", "InitConfiguration", "JoinConfiguration"):
        assert f"kind: {kind}" in verdict.said


@ROOT_ONLY
def test_the_components_know_all_arguments_that_kubeadm_gives_them(
    image: RenderedImage, kubeadm: judges.Kubeadm
) -> None:
    commands = judged(image, kubeadm, image.kubeadm())
    for part, program in PROGRAMS.items():
        assert set(ours(image, part)) <= set(commands[program])
    if "etcd" in commands:  # which kubeadm writes, but shows only in later minors
        assert set(ours(image, "etcd", "local")) <= set(commands["etcd"])


@ROOT_ONLY
@pytest.mark.parametrize("image", [one for one in IMAGES if one[2] == "sealer"], ids="-".join, indirect=True)
def test_the_components_know_all_arguments_that_sealer_adds_to_ours(
    image: RenderedImage, kubeadm: judges.Kubeadm
) -> None:
    """sealer merges what it has built in; repair-kubeadm.sh takes out again what the release does not know."""
    socket = image.kubeadm()["InitConfiguration"]["nodeRegistration"]["criSocket"]
    node = cast(Node, SimpleNamespace(address="10.0.0.2", run=lambda command: socket))
    written = sealer.kubeadm_config(node, image.root)
    repaired = run("bash", ROOT / "context/rootfs/scripts/repair-kubeadm.sh", image.k8s, input=written)

    commands = judged(image, kubeadm, consumer.documents(repaired))

    assert "--etcd-servers=https://10.0.0.2:2379" in commands["kube-apiserver"]


def judged(image: RenderedImage, kubeadm: judges.Kubeadm, documents: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return the arguments that kubeadm makes of documents, once their components have read them."""
    dry_run = kubeadm.dry_run(documents)
    assert dry_run.verdict.wrong == ""
    commands = dry_run.commands()
    for program in (*PROGRAMS.values(), "kubelet"):
        assert judges.of_arguments(image.k8s, program, commands[program]).wrong == ""
    return commands


def ours(image: RenderedImage, *place: str) -> list[str]:
    """Return the arguments at a place of the ClusterConfiguration, as a command line has them."""
    value: Any = image.kubeadm()["ClusterConfiguration"]
    for name in place:
        value = value[name]
    found = value.get("extraArgs", {})
    pairs = found.items() if isinstance(found, dict) else [(one["name"], one["value"]) for one in found]
    return [f"--{name}={text}" for name, text in pairs]


@pytest.mark.parametrize("kind", KINDS)
def test_the_component_reads_its_configuration(image: RenderedImage, kind: str) -> None:
    assert judges.of_document(image.k8s, image.kubeadm()[kind]).wrong == ""


def test_the_kubelet_knows_what_its_unit_gives_it(image: RenderedImage) -> None:
    tree = "context/rootfs" if image.flavor == "sealer" else "context/sealos/rootfs"
    unit = (ROOT / tree / "etc/10-kubeadm.conf").read_text()
    arguments = [word for said in re.findall(r'^Environment="\w+=(.*)"$', unit, re.M) for word in said.split()]

    assert "--config=/var/lib/kubelet/config.yaml" in arguments
    assert judges.of_arguments(image.k8s, "kubelet", arguments).wrong == ""


@pytest.mark.parametrize("k8s", CHOSEN)
def test_kubeadm_would_find_what_is_wrong(images: Images, k8s: str, tmp_path: Path) -> None:
    kubeadm = judges.kubeadm(k8s, tmp_path)
    cluster = images[k8s, "containerd", "sealos"].kubeadm()
    for field, value in (("apiVersion", "kubeadm.k8s.io/v1alpha1"), ("nonsense", True), ("networking", {"dns": "x"})):
        changed = cluster | {"ClusterConfiguration": cluster["ClusterConfiguration"] | {field: value}}
        assert kubeadm.config("images", "list", documents=changed).wrong != "", field


@pytest.mark.parametrize(
    ("kind", "field", "value", "says"),
    [
        ("KubeletConfiguration", "nonsense", 1, "nonsense"),
        ("KubeletConfiguration", "maxPods", -1, "--max-pods"),
        ("KubeletConfiguration", "featureGates", {"Nonsense": True}, "unrecognized feature gate: Nonsense"),
        ("KubeletConfiguration", "apiVersion", "kubelet.config.k8s.io/v9", "no kind"),
        ("KubeProxyConfiguration", "mode", "nonsense", "nonsense"),
        ("KubeProxyConfiguration", "ipvs", {"excludeCIDR": "10.0.0.0/8"}, "excludeCIDR"),
    ],
)
@pytest.mark.parametrize("k8s", CHOSEN)
def test_a_component_would_find_what_is_wrong(
    images: Images, k8s: str, kind: str, field: str, value: object, says: str
) -> None:
    document = images[k8s, "containerd", "sealos"].kubeadm()[kind] | {field: value}
    assert says in judges.of_document(k8s, document).wrong


@pytest.mark.parametrize(
    ("program", "argument", "says"),
    [
        ("kube-apiserver", "--audit-log-maxage=seven", "invalid syntax"),
        ("kube-apiserver", "--feature-gates=Nonsense=true", "unrecognized feature gate: Nonsense"),
        ("kube-controller-manager", "--cluster-signing-duration=long", "invalid duration"),
        ("kube-scheduler", "--nonsense=1", "unknown flag: --nonsense"),
        ("kubelet", "--nonsense=1", "unknown flag: --nonsense"),
    ],
)
@pytest.mark.parametrize("k8s", CHOSEN)
def test_a_component_would_refuse_the_argument(k8s: str, program: str, argument: str, says: str) -> None:
    assert says in judges.of_arguments(k8s, program, [argument]).wrong
