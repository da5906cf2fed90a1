"""The real sealer brings clusters up from our images, with a worker, and takes them away again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import proof, real_sealer, sealer
from tests.cluster.conftest import Unpack
from tests.cluster.images import Choice
from tests.cluster.node import Node, boot
from tests.cluster.sandbox import open_sandbox
from tests.cluster.test_cluster import ALIVE
from tests.cluster.transcript import Transcript
from tests.integration.real.release import V1_20

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]


def rest(node: Node) -> dict[str, str]:
    """Describe what lies on the node's disk besides what sealer keeps for itself."""
    return {path: state for path, state in node.tree(ALIVE).items() if not path.startswith(real_sealer.OWN)}


CHOICES = [Choice("sealer", cri, V1_20) for cri in V1_20.cris]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_sealer_runs_an_image_joins_a_worker_and_deletes_both(
    choice: Choice, tree: Path, unpack: Unpack, transcripts: Path
) -> None:
    image = unpack(choice, "amd64")
    title = f"\n{choice.k8s}, {choice.cri}, the real sealer {real_sealer.version()}, a master and a worker"
    tell = Transcript(transcripts / f"real-{choice}.txt", title)
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox())
        with tell.step("two Debian 12 boot in a sandbox without a way out"):
            master, worker = (stack.enter_context(boot(sandbox, tree, number)) for number in (1, 2))
        before = {node: (rest(node), proof.kernel(node)) for node in (master, worker)}
        name = real_sealer.prepare(master, (worker,), image, tell)
        real_sealer.install(master, name, tell)
        real_sealer.join(master, worker, tell)
        for node, subnet, other in ((master, "100.64.0.0/24", worker), (worker, "100.64.1.0/24", master)):
            proof.bring_network(node, subnet)
            other.run(f"ip route add {subnet} via {node.address}")

        proof.nodes_ready(master, 2, tell)
        proof.control_plane_runs(master, 8, tell)  # all but the load balancer of the worker, which wants ip_vs
        proof.pod_succeeds(master, tell, where=worker.name)
        log = master.run(sealer.registry_log(choice.cri))
        proof.images_came_from(image.root / "registry", log, proof.pods(master), tell)

        real_sealer.remove(master, worker, tell)
        real_sealer.uninstall(master, tell)
        real_sealer.forget_routes(worker)
        for node in (master, worker):
            node.run(f"rm -f {proof.CONF}")
        for node in (master, worker):
            files, kernel = before[node]
            proof.tree_is_as_before(files, rest(node), tell)
            proof.kernel_is_as_before(kernel, proof.kernel(node), tell)
            assert sealer.DOMAIN not in node.run("cat /etc/hosts")
        proof.nothing_escaped(master, tell)
