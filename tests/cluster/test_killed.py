"""Nothing of a run is left on the machine, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.keeper import SWITCHES
from tests.conftest import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
# A node that changes a kernel switch, as the kubelet does, and starts a service.
RUN = """
import sys, time
from pathlib import Path
from tests.cluster.node import boot
from tests.cluster.sandbox import open_sandbox
with open_sandbox() as sandbox, boot(sandbox, Path(sys.argv[1]), 1) as node:
    node.run("echo 30 >/proc/sys/kernel/panic; systemd-run --unit=some sleep 1000")
    node.run("mkdir -p /sys/fs/cgroup/memory/kubepods/a")
    print("up", flush=True)
    time.sleep(600)
"""


def machine() -> dict[str, object]:
    """Describe what a run could leave behind: switches, cgroups, mounts, interfaces, files."""
    return {
        "switches": [Path("/proc/sys", switch).read_text() for switch in SWITCHES],
        "cgroups": sorted(map(str, Path("/sys/fs/cgroup").glob("**/clusterimage-*"))),
        "mounts": Path("/proc/self/mounts").read_text(),
        "interfaces": sorted(map(str, Path("/sys/class/net").iterdir())),
        "files": [sorted(map(str, Path(folder).iterdir())) for folder in ("/run", "/mnt", "/var/lib", "/etc")],
        "machines": sorted(map(str, Path("/run/systemd/nspawn").rglob("*"))),
    }


def processes() -> set[str]:
    """Return the command lines of keepers and nodes."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if "keeper.py clusterimage-" in line or "systemd-nspawn" in line:
            found.add(f"{path.parent.name} {line}")
    return found


@pytest.mark.parametrize("whole_group", [False, True], ids=["the process", "its whole group"])
def test_a_killed_run_leaves_nothing_on_the_machine(tree: Path, whole_group: bool) -> None:
    before, running = machine(), processes()
    words = [sys.executable, "-c", RUN, str(tree)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout and process.stdout.readline() == "up\n"
        assert machine() != before and processes() != running
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    for _ in range(200):
        if processes() == running and machine() == before:
            break
        time.sleep(0.1)

    assert processes() == running
    assert machine() == before
