"""The filter that takes out of a kubeadm configuration what sealer merged in and Kubernetes no longer knows."""

import subprocess

import pytest
import yaml

from tests.scripts.image import CONTEXT

# As sealer 0.11 marshals it, with its built-in default merged in.
MERGED = """\
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
apiServer:
  certSANs:
  - 127.0.0.1
  extraArgs:
    audit-log-format: json
    feature-gates: TTLAfterFinished=true,EphemeralContainers=true
  timeoutForControlPlane: 4m0s
controllerManager:
  extraArgs:
    experimental-cluster-signing-duration: 876000h
    feature-gates: "TTLAfterFinished=true,MyGate=true,EphemeralContainers=true"
scheduler:
  extraArgs:
    feature-gates: TTLAfterFinished=true,EphemeralContainers=true
  extraVolumes: []
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
evictionHard:
  memory.available: 100Mi
"""


def repair(version: str, text: str) -> str:
    """Filter text for one Kubernetes version."""
    script = CONTEXT / "rootfs/scripts/repair-kubeadm.sh"
    return subprocess.run(["bash", script, version], input=text, capture_output=True, text=True, check=True).stdout


def arguments(text: str) -> dict[str, dict[str, str]]:
    """Read the arguments of each component."""
    cluster = next(yaml.safe_load_all(text))
    return {name: cluster[name]["extraArgs"] or {} for name in ("apiServer", "controllerManager", "scheduler")}


@pytest.mark.parametrize("version", ["v1.13.12", "v1.22.15", "v1.24.17"])
def test_a_version_that_knows_them_keeps_every_byte(version: str) -> None:
    assert repair(version, MERGED) == MERGED


def test_from_1_25_on_the_removed_flag_is_renamed_and_the_removed_gate_dropped() -> None:
    assert arguments(repair("v1.25.0", MERGED)) == {
        "apiServer": {"audit-log-format": "json", "feature-gates": "EphemeralContainers=true"},
        "controllerManager": {
            "cluster-signing-duration": "876000h",
            "feature-gates": "MyGate=true,EphemeralContainers=true",
        },
        "scheduler": {"feature-gates": "EphemeralContainers=true"},
    }


@pytest.mark.parametrize("version", ["v1.27.0", "v1.28.4", "v1.30.4-rc.1"])
def test_from_1_27_on_a_list_of_gates_that_is_empty_goes_with_its_flag(version: str) -> None:
    assert arguments(repair(version, MERGED)) == {
        "apiServer": {"audit-log-format": "json"},
        "controllerManager": {"cluster-signing-duration": "876000h", "feature-gates": "MyGate=true"},
        "scheduler": {},
    }


def test_the_new_name_of_a_flag_wins_where_both_are_given() -> None:
    both = MERGED.replace("  extraArgs:\n    exp", "  extraArgs:\n    cluster-signing-duration: 1h\n    exp")
    assert arguments(repair("v1.28.4", both))["controllerManager"]["cluster-signing-duration"] == "1h"


def test_all_else_stays_and_a_second_pass_changes_nothing() -> None:
    once = repair("v1.28.4", MERGED)
    assert repair("v1.28.4", once) == once
    gone = ("feature-gates", "signing-duration")
    kept = [line for line in MERGED.splitlines() if not any(word in line for word in gone)]
    assert [line for line in once.splitlines() if not any(word in line for word in gone)] == kept
