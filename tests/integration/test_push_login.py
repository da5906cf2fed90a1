"""Pushing to a registry with a certificate and a password: who may, and who hears of the password."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterimage.storage import files
from tests.conftest import Project, clean_environment, tool
from tests.integration.pushing import ONE, built_digest, push_to
from tests.integration.real.server_credentials import write_certificates, write_credentials, write_htpasswd
from tests.integration.stock_registry import StockRegistry
from tests.integration.token_server import TokenServer

USER, SECRET = "builder", "s3cret-of-the-push-tests"


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


def test_an_identity_token_is_spent_for_tokens_and_written_nowhere(shared: Project, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path, USER, SECRET)
    with tokens, StockRegistry(tmp_path / "registry", extra=tokens.configuration) as registry:
        name, plain = f"name={registry.address}/team/identity", f"plain_http={registry.address}"
        entry = {"auth": "MDAwMDo=", "identitytoken": tokens.identity}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {f"https://{registry.address}/v2/": entry}}))

        pushed = shared.doit("push", *ONE, name, plain, "debug=yes", DOCKER_CONFIG=str(tmp_path))
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.address: {"identitytoken": "spent-one"}}}))
        refused = shared.doit("push", *ONE, name, plain, DOCKER_CONFIG=str(tmp_path))

    assert pushed.code == 0 and "repository:team/identity:pull,push" in tokens.scopes, pushed.text
    assert tokens.identity not in pushed.text and not files_with(tokens.identity, shared.root)
    assert refused.code != 0 and "does not take that identity token" in refused.out
    assert "spent-one" not in refused.text and "Traceback" not in refused.text
