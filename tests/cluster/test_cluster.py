"""A cluster comes up from nothing but a built image, with no network, and goes again without a trace."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import proof, sealer, sealos
from tests.cluster.conftest import Unpack
from tests.cluster.images import Choice, ClusterImage
from tests.cluster.node import Node, boot
from tests.cluster.sandbox import open_sandbox
from tests.cluster.transcript import Transcript

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
# What a Debian that runs writes by itself.
ALIVE = ("/var/log", "/var/lib/systemd", "/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/run")


CHOICES = [Choice("sealer", "containerd"), Choice("sealer", "docker"), Choice("sealos", "containerd")]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_cluster_comes_up_from_the_image_and_goes_again(
    choice: Choice, tree: Path, unpack: Unpack, transcripts: Path
) -> None:
    image = unpack(choice, "amd64")
    tell = Transcript(transcripts / f"{choice}.txt", f"\nv1.20.2, flavor {choice.flavor}, {choice.cri}, one node")
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox())
        with tell.step("a Debian 12 boots in a sandbox without a way out"):
            node = stack.enter_context(boot(sandbox, tree, 1))
        before = node.tree(ALIVE)
        install(node, image, tell)

        proof.bring_network(node, "100.64.0.0/24")
        proof.nodes_ready(node, 1, tell)
        proof.control_plane_runs(node, 7, tell)
        proof.pod_succeeds(node, tell)
        look_where_images_came_from(node, image, tell)

        node.run(f"rm {proof.CONF}")
        uninstall(node, image, tell)
        proof.tree_is_as_before(before, node.tree(ALIVE), tell)
        proof.nothing_escaped(node, tell)


def look_where_images_came_from(node: Node, image: ClusterImage, tell: Transcript) -> None:
    sealos_, cri = image.choice.flavor == "sealos", image.choice.cri
    log = node.run(sealos.REGISTRY_LOG if sealos_ else sealer.registry_log(cri))
    proof.images_came_from(image.root / "registry", log, proof.pods(node), tell)
    url = f"{image.env['registryDomain']}:{image.env['registryPort']}" if sealos_ else sealer.URL
    proof.sandbox_image_came_from(url, "pause:3.2", node, log, cri, tell)


def install(node: Node, image: ClusterImage, tell: Transcript) -> None:
    if image.choice.flavor == "sealos":
        sealos.install(node, image.root, image.labels, image.env, tell)
    else:
        sealer.install(node, image.root, image.choice.cri, tell)


def uninstall(node: Node, image: ClusterImage, tell: Transcript) -> None:
    if image.choice.flavor == "sealos":
        sealos.uninstall(node, image.labels, image.env, tell)
    else:
        sealer.uninstall(node, image.choice.cri, tell)
