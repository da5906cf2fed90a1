"""What the unit tests of the core share: refusals as values, trees in a line, and servers."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.transport.network import Network
from clusterimage.upstream import Faults, Upstream, UpstreamFile
from clusterimage.values.errors import ClusterImageError
from tests.conftest import tool

HEX_A, HEX_B, HEX_C = "a" * 64, "b" * 64, "c" * 64
DL = "https://dl.k8s.io/release/v1.22.15/bin/linux/amd64"
KUBECTL = UpstreamFile(f"{DL}/kubectl", "kubectl", "amd64", (), f"{DL}/kubectl.sha256")
PAUSE = "k8s.gcr.io/pause:3.5"


def error_of(act: Callable[..., object], *arguments: Any, **named: Any) -> ClusterImageError:
    """Return the user error that `act` raises; its problem and its hint are one line each."""
    with pytest.raises(ClusterImageError) as raised:
        act(*arguments, **named)
    assert "\n" not in raised.value.problem + raised.value.hint
    return raised.value


def plant(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write `files` below `root`; `-> target` makes a link, a name with a slash at its end a directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif isinstance(content, str) and content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def texts(root: Path) -> dict[str, str]:
    """Return what lies below `root`: files by their text, links as `-> target`, empty directories as name/."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
        elif not any(path.iterdir()):
            found[f"{name}/"] = ""
    return found


def tar_of(*members: tuple[tarfile.TarInfo | str, bytes], mode: str = "w") -> bytes:
    """Return a tar archive; a member is a name, or a TarInfo of any type, and its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


_MEDDLING = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's proxy, certificates and netrc file have no business on loopback."""
    for name in _MEDDLING:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", "/dev/null")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def upstream(faults: Faults) -> Iterator[Upstream]:
    """kubectl with its checksum beside it, and the pause image."""
    with Upstream([KUBECTL], [PAUSE], faults=faults) as running:
        yield running


def mirror_to(upstream: Upstream) -> Mirror:
    return Mirror(
        "fake",
        files=(("", upstream.url),),
        registries=(("*", f"{upstream.registry}/{{host}}"),),
        plain_http=(upstream.registry,),
        own_bytes=True,
    )


def reach(upstream: Upstream, **more: Any) -> Network:
    """Return a Network to which every host is `upstream`; it tries once."""
    return Network(mirror_to(upstream), **{"attempts": 1, "timeout": 5.0, **more})


@dataclass(frozen=True)
class Page:
    """An answer, word for word; `more` are headers whose name is there already."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    more: tuple[tuple[str, str], ...] = ()


@dataclass
class Pages:
    """A server that answers with pages by path, or by `HEAD path`; `asked` has `METHOD path` and headers of each.

    `bodies` are those of the requests that had one.
    """

    url: str
    pages: dict[str, Page]
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def header(self, name: str) -> list[str]:
        """Return that header of every request, "" where it had none."""
        return [headers.get(name, "") for _, headers in self.asked]

    def network(self, **more: Any) -> Network:
        """Return a Network to which every registry is this server."""
        plain = (self.host,) if self.url.startswith("http:") else ()
        mirror = Mirror("pages", registries=(("*", self.host),), plain_http=plain, ca=more.pop("ca", ""))
        return Network(mirror, **{"attempts": 1, "timeout": 5.0, **more})


class _Handler(BaseHTTPRequestHandler):
    served: Pages

    def do_GET(self) -> None:
        self.served.asked.append((f"{self.command} {self.path}", dict(self.headers)))
        if self.headers.get("Content-Length"):
            self.served.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        path = self.path.partition("?")[0]
        missing = Page(b"no such page", 404)
        page = self.served.pages.get(f"{self.command} {path}", self.served.pages.get(path, missing))
        self.send_response(page.status)
        for name, value in (*{"Content-Length": str(len(page.body)), **page.headers}.items(), *page.more):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_PUT = do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(pages: dict[str, Page], certificate: Path | None = None) -> Iterator[Pages]:
    """Serve `pages` on loopback, over TLS with the certificate and key in that file."""
    import ssl

    served = Pages("", pages)
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    options = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=critical,digitalSignature,keyCertSign")
    made = subprocess.run(
        [tool("openssl"), "req", "-x509", *options, *names, "-keyout", "-", "-out", "-"],
        capture_output=True,
        check=True,
    )
    path.write_bytes(made.stdout)
    return path


SMALL = (Path(__file__).parent / "small.toml").read_text()
KUBEADM_IMAGES = """[kubeadm_images]
"1.22.15" = { coredns = "coredns/coredns:v1.8.4", etcd = "3.5.0-0", pause = "3.5" }
"1.24.9" = { coredns = "coredns/coredns:v1.8.6", etcd = "3.5.6-0", pause = "3.7" }
"1.30.0" = { coredns = "coredns/coredns:v1.11.1", etcd = "3.5.12-0", pause = "3.9" }
"""
CONTEXT = {
    "context/imageList": "docker.io/sealerio/lvscare:v1.1.3\n",
    "context/Kubefile.j2": "FROM scratch\nCOPY rootfs .\nCOPY ${ARCH} .\nCOPY imageList manifests\n",
    "context/rootfs/etc/plain.conf": "plain\n",
    "context/rootfs/etc/version.j2": "{{ k8s }}\n",
    "context/docker/scripts/docker.sh": "#!/bin/sh\n",
    "context/containerd/scripts/containerd.sh": "#!/bin/sh\n",
    "context/cri-dockerd/etc/cri-docker.socket": "",
    "context/calico/calico.sh": "#!/bin/sh\n",
    "context/platform/Metadata.j2": "{{ arch }}\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project directory in which everything is small."""
    files = {"versions.toml": SMALL, "data/kubeadm-images.toml": KUBEADM_IMAGES, "data/checksums.toml": ""}
    root = plant(tmp_path / "small", {**files, **CONTEXT})
    (root / "context/docker/scripts/docker.sh").chmod(0o755)
    return root
