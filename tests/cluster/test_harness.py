"""What the harness itself must do, which needs no node: failures are loud, configurations are merged as in Go."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from tests.cluster import listener, proof, sample, test_cluster
from tests.cluster.consumer import merged
from tests.cluster.node import StepFailed
from tests.cluster.transcript import Transcript

LOG = """\
10.0.0.2 - - [21/Nov/2026:04:00:00 +0000] "HEAD /v2/kube-proxy/manifests/v1.20.2 HTTP/1.1" 200 1 "" "containerd/1.6.20"
10.0.0.2 - - [21/Nov/2026:04:00:00 +0000] "GET /v2/library/busybox/manifests/1.35.0?ns=docker.io HTTP/1.1" 200 1 "" ""
10.0.0.2 - - [21/Nov/2026:04:00:00 +0000] "GET /v2/none/manifests/1 HTTP/1.1" 404 1 "" ""
"""


class DeadNode:
    """A node whose commands print what they are."""

    def run(self, script: str) -> str:
        return f"the last words of {script}"


def test_a_step_that_fails_tells_what_failed_and_the_end_of_the_right_log(tmp_path: Path) -> None:
    tell = Transcript(tmp_path / "run.txt", "a run")

    with pytest.raises(StepFailed), tell.step("kubeadm init", DeadNode(), "journalctl -u kubelet"):  # type: ignore[arg-type]
        raise StepFailed("exit status 1: no such image")

    told = (tmp_path / "run.txt").read_text()
    assert "FAILED  kubeadm init\nexit status 1: no such image\n--- journalctl -u kubelet\n" in told
    assert "the last words of { journalctl -u kubelet; }" in told


def test_a_step_is_told_with_its_seconds(tmp_path: Path) -> None:
    tell = Transcript(tmp_path / "run.txt", "a run")
    with tell.step("bash scripts/containerd.sh"):
        pass

    assert (tmp_path / "run.txt").read_text() == "a run\n   0.0 s  bash scripts/containerd.sh (0.0 s)\n"


def test_what_an_image_says_wins_over_what_is_built_in_and_what_it_leaves_empty_is_filled_in() -> None:
    image = {"ClusterConfiguration": {"apiServer": {"extraArgs": {"a": "image"}}, "dns": {}, "name": ""}}
    built_in = {"ClusterConfiguration": {"apiServer": {"extraArgs": {"a": "x", "b": "built in"}}, "name": "built in"}}

    (both,) = merged(image, built_in).values()

    assert both == {"apiServer": {"extraArgs": {"a": "image", "b": "built in"}}, "dns": {}, "name": "built in"}


def test_only_what_was_asked_for_and_found_counts_as_pulled() -> None:
    assert proof.pulled(LOG) == {"kube-proxy:v1.20.2", "library/busybox:1.35.0"}


@pytest.mark.parametrize(
    ("image", "saved"),
    [
        ("sea.hub:5000/kube-proxy:v1.20.2", "kube-proxy:v1.20.2"),
        ("docker.io/library/busybox:1.35.0", "library/busybox:1.35.0"),
        ("busybox:1.35.0", "library/busybox:1.35.0"),
        ("k8s.gcr.io/coredns:1.7.0", "coredns:1.7.0"),
        ("calico/node:v3", "calico/node:v3"),
    ],
)
def test_an_image_is_looked_for_under_the_name_that_it_is_saved_under(image: str, saved: str) -> None:
    assert proof.saved_as(image) == saved


def test_an_image_that_is_not_saved_fails_the_proof(tmp_path: Path) -> None:
    pod = {"status": {"containerStatuses": [{"image": "sea.hub:5000/kube-proxy:v1.20.2", "imageID": "x@sha256:00"}]}}
    tell = Transcript(tmp_path / "run.txt", "a run")

    with pytest.raises(StepFailed, match="not saved in the image's registry"):
        proof.images_came_from(tmp_path, LOG, [pod], tell)
    link = tmp_path / "docker/registry/v2/repositories/kube-proxy/_manifests/revisions/sha256/00/link"
    link.parent.mkdir(parents=True)
    link.touch()
    proof.images_came_from(tmp_path, LOG, [pod], tell)
    with pytest.raises(StepFailed, match="was not asked for"):
        proof.images_came_from(tmp_path, "", [pod], tell)


def test_a_tree_that_changed_fails_the_proof(tmp_path: Path) -> None:
    tell = Transcript(tmp_path / "run.txt", "a run")
    proof.tree_is_as_before({"/a": "1"}, {"/a": "1"}, tell)

    with pytest.raises(StepFailed, match="/var/lib/cni: absent -> 2"):
        proof.tree_is_as_before({"/a": "1"}, {"/a": "1", "/var/lib/cni": "2"}, tell)


def test_a_packet_is_told_by_its_ends_its_protocol_and_its_port() -> None:
    ends = socket.inet_aton("10.199.7.2") + socket.inet_aton("192.0.2.1")
    packet = bytes([0x45, 0]) + bytes(7) + bytes([6]) + bytes(2) + ends + struct.pack(">HH", 40000, 443)

    assert listener.described(packet) == "10.199.7.2 -> 192.0.2.1 tcp 443"


def test_a_sample_has_one_case_of_each_kind_and_some_commits_together_have_all() -> None:
    kinds = {str(choice): sample.kind("test_cluster.py", {"choice": choice}) for choice in test_cluster.CHOICES}
    cases = [*kinds.items(), ("killed", sample.kind("test_killed.py", {"whole_group": True}))]

    samples = [sample.chosen(cases, f"{commit:040x}") for commit in range(40)]

    for chosen in samples:
        assert "killed" in chosen
        assert {kinds[name] for name in chosen - {"killed"}} == set(kinds.values())
        assert len(chosen) == 1 + len(set(kinds.values()))
    assert set.union(*samples) == {name for name, _ in cases}
