"""Pushing to stock docker-registry: what goes there, what does not, and who hears of a password."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.locks.lock import Descriptor
from clusterimage.oci import image, layer, push, upload
from clusterimage.storage import compression, files
from clusterimage.transport.network import Network
from clusterimage.values.errors import ClusterImageError, FetchError
from clusterimage.values.reference import Reference
from tests.conftest import Project, Result, clean_environment, new_project, run, tool
from tests.integration.flaky_proxy import BUSY, LOST, REFUSED, FlakyProxy
from tests.integration.real.server_credentials import write_certificates, write_credentials, write_htpasswd
from tests.integration.stock_registry import StockRegistry
from tests.integration.token_server import TokenServer

NAME = "v1.22.15-docker"
USER, SECRET = "builder", "s3cret-of-the-push-tests"
ONE = ("mirror=embedded", "cni=none")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    tool("docker-registry"), tool("skopeo")
    project = new_project(tmp_path_factory.mktemp("push") / "project")
    project.build("cni=none")
    return project


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[StockRegistry]:
    with StockRegistry(tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StockRegistry, Path]]:
    """A registry with a certificate of its own authority and a password."""
    work = tmp_path_factory.mktemp("secured")
    tool("htpasswd"), tool("openssl")
    write_certificates(work)
    write_htpasswd(work / "htpasswd", USER, SECRET)
    tls = f", tls: {{certificate: {work}/server.crt, key: {work}/server.key}}"
    auth = f"auth: {{htpasswd: {{realm: tests, path: {work}/htpasswd}}}}\n"
    with StockRegistry(work / "registry", extra=auth, http=tls) as running:
        write_credentials(work, USER, SECRET, (running.port,))
        yield running, work


def built_digest(project: Project, name: str = NAME) -> str:
    index = json.loads((project.root / "dist/embedded" / name / "index.json").read_text())
    return str(index["manifests"][0]["digest"])


def push_to(project: Project, registry: StockRegistry, *words: str, **environment: str) -> Result:
    return project.doit("push", *ONE, f"name={registry.address}/team/kubernetes", *words, **environment)


# ------------------------------------------------------------------ what goes there


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


def test_a_registry_that_is_not_there_fails_the_command(shared: Project, tmp_path: Path) -> None:
    absent = StockRegistry(tmp_path / "absent")

    result = push_to(shared, absent, f"plain_http={absent.address}", CLUSTERIMAGE_ATTEMPTS="1")

    assert result.code != 0 and f"FAILED push:{NAME}" in result.out and "Traceback" not in result.text


def test_offline_pushes_nothing(shared: Project, registry: StockRegistry) -> None:
    result = push_to(shared, registry, "offline=yes")

    assert result.code != 0 and "offline=yes, nothing can be pushed" in result.out


# -------------------------------------------------------------------- who may push


def logins(work: Path) -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    return {
        "environment": ((), {"CLUSTERIMAGE_USERNAME": USER, "CLUSTERIMAGE_PASSWORD": SECRET}),
        "variable and environment": ((f"username={USER}",), {"CLUSTERIMAGE_PASSWORD": SECRET}),
        "Docker's configuration": ((), {"DOCKER_CONFIG": str(work / "docker")}),
    }


@pytest.mark.parametrize("way", ["environment", "variable and environment", "Docker's configuration"])
def test_a_login_reaches_a_registry_with_a_certificate_and_a_password(
    shared: Project, secured: tuple[StockRegistry, Path], way: str
) -> None:
    registry, work = secured
    words, environment = logins(work)[way]

    result = push_to(shared, registry, f"ca={work}/certs/ca.crt", *words, **environment)

    assert result.code == 0, result.text
    trust = ("--creds", f"{USER}:{SECRET}", "--cert-dir", work / "certs")
    assert registry.digest("team/kubernetes:v1.22.15", *trust) == built_digest(shared)
    assert "warning" not in result.err


def test_a_password_among_the_variables_is_warned_of_once(shared: Project, secured: tuple[StockRegistry, Path]) -> None:
    registry, work = secured

    result = push_to(shared, registry, f"ca={work}/certs/ca.crt", f"username={USER}", f"password={SECRET}")

    assert result.code == 0, result.text
    assert result.err.count("warning: others on this machine can see password=") == 1
    assert not files_with(SECRET, shared.root)


def test_a_password_is_read_from_standard_input(shared: Project, secured: tuple[StockRegistry, Path]) -> None:
    registry, work = secured
    name = f"name={registry.address}/team/kubernetes"
    command = shared.command("push", *ONE, name, f"ca={work}/certs/ca.crt", f"username={USER}", "password=-")

    done = subprocess.run(
        command,
        cwd=shared.root,
        env=clean_environment(),
        input=f"{SECRET}\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"CLUSTERIMAGE_USERNAME": USER, "CLUSTERIMAGE_PASSWORD": "wrong-one"}, "401"),
        ({"CLUSTERIMAGE_USERNAME": USER}, "a username without a password"),
        ({"CLUSTERIMAGE_PASSWORD": SECRET}, "a password without a username"),
    ],
)
def test_a_login_that_is_wrong_or_half_is_a_clear_error(
    shared: Project, secured: tuple[StockRegistry, Path], tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    registry, work = secured

    result = push_to(shared, registry, f"ca={work}/certs/ca.crt", DOCKER_CONFIG=str(tmp_path), **environment)

    assert result.code != 0 and says in result.out and "hint:" in result.out and "Traceback" not in result.text
    assert "wrong-one" not in result.text and SECRET not in result.text


def test_a_certificate_of_nobody_s_is_refused(shared: Project, secured: tuple[StockRegistry, Path]) -> None:
    registry, _ = secured
    environment = {"CLUSTERIMAGE_USERNAME": USER, "CLUSTERIMAGE_PASSWORD": SECRET}
    before = len(registry.requests)

    result = push_to(shared, registry, **environment)

    assert result.code != 0 and "certificate" in result.out.lower() and "ca=PATH" in result.out
    assert len(registry.requests) == before


def test_a_password_is_in_no_file_no_output_and_no_list_of_processes(
    shared: Project, secured: tuple[StockRegistry, Path], tmp_path: Path
) -> None:
    registry, work = secured
    seen = tmp_path / "seen"
    helper = tmp_path / "bin" / "docker-credential-tests"
    helper.parent.mkdir()
    helper.write_text(
        "#!/bin/sh\ncat >/dev/null\n"
        f"cat /proc/[0-9]*/cmdline >{seen} 2>/dev/null\n"
        f'echo \'{{"Username": "{USER}", "Secret": "{SECRET}"}}\'\n'
    )
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {registry.address: "tests"}}))
    environment = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{helper.parent}:{os.environ['PATH']}"}

    result = push_to(shared, registry, f"ca={work}/certs/ca.crt", "debug=yes", **environment)

    assert result.code == 0, result.text
    assert SECRET not in result.text
    assert b"team/kubernetes" in seen.read_bytes() and SECRET.encode() not in seen.read_bytes()
    assert not files_with(SECRET, shared.root)


def files_with(secret: str, root: Path) -> list[Path]:
    return [path for path in files.walk(root) if not path.is_symlink() and secret.encode() in path.read_bytes()]


def test_a_registry_with_tokens_is_asked_for_pull_and_push(shared: Project, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path, USER, SECRET)
    with tokens, StockRegistry(tmp_path / "registry", extra=tokens.configuration) as registry:
        plain, other = f"plain_http={registry.address}", f"name={registry.address}/other/one"
        login = {"CLUSTERIMAGE_USERNAME": USER, "CLUSTERIMAGE_PASSWORD": SECRET}

        pushed = push_to(shared, registry, plain, **login)
        mounted = shared.doit("push", *ONE, other, plain, "mount=team/kubernetes", **login)
        wrong = push_to(shared, registry, plain, **login | {"CLUSTERIMAGE_PASSWORD": "wrong-one"})

    assert pushed.code == 0, pushed.text
    assert mounted.code == 0 and "blobs 0 uploaded" in mounted.out, mounted.text
    assert "repository:team/kubernetes:pull,push" in tokens.scopes
    assert wrong.code != 0 and "401" in wrong.out and "wrong-one" not in wrong.text


# ------------------------------------------------------------------- what may pass


def layout_of(root: Path, size: int) -> Path:
    """Write a layout with one layer of `size` bytes that nothing compresses."""
    blob = os.urandom(size)
    written = layer.Layer((layer.Member("noise", 0o644, len(blob), data=blob),))
    made = layer.write(written, compression.installed("gzip"), root / "layer.tar.gz")
    built = image.BuiltLayer(made, root / "layer.tar.gz", "noise")
    image.write((image.Image("amd64", (built,), (), (), 0),), Reference.parse("tests/noise:v1"), root / "layout")
    return root / "layout"


def network_to(registry: StockRegistry, moved: Callable[[int], None]) -> Network:
    return Network(Mirror("push", plain_http=(registry.address,)), attempts=6, timeout=10, moved=moved)


def after(chunks: int, act: Callable[[], None]) -> Callable[[int], None]:
    """Return what does `act` once, when that many chunks were sent."""
    seen: list[int] = []

    def moved(size: int) -> None:
        seen.append(size)
        if len(seen) == chunks:
            act()

    return moved


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)
    return 1 << 20


def test_a_registry_that_is_restarted_in_the_middle_goes_on_where_it_was(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    layout = layout_of(tmp_path, 6 * small_chunks)
    said: list[str] = []

    def restart() -> None:
        registry.kill()
        registry.start()

    reference = Reference.parse(f"{registry.address}/team/noise:v1")
    push.push(network_to(registry, after(3, restart)), layout, reference, "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]
    assert registry.count("PATCH", "", 202) == 7 + 1  # the layer in seven chunks, the config in one: none twice


def test_an_upload_that_the_registry_has_forgotten_begins_again(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    layout = layout_of(tmp_path, 6 * small_chunks)
    said: list[str] = []

    def forget() -> None:
        registry.kill()
        files.remove(registry.storage / "docker/registry/v2/repositories/team/noise/_uploads")
        registry.start()

    reference = Reference.parse(f"{registry.address}/team/noise:v1")
    push.push(network_to(registry, after(3, forget)), layout, reference, "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]


def test_a_registry_that_stays_away_is_an_error_and_no_tag(registry: StockRegistry, tmp_path: Path) -> None:
    layout = layout_of(tmp_path, 1 << 20)
    network = network_to(registry, after(1, registry.kill))
    network.attempts = 2

    with pytest.raises(FetchError):
        push.push(network, layout, Reference.parse(f"{registry.address}/team/noise:v1"), "", print)

    registry.start()
    assert not (registry.storage / "docker/registry/v2/repositories/team/noise/_manifests/tags").exists()


def test_a_damaged_blob_is_refused_by_the_registry_and_said(registry: StockRegistry, tmp_path: Path) -> None:
    layout = layout_of(tmp_path, 1 << 20)
    largest = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[1000] ^= 1
    largest.chmod(0o644)
    largest.write_bytes(data)

    with pytest.raises(ClusterImageError) as caught:
        reference = Reference.parse(f"{registry.address}/team/noise:v1")
        push.push(network_to(registry, lambda size: None), layout, reference, "", print)

    assert "DIGEST_INVALID" in caught.value.problem and "doit verify" in caught.value.hint


def test_an_upload_goes_on_from_what_the_registry_says_it_has(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    """A client that does not know whether its last chunk arrived asks, and sends the rest only."""
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(3 * small_chunks))
    from clusterimage.values import digest

    blob = Descriptor(digest.of_file(path), path.stat().st_size, "application/octet-stream")
    repository = upload.Repository(
        network_to(registry, lambda size: None), Reference.parse(f"{registry.address}/a/b"), ""
    )
    sending = upload._Upload(repository, blob, path)
    sending._begin()
    sending._send_chunk()
    sending.unsure, sending.offset = True, 0

    assert sending.step() and sending.way == upload.UPLOADED
    assert registry.count("PATCH", "", 202) == 3 and registry.count("GET", "/blobs/uploads/", 204) == 1


@pytest.mark.parametrize("fate", [LOST, REFUSED, BUSY])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_one_spoiled_answer_is_outlived(
    registry: StockRegistry,
    tmp_path: Path,
    small_chunks: int,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    fate: str,
) -> None:
    monkeypatch.setattr(push, "_AT_ONCE", 1)
    layout = layout_of(tmp_path, 4 * small_chunks)
    said: list[str] = []
    nth = 4 if method == "PATCH" else 2  # in the middle of the layer; the config goes first

    with FlakyProxy(registry.address, {(method, nth): fate}) as proxy:
        network = Network(Mirror("push", plain_http=(proxy.address,)), attempts=3, timeout=10)
        push.push(network, layout, Reference.parse(f"{proxy.address}/team/noise:v1"), "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]
    # Stock docker-registry 2.8 forgets an upload of which an answer was lost: the three chunks go there again.
    again = 3 if (method, fate) == ("PATCH", LOST) else 0
    assert registry.count("PATCH", "", 202) == 5 + 1 + again  # the layer in five chunks, the config in one
