"""Commands that answer and make nothing: what they say is all that they print, and they need no lock and no network."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable

from tests.conftest import Project


def test_an_answer_for_machines_is_all_of_standard_output(built: Project) -> None:
    done = built.doit("diff", "mirror=embedded", "a=v1.22.15-docker", "b=v1.22.15-containerd", "format=json")

    answer = json.loads(done.out)
    assert done.code == 0, done.text
    assert (answer["kind"], answer["equal"]) == ("images", False)
    assert answer["platforms"]["arm64"]["added"]
    assert all(row["part"] in ("cri", "config") for row in answer["platforms"]["arm64"]["added"])


def test_what_differs_is_no_failure_and_what_is_wrong_is_one(built: Project) -> None:
    same = built.doit("diff", "mirror=embedded", "a=v1.22.15", "b=v1.22.15")
    wrong = built.doit("diff", "mirror=embedded", "a=v1.22.15", "b=v1.22.16", "format=json")
    unnamed = built.doit("diff", "mirror=embedded", "a=v1.22.15")

    assert (same.code, same.out.splitlines()[-1]) == (0, "no difference")
    assert (wrong.code, wrong.out) == (1, "")
    assert "b=v1.22.16: there is no lock _build/embedded/locks/v1.22.16.toml" in wrong.err
    assert unnamed.code == 1 and "b= is missing" in unnamed.err


def test_an_image_of_a_newer_patch_is_told_as_the_paths_to_copy(built_by: Callable[..., Project]) -> None:
    project = built_by("k8s=v1.22.15,v1.22.17", "cni=none", "platform=amd64")
    words = ("diff", "mirror=embedded", "a=v1.22.15-docker", "b=v1.22.17-docker")

    copied = project.doit(*words, "platform=amd64", "format=paths").out.splitlines()

    answer = json.loads(project.doit(*words, "format=json").out)["platforms"]["amd64"]
    assert copied == sorted(row["path"] for kind in ("added", "changed") for row in answer[kind])
    assert {"bin/kubeadm", "bin/kubelet", "bin/kubectl", "etc/kubeadm.yml"} <= set(copied)
    assert not [path for path in copied if path.startswith(("cri/", "lib/"))]
    assert {row["part"] for row in answer["causes"]} == {"config", "kubernetes", "images-kubernetes"}


def test_looking_waits_for_nobody_and_leaves_alone_what_another_doit_writes(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")
    build = project.root / "_build/embedded"
    half = build / "context-v1/.half.1.0.tmp"
    half.write_text("half")
    words = ("mirror=embedded", "cni=none", "platform=amd64", "a=v1.22.15-docker", "b=v1.22.15-docker")

    with (build / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for step in ("plan", "diff"):
            done = project.doit(step, *words)
            assert (done.code, done.err) == (0, ""), done.text

    assert half.exists()
    assert project.doit("prune", "mirror=embedded").code == 0 and not half.exists()
