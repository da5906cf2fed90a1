"""SIGKILL at any instant, then the same command: the right image, and nothing that was finished is fetched again."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time

import pytest

from clusterimage.upstream import Faults, Upstream
from tests.conftest import Project, clean_environment, heed_interrupts, run

WORDS = ("build", "mirror=fake", "cri=docker,containerd", "cni=none", "platform=amd64")


def test_a_build_killed_twenty_times_is_right(project: Project, locked: Upstream, faults: Faults) -> None:
    assert project.doit(*WORDS).code == 0
    names = ("v1.22.15-docker", "v1.22.15-containerd")
    good = [(project.root / "dist/fake" / name / "index.json").read_bytes() for name in names]
    moments = random.Random(20)
    for _ in range(20):
        for place in ("_build/fake", "dist/fake"):  # what `doit clean` leaves is nothing
            shutil.rmtree(project.root / place)
        process = subprocess.Popen(
            project.command(*WORDS), cwd=project.root, env=clean_environment(), stdout=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.1, 0.7))
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished = {path.name for path in (project.root / "_build/fake/cache-v1/sha256").glob("*")}
        locked.requests.clear()

        result = project.doit(*WORDS)

        assert result.code == 0, result.text
        assert [(project.root / "dist/fake" / name / "index.json").read_bytes() for name in names] == good
        assert not list((project.root / "_build").rglob(".*.tmp")) + list((project.root / "dist").rglob(".*.tmp"))
        for name in names:
            run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=project.root / "dist/fake" / name)
        again = {entry.path.rpartition("sha256:")[2] for entry in locked.requests.entries if "sha256:" in entry.path}
        assert not again & finished


def test_a_half_file_is_gone_on_with_by_the_next_run(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("amd64/kubelet", "stall", 1, after=5000)
    process = subprocess.Popen(
        project.command("download", "mirror=fake", "platform=amd64"),
        cwd=project.root,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
    )
    partial = project.root / "_build/fake/cache-v1/partial"
    for _ in range(200):
        if any(path.stat().st_size == 5000 for path in partial.glob("*")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    locked.requests.clear()

    assert project.doit("download", "mirror=fake", "platform=amd64").code == 0

    asked = [entry.range for entry in locked.requests.entries if entry.matches("amd64/kubelet")]
    assert asked == ["bytes=5000-"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_at_once_and_loses_nothing(
    project: Project, locked: Upstream, faults: Faults, number: signal.Signals
) -> None:
    faults.add("amd64/kubelet", "stall", None, after=5000)
    process = subprocess.Popen(
        project.command("build", "mirror=fake"),
        cwd=project.root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    for _ in range(200):
        if locked.requests.count("amd64/kubelet"):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    try:
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "interrupted; the same command goes on from here" in err
    assert "Traceback" not in err
    faults.clear()
    assert project.doit("build", "mirror=fake").code == 0


def test_a_second_doit_waits_for_the_first(project: Project, locked: Upstream, faults: Faults) -> None:
    faults.add("amd64/kubelet", "slow", 1, rate=20_000)
    processes = [
        subprocess.Popen(
            project.command("build", "mirror=fake", "cni=none"),
            cwd=project.root,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum("builds here; waiting" in err for _, err in outputs) == 1
    assert sum("\n0 tasks run" in out for out, _ in outputs) == 1
