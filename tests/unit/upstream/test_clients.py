"""Programs that others wrote accept the embedded upstream: skopeo, curl, tar, umoci."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterimage.upstream import Auth, Upstream, UpstreamFile

DOCKER = UpstreamFile(
    "https://files.example/docker-20.10.24.tgz", "docker 20.10.24 linux/amd64", "amd64", ("docker/ctr", "docker/docker")
)
SUMMED = UpstreamFile("https://files.example/runc", "runc 1", "amd64", (), "https://files.example/runc.sha256sum")
IMAGES = ("k8s.gcr.io/pause:3.5", "k8s.gcr.io/etcd:3.5.0-0")  # OCI and Docker media types


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream([DOCKER, SUMMED], IMAGES) as running:
        yield running


def run(program: str, *arguments: object, cwd: Path | None = None) -> str:
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    environment = {**os.environ, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def layout_blobs(layout: Path) -> list[Path]:
    return [path for path in layout.glob("blobs/sha256/*") if path.is_file()]


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_inspects_an_image(upstream: Upstream, image: str) -> None:
    seen = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"docker://{upstream.registry}/{image}"))

    assert seen["Labels"] == {"io.clusterimage.stand-in": "true"}
    assert (seen["Architecture"], len(seen["Layers"])) == ("amd64", 2)


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_copies_all_platforms(upstream: Upstream, image: str, tmp_path: Path) -> None:
    source = f"docker://{upstream.registry}/{image}"

    run("skopeo", "copy", "--all", "--src-tls-verify=false", source, f"oci:{tmp_path}/layout:x")

    blobs = layout_blobs(tmp_path / "layout")
    assert len(blobs) == 1 + 3 * (1 + 1 + 2)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in blobs)


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_copies_byte_for_byte(upstream: Upstream, image: str, tmp_path: Path) -> None:
    source = f"docker://{upstream.registry}/{image}"

    run("skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", source, f"dir:{tmp_path}")

    source_index = run("skopeo", "inspect", "--raw", "--tls-verify=false", source)
    assert (tmp_path / "manifest.json").read_text() == source_index
    for child in json.loads(source_index)["manifests"]:
        copied = tmp_path / f"{child['digest'].removeprefix('sha256:')}.manifest.json"
        assert f"sha256:{hashlib.sha256(copied.read_bytes()).hexdigest()}" == child["digest"]


@pytest.mark.parametrize(("kind", "user"), [("basic", "anna"), ("bearer", "anna"), ("bearer", "")])
def test_skopeo_authenticates(kind: str, user: str) -> None:
    credentials = ["--creds", "anna:s3cret"] if user else ["--no-creds"]

    with Upstream((), IMAGES, auth=Auth(user, "s3cret", kind)) as upstream:  # type: ignore[arg-type]
        source = f"docker://{upstream.registry}/{IMAGES[0]}"
        run("skopeo", "inspect", "--tls-verify=false", *credentials, source)

    assert (upstream.requests.count("/token") > 0) == (kind == "bearer")
    assert upstream.requests.count("/blobs/") > 0


def test_umoci_unpacks_the_layers(upstream: Upstream, tmp_path: Path) -> None:
    source = f"docker://{upstream.registry}/{IMAGES[0]}"
    run("skopeo", "copy", "--src-tls-verify=false", source, f"oci:{tmp_path}/layout:x")

    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle")

    assert (tmp_path / "bundle/rootfs/usr/local/bin/pause").read_bytes().startswith(b"\x7fELF")


def test_curl_gets_a_range(upstream: Upstream, tmp_path: Path) -> None:
    url = f"{upstream.url}/files.example/docker-20.10.24.tgz"
    run("curl", "-sSf", "-o", tmp_path / "whole", url)

    run("curl", "-sSf", "-r", "1000-1999", "-o", tmp_path / "part", url)

    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()[1000:2000]


def test_curl_resumes_what_was_cut(upstream: Upstream, tmp_path: Path) -> None:
    url = f"{upstream.url}/files.example/docker-20.10.24.tgz"
    run("curl", "-sSf", "-o", tmp_path / "whole", url)
    (tmp_path / "part").write_bytes((tmp_path / "whole").read_bytes()[:1000])

    run("curl", "-sSf", "-C", "-", "-o", tmp_path / "part", url)

    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()


def test_tar_unpacks_an_archive(upstream: Upstream, tmp_path: Path) -> None:
    run("curl", "-sSf", "-O", f"{upstream.url}/files.example/docker-20.10.24.tgz", cwd=tmp_path)

    run("tar", "-xzf", "docker-20.10.24.tgz", cwd=tmp_path)

    assert {path.name for path in (tmp_path / "docker").iterdir()} == {"README", "ctr", "docker"}


def test_sha256sum_accepts_a_checksum_list(upstream: Upstream, tmp_path: Path) -> None:
    for name in ("runc", "runc.sha256sum"):
        run("curl", "-sSf", "-O", f"{upstream.url}/files.example/{name}", cwd=tmp_path)

    assert run("sha256sum", "-c", "runc.sha256sum", cwd=tmp_path) == "runc: OK\n"
