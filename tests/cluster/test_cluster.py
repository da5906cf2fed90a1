"""A cluster comes up from nothing but a built image, with no network, and goes again without a trace.

Of v1.20.2 with docker and containerd, of v1.34.4 with containerd: docker needs cri-dockerd there, which is no Go module
that can be had.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import images, names, proof, sealer, sealos
from tests.cluster.conftest import Projects, Unpack
from tests.cluster.images import Choice, ClusterImage
from tests.cluster.node import Node, boot
from tests.cluster.sandbox import open_sandbox
from tests.cluster.transcript import Transcript
from tests.integration.real.release import RELEASES, V1_20, V1_34, Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
# What a Debian that runs writes by itself.
ALIVE = ("/var/log", "/var/lib/systemd", "/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/run")


CHOICES = [
    *(Choice("sealer", cri, V1_20) for cri in ("containerd", "docker")),
    Choice("sealos", "containerd", V1_20),
    *(Choice(flavor, "containerd", V1_34) for flavor in ("sealer", "sealos")),
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_cluster_comes_up_from_the_image_and_goes_again(
    choice: Choice, tree: Path, unpack: Unpack, transcripts: Path
) -> None:
    image = unpack(choice, "amd64")
    tell = Transcript(transcripts / f"{choice}.txt", f"\n{choice.k8s}, flavor {choice.flavor}, {choice.cri}, one node")
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
        if choice.release.answers_names:
            names.are_answered(node, tell)
        look_where_images_came_from(node, image, tell)

        node.run(f"rm {proof.CONF}")
        uninstall(node, image, tell)
        proof.tree_is_as_before(before, node.tree(ALIVE), tell)
        proof.nothing_escaped(node, tell)


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_a_worker_joins(release: Release, tree: Path, unpack: Unpack, transcripts: Path) -> None:
    image = unpack(Choice("sealer", "containerd", release), "amd64")
    title = f"\n{release}, flavor sealer, containerd, a master and a worker"
    tell = Transcript(transcripts / f"{release}-worker.txt", title)
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox())
        with tell.step("two Debian 12 boot in a sandbox without a way out"):
            master, worker = (stack.enter_context(boot(sandbox, tree, number)) for number in (1, 2))
        before = worker.tree(ALIVE)
        install(master, image, tell)
        sealer.join(worker, master, image.root, image.choice.cri, tell)
        for node, subnet, other in ((master, "100.64.0.0/24", worker), (worker, "100.64.1.0/24", master)):
            proof.bring_network(node, subnet)
            other.run(f"ip route add {subnet} via {node.address}")

        proof.nodes_ready(master, 2, tell)
        proof.control_plane_runs(master, 8, tell)
        proof.pod_succeeds(master, tell, where=worker.name)
        look_where_images_came_from(master, image, tell)

        proof.kubectl(master, f"delete node {worker.name}")
        worker.run(f"rm {proof.CONF}")
        uninstall(worker, image, tell)
        proof.tree_is_as_before(before, worker.tree(ALIVE), tell)
        proof.nothing_escaped(master, tell)


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_a_newer_patch_laid_over_changes_only_what_differs_and_the_node_keeps_running(
    release: Release, tree: Path, projects: Projects, unpack: Unpack, transcripts: Path
) -> None:
    old, new = (unpack(Choice("sealer", "containerd", release, newer), "amd64") for newer in (False, True))
    title = f"\n{release} to {release.newer}, flavor sealer, containerd, one node"
    tell = Transcript(transcripts / f"{release}-upgrade.txt", title)
    changed = images.changed_paths(projects(release), old.layout, new.layout, "amd64")
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox())
        with tell.step("a Debian 12 boots in a sandbox without a way out"):
            node = stack.enter_context(boot(sandbox, tree, 1))
        install(node, old, tell)
        proof.bring_network(node, "100.64.0.0/24")
        proof.control_plane_runs(node, 7, tell)
        rootfs, running = node.root / sealer.ROOTFS.lstrip("/"), proof.containers(node)
        files = files_of(rootfs)

        sealer.upgrade(node, new.root, changed, release.newer, tell)

        touched = {path for path, state in files_of(rootfs).items() if files.get(path) != state}
        assert touched <= {*changed, "etc/kubeadm.yml"}  # filled in anew from its template
        for path in changed:
            assert (rootfs / path).read_bytes() == (new.root / path).read_bytes() or path == "etc/kubeadm.yml"
        kept = proof.containers(node) & running
        tell.say(
            f"          {len(touched)} of {len(files)} files changed, {len(kept)} of {len(running)} containers ran on"
        )
        assert kept
        proof.version_is(node, release.newer, tell)
        proof.control_plane_runs(node, 7, tell)
        proof.pod_succeeds(node, tell)
        proof.nothing_escaped(node, tell)


def files_of(root: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of every file."""
    states = ((path, path.lstat()) for path in root.rglob("*") if not path.is_dir())
    return {str(path.relative_to(root)): (state.st_ino, state.st_mtime_ns) for path, state in states}


def look_where_images_came_from(node: Node, image: ClusterImage, tell: Transcript) -> None:
    sealos_, cri = image.choice.flavor == "sealos", image.choice.cri
    log = node.run(sealos.REGISTRY_LOG if sealos_ else sealer.registry_log(cri))
    proof.images_came_from(image.root / "registry", log, proof.pods(node), tell)
    url = f"{image.env['registryDomain']}:{image.env['registryPort']}" if sealos_ else sealer.URL
    proof.sandbox_image_came_from(url, image.choice.release, node, log, cri, tell)


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
