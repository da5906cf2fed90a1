"""What real sealos makes of a kubeadm.yml, held by mergo itself, and what of our images' files would break there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import sealos_kubeadm
from tests.cluster.sealos_kubeadm import Host
from tests.conftest import ROOT, tool
from tests.scripts import image as context

MERGO = "v0.3.13"  # what go.mod of sealos 4.3.7 and 5.1.1 replaces mergo by
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a value outranks what is built in": ({"text": "a"}, {"text": "b"}, {"text": "b"}),
    "an empty text is dropped": ({"text": "a"}, {"text": ""}, {"text": "a"}),
    "a false is dropped": ({"flag": True}, {"flag": False}, {"flag": True}),
    "a 0 is dropped": ({"count": 7}, {"count": 0}, {"count": 7}),
    "a pointed false is dropped too": ({"maybe": True}, {"maybe": False}, {"maybe": True}),
    "a true outranks a pointed false": ({"maybe": False}, {"maybe": True}, {"maybe": True}),
    "a pointed 0 is dropped too": ({"number": 7}, {"number": 0}, {"number": 7}),
    "a pointed 0 stays where nothing is built in": ({}, {"number": 0}, {"number": 0}),
    "lists are appended": ({"list": ["a"]}, {"list": ["b", "a"]}, {"list": ["a", "b", "a"]}),
    "structs are merged": (
        {"inner": {"size": 1, "name": "a"}},
        {"inner": {"name": "b", "size": 0}},
        {"inner": {"size": 1, "name": "b"}},
    ),
    "pointed structs are merged": (
        {"pointed": {"size": 1, "name": "a"}},
        {"pointed": {"name": "b"}},
        {"pointed": {"size": 1, "name": "b"}},
    ),
    "maps are merged, and keep a false": (
        {"featureGates": {"A": True, "B": True}},
        {"featureGates": {"B": False, "C": False}},
        {"featureGates": {"A": True, "B": False, "C": False}},
    ),
    "maps keep an empty text": (
        {"evictionHard": {"a": "1"}},
        {"evictionHard": {"a": ""}},
        {"evictionHard": {"a": ""}},
    ),
}
HOST = Host("10.0.0.2", "10.103.97.2", "v1.20.2", "/run/containerd/containerd.sock", "/run/shim.sock", "systemd")
IMAGE = """
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
"""


@pytest.mark.parametrize("case", CASES)
def test_merging_is_mergo_s(case: str) -> None:
    under, over, wanted = CASES[case]
    assert sealos_kubeadm.merged(under, over) == wanted


@pytest.mark.slow
def test_the_real_mergo_says_the_same(tmp_path: Path) -> None:
    go = tool("go")
    (tmp_path / "main.go").write_bytes((ROOT / "tests/cluster/mergo.go").read_bytes())
    (tmp_path / "go.mod").write_text(f"module mergo\n\ngo 1.19\n\nrequire github.com/imdario/mergo {MERGO}\n")
    env = os.environ | {"GOFLAGS": "-mod=mod"}
    subprocess.run([go, "mod", "tidy"], cwd=tmp_path, env=env, check=True, capture_output=True)
    pairs = json.dumps([[under, over] for under, over, _ in CASES.values()])
    done = subprocess.run(
        [go, "run", "."], cwd=tmp_path, env=env, input=pairs.encode(), check=True, capture_output=True
    )
    for case, found in zip(CASES, json.loads(done.stdout), strict=True):
        assert {key: value for key, value in found.items() if value != {}} == CASES[case][2], case


def kubelet(more: str) -> dict[str, Any]:
    said = f"{IMAGE}---\nkind: KubeletConfiguration\n{more}\n"
    return sealos_kubeadm.configuration(said, HOST)["KubeletConfiguration"]


def test_the_kubelet_answers_where_sealos_asks_it() -> None:
    # `sealos status` probes NODE:10248.
    assert kubelet("")["healthzBindAddress"] == "0.0.0.0"
    assert kubelet("healthzBindAddress: 127.0.0.1")["healthzBindAddress"] == "127.0.0.1"


def test_a_false_of_the_image_is_lost() -> None:
    assert kubelet("failSwapOn: false")["failSwapOn"] is True


def test_the_cgroup_driver_is_that_of_the_runtime_which_our_file_names() -> None:
    source = context.CONTEXT / "sealos/containerd/etc/dump-config.toml.tmpl.j2"
    ours = context.render(source, context.values(cri="containerd"))
    assert sealos_kubeadm.cgroup_driver(ours) == "systemd"
    assert sealos_kubeadm.cgroup_driver(ours.replace('default_runtime_name = "runc"', "")) == "cgroupfs"
    version_3 = ours.replace("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
    assert sealos_kubeadm.cgroup_driver(version_3) == "cgroupfs"


def test_arguments_of_v1beta4_come_twice() -> None:
    argument = "apiServer: {extraArgs: [{name: audit-log-format, value: json}]}"
    said = IMAGE.replace("v1beta2", "v1beta4").replace("kind: ClusterC", f"{argument}\nkind: ClusterC")
    found = sealos_kubeadm.configuration(said, HOST)["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert [one["name"] for one in found].count("audit-log-format") == 2
