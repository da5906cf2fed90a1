"""Starts the servers of a benchmark on loopback and counts requests and bytes in their own access logs.

    registry(root)   stock docker-registry over a registry directory: a source, or the place that peers copy to
    files(root)      stock nginx over a directory of files
    line(port)       the slow line before a port

https://distribution.github.io/distribution/about/configuration/ (log.accesslog)
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shaped import Shape

_REQUEST = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3}) ([0-9]+)')
_PATH = "/usr/sbin:/sbin"

_REGISTRY = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: {quiet}}}}}
storage: {{filesystem: {{rootdirectory: {root}, maxthreads: 100}}, delete: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""

_NGINX = """\
daemon off;
worker_processes 2;
pid {work}/nginx.pid;
error_log {work}/nginx.err;
events {{ worker_connections 256; }}
http {{
    access_log {log};
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    sendfile on; tcp_nopush on; default_type application/octet-stream;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a source was asked for, the bytes of its answers, and how many of them it had given before."""

    requests: int
    bytes: int
    repeated: int

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.bytes / 1e6:.1f} MB"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs; `log` is its access log."""

    port: int
    log: Path

    @property
    def address(self) -> str:
        """Return HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def mark(self) -> int:
        """Return a place in the log to count from."""
        time.sleep(0.05)  # a line is written after its answer
        return self.log.stat().st_size

    def traffic(self, since: int) -> Traffic:
        """Count what was asked for since `mark` returned that."""
        time.sleep(0.05)
        with self.log.open("rb") as stream:
            stream.seek(since)
            found = _REQUEST.findall(stream.read().decode("utf-8", "replace"))
        good = [path for method, path, status, _ in found if method == "GET" and status.startswith("2")]
        bodies = [path[path.find("sha256:") :] if "sha256:" in path else path for path in good if path != "/v2/"]
        return Traffic(len(found), sum(int(size) for *_, size in found), len(bodies) - len(set(bodies)))


def program(name: str) -> str | None:
    """Return the path of a program, also of those that only root has in its PATH."""
    return shutil.which(name) or shutil.which(name, path=_PATH)


@contextmanager
def registry(root: Path, work: Path, *, logged: bool = True, port: int = 0) -> Iterator[Server]:
    """Serve a registry directory with stock docker-registry."""
    port = port or free_port()
    work.mkdir(parents=True, exist_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    config, log = work / "registry.yml", work / "access.log"
    config.write_text(_REGISTRY.format(root=root, port=port, quiet=str(not logged).lower()))
    words = [program("docker-registry") or "docker-registry", "serve", str(config)]
    with log.open("wb") as out, _running(words, port, out.fileno()):
        yield Server(port, log)


@contextmanager
def files(root: Path, work: Path) -> Iterator[Server]:
    """Serve a directory with stock nginx."""
    port = free_port()
    work.mkdir(parents=True, exist_ok=True)
    config, log = work / "nginx.conf", work / "access.log"
    log.write_bytes(b"")
    config.write_text(_NGINX.format(work=work, log=log, root=root, port=port))
    with _running([program("nginx") or "nginx", "-p", str(work), "-c", str(config)], port, subprocess.DEVNULL):
        yield Server(port, log)


@contextmanager
def line(server: Server, shape: Shape) -> Iterator[Server]:
    """Lay a slow line before a server; its log stays the server's own."""
    port = free_port()
    numbers = [f"{shape.rtt * 1e3}", f"{shape.each / 1e6}", f"{shape.total / 1e6}"]
    words = [sys.executable, "-m", "benchmarks.shaped", str(port), str(server.port), *numbers]
    with _running(words, port, subprocess.DEVNULL):
        yield Server(port, server.log)


@contextmanager
def _running(words: list[str], port: int, out: int) -> Iterator[None]:
    """Run a server until the context ends; it is up when its port answers."""
    process = subprocess.Popen(words, stdout=out, stderr=out, cwd=Path(__file__).parent.parent)
    try:
        _wait(process, port)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.025)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not answer on port {port}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
