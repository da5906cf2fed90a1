"""Pushing to stock docker-registry: what goes there, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project, run, tool
from tests.integration.pushing import NAME, ONE, built_digest, push_to
from tests.integration.stock_registry import StockRegistry


def test_what_was_pushed_comes_back_with_its_digest_for_every_platform(
    shared: Project, registry: StockRegistry
) -> None:
    result = push_to(shared, registry, f"plain_http={registry.address}")

    assert result.code == 0, result.text
    assert registry.digest("team/kubernetes:v1.22.15", "--tls-verify=false") == built_digest(shared)
    for arch in ("amd64", "arm64"):
        image = f"docker://{registry.address}/team/kubernetes:v1.22.15"
        command = (tool("skopeo"), "--override-arch", arch, "copy", "--quiet", "--src-tls-verify=false")
        run(*command, image, f"oci:{registry.storage.parent}/{arch}:x")
    assert f"{registry.address}/team/kubernetes:v1.22.15@{built_digest(shared)}: blobs" in result.out


def test_pushing_again_uploads_nothing(shared: Project, registry: StockRegistry) -> None:
    assert push_to(shared, registry, f"plain_http={registry.address}").code == 0
    before = registry.count("POST"), registry.count("PATCH")

    result = push_to(shared, registry, f"plain_http={registry.address}")

    assert result.code == 0 and "blobs 0 uploaded, 0 mounted" in result.out
    assert before[0] > 0 and (registry.count("POST"), registry.count("PATCH")) == before


def test_images_that_are_pushed_together_upload_a_shared_blob_once(project: Project, registry: StockRegistry) -> None:
    words = (f"name={registry.address}/team/kubernetes", f"plain_http={registry.address}")

    result = project.doit("build", "mirror=embedded", "push=yes", *words)

    assert result.code == 0, result.text
    done = [path for method, path, status in registry.requests if method == "PUT" and "/blobs/uploads/" in path]
    digests = [path.rpartition("digest=")[2] for path in done]
    assert len(digests) == len(set(digests))
    for name, tag in ((NAME, "v1.22.15"), (f"{NAME}-calico", "v1.22.15-calico")):
        assert registry.digest(f"team/kubernetes:{tag}", "--tls-verify=false") == built_digest(project, name)


@pytest.mark.parametrize("answer", ["no", "false"])
def test_push_no_builds_and_pushes_nothing(shared: Project, registry: StockRegistry, answer: str) -> None:
    words = (f"name={registry.address}/team/kubernetes", f"plain_http={registry.address}", f"push={answer}")

    assert shared.doit("build", *ONE, *words).code == 0
    assert not registry.requests


def test_a_blob_of_another_repository_is_mounted(shared: Project, registry: StockRegistry) -> None:
    assert push_to(shared, registry, f"plain_http={registry.address}").code == 0
    uploads = registry.count("PATCH")
    words = (f"name={registry.address}/other/kubernetes", f"plain_http={registry.address}", "mount=team/kubernetes")

    result = shared.doit("push", *ONE, *words)

    assert result.code == 0 and "blobs 0 uploaded" in result.out, result.text
    assert registry.count("PATCH") == uploads and registry.count("POST", "mount=", 201) > 0
    assert registry.digest("other/kubernetes:v1.22.15", "--tls-verify=false") == built_digest(shared)


def test_a_mount_from_where_nothing_is_uploads(shared: Project, registry: StockRegistry) -> None:
    result = push_to(shared, registry, f"plain_http={registry.address}", "mount=not/there")

    assert result.code == 0 and " 0 mounted" in result.out, result.text
    assert registry.digest("team/kubernetes:v1.22.15", "--tls-verify=false") == built_digest(shared)


def test_plain_http_is_spoken_only_to_a_registry_that_is_named(shared: Project, registry: StockRegistry) -> None:
    result = push_to(shared, registry, CLUSTERIMAGE_ATTEMPTS="1")

    assert result.code != 0 and "plain_http=HOST:PORT" in result.out and "Traceback" not in result.text
    assert not [one for one in registry.requests if one[2] != 400]


@pytest.mark.parametrize("named", [True, False])
def test_what_is_there_without_tls_can_be_built_on(
    shared: Project, registry: StockRegistry, tmp_path: Path, named: bool
) -> None:
    assert push_to(shared, registry, f"plain_http={registry.address}").code == 0
    (tmp_path / "Kubefile").write_text(f"FROM {registry.address}/team/kubernetes:v1.22.15\n")
    words = (f"kubefile={tmp_path}/Kubefile", f"name=docker.io/tests/on-{named}:v1".lower(), "platform=amd64")
    words = (*words, f"plain_http=http://{registry.address}/") if named else words

    result = shared.doit("package", *words, CLUSTERIMAGE_ATTEMPTS="1")

    assert (result.code == 0) is named, result.text
    assert named or ("plain_http=HOST:PORT" in result.out and "Traceback" not in result.text)


def test_a_registry_that_is_not_there_fails_the_command(shared: Project, tmp_path: Path) -> None:
    absent = StockRegistry(tmp_path / "absent")

    result = push_to(shared, absent, f"plain_http={absent.address}", CLUSTERIMAGE_ATTEMPTS="1")

    assert result.code != 0 and f"FAILED push:{NAME}" in result.out and "Traceback" not in result.text


def test_offline_pushes_nothing(shared: Project, registry: StockRegistry) -> None:
    result = push_to(shared, registry, "offline=yes")

    assert result.code != 0 and "offline=yes, nothing can be pushed" in result.out
