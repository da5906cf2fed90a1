"""What crane and skopeo take of logins and indexes: nothing less is taken here, and what they send is what we send."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.oci import remote
from clusterimage.transport.network import Network
from clusterimage.transport.store import Store
from clusterimage.values import media_types as media
from clusterimage.values.digest import of_bytes
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.reference import Reference
from tests.conftest import clean_environment, tool
from tests.integration.loopback import LoopbackServer
from tests.integration.real import go_programs
from tests.integration.real.server_credentials import write_htpasswd
from tests.integration.stock_registry import StockRegistry
from tests.integration.token_server import TokenServer

pytestmark = pytest.mark.slow
USER, SECRET = "builder", "s3cret-of-the-witnesses"
AUTH = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
NAME = "team/app:v1"


class Keeper(LoopbackServer):
    """A registry with one image, an index that names no platform; `challenges` are asked until a token comes."""

    def __init__(self, challenges: tuple[str, ...]) -> None:
        super().__init__()
        self.challenges = tuple(one.replace("<T>", f"http://{self.address}/token") for one in challenges)
        config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}})
        self.content: dict[str, tuple[bytes, str]] = {}
        described = self.put(config.encode(), media.OCI_CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": described, "layers": []}
        child = self.put(json.dumps(manifest).encode(), media.OCI_MANIFEST)
        index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [child]}
        top = self.put(json.dumps(index).encode(), media.OCI_INDEX)
        self.content["v1"] = self.content[str(top["digest"])]

    def put(self, data: bytes, kind: str) -> dict[str, str | int]:
        digest = str(of_bytes(data))
        self.content[digest] = data, kind
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Ask for a token; then give what is there."""
        what = handler.path.partition("?")[0].rpartition("/")[2]
        body, kind, status = b"{}", "application/json", 200
        if handler.path.startswith("/token"):
            body = b'{"token": "x"}'
        elif self.challenges and handler.headers.get("Authorization") != "Bearer x":
            status = 401
        elif what:
            body, kind = self.content.get(what, (b"", kind))
            status = 200 if body else 404
        handler.send_response(status)
        for challenge in self.challenges if status == 401 else ():
            handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


def ours(address: str, config: Path, root: Path) -> bool:
    network = Network(Mirror("x", plain_http=(address,)), docker_config=config, attempts=1, timeout=5)
    try:
        image = remote.pin(network, Reference.parse(f"{address}/{NAME}"), Store(root))
        remote.pull(network, image, "amd64", Store(root), root / "list")
    except ClusterImageError:
        return False
    return True


def witnesses(address: str, config: Path) -> dict[str, bool]:
    """Return who of crane and skopeo gets the image."""
    image, environment = f"{address}/{NAME}", clean_environment() | {"DOCKER_CONFIG": str(config.parent)}
    commands: dict[str, list[str | Path]] = {
        "crane": [go_programs.program(go_programs.CRANE), "config", "--platform", "linux/amd64", image],
        "skopeo": [tool("skopeo"), "--override-os", "linux", "--override-arch", "amd64", "inspect", "--config"],
    }
    commands["skopeo"] += ["--tls-verify=false", "--authfile", config, f"docker://{image}"]
    return {
        name: subprocess.run(words, env=environment, capture_output=True, check=False).returncode == 0
        for name, words in commands.items()
    }


def fill(registry: StockRegistry) -> None:
    """Put the image into a registry, by skopeo and with the password."""
    command = [tool("skopeo"), "--override-os", "linux", "--override-arch", "amd64", "copy", "--quiet"]
    command += ["--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{SECRET}"]
    with Keeper(()) as keeper:
        places = (f"docker://{one}/{NAME}" for one in (keeper.address, registry.address))
        subprocess.run([*command, *places], check=True)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stock registry with a password, and the image in it."""
    work = tmp_path_factory.mktemp("locked")
    tool("htpasswd")
    write_htpasswd(work / "htpasswd", USER, SECRET)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {work}/htpasswd}}}}\n"
    with StockRegistry(work / "registry", extra=auth) as registry:
        fill(registry)
        yield registry.address


# <H> is the registry. Whether it is let in here, in the order of the witnesses' answers.
KEYS: dict[str, tuple[dict[str, str], bool]] = {
    "<H>": ({"auth": AUTH}, True),
    "http://<H>": ({"auth": AUTH}, True),
    "https://<H>/v1/": ({"auth": AUTH}, True),
    "https://<H>/v2/": ({"auth": AUTH}, True),
    "<H>/": ({"auth": AUTH}, True),
    "<H>/team": ({"auth": AUTH}, True),
    "<H>/team/app": ({"auth": AUTH}, True),
    "<H>/other": ({"auth": AUTH}, False),
    "<H> ": ({"username": USER, "password": SECRET}, True),
    "other.example": ({"auth": AUTH}, False),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_login_that_a_witness_finds_is_found(locked: str, tmp_path: Path, key: str) -> None:
    entry, expected = KEYS[key]
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {key.replace("<H>", locked).strip(): entry}}))

    found = witnesses(locked, config)

    assert ours(locked, config, tmp_path / "store") is expected
    # crane sends a login for one namespace to all of them; skopeo and the kubelet do not.
    assert any(found.values()) is expected or (key == "<H>/other" and not found["skopeo"])


# With Basic before Bearer neither of them asks for a token; a registry that offers both wants to see one all the same.
@pytest.mark.parametrize(
    "challenges",
    [
        ('Bearer realm="<T>",service="s"',),
        ("Negotiate", 'Bearer realm="<T>",service="s"'),
        ('Bearer realm="<T>",service="s"', "Negotiate"),
        ('bearer Realm="<T>",Service="s"',),
        ('Bearer realm="<T>"',),
    ],
)
def test_an_anonymous_token_is_got_where_a_witness_gets_it(tmp_path: Path, challenges: tuple[str, ...]) -> None:
    (tmp_path / "config.json").write_text("{}")
    with Keeper(challenges) as keeper:
        found = witnesses(keeper.address, tmp_path / "config.json")

        assert ours(keeper.address, tmp_path / "config.json", tmp_path / "store")

    assert any(found.values()), found


@pytest.mark.parametrize("spent", [False, True])
def test_an_identity_token_opens_what_it_opens_for_skopeo(tmp_path: Path, spent: bool) -> None:
    """crane 0.22 asks no token server on loopback, unless it is the registry itself."""
    tokens = TokenServer(tmp_path, USER, SECRET)
    with tokens, StockRegistry(tmp_path / "registry", extra=tokens.configuration) as registry:
        fill(registry)
        entry = {"auth": "MDAwMDo=", "identitytoken": "spent" if spent else tokens.identity}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.address: entry}}))
        found = witnesses(registry.address, tmp_path / "config.json")

        assert ours(registry.address, tmp_path / "config.json", tmp_path / "store") is found["skopeo"] is not spent


def test_an_index_that_names_no_platform_is_taken_by_both_witnesses(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with Keeper(()) as keeper:
        assert witnesses(keeper.address, tmp_path / "config.json") == {"crane": True, "skopeo": True}
        assert ours(keeper.address, tmp_path / "config.json", tmp_path / "store")
