"""A registry on loopback that takes pushes in its own way; whatever it does, it keeps no blob of another digest."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from clusterimage.catalog.spec import Mirror
from clusterimage.transport.network import Network

Refusal = tuple[int, str]


@dataclass
class Odd:
    """What a registry does in its own way, and what it was asked and has got.

    `chunk` refuses a chunk by offset and size, None takes it; `takes` says how many bytes of a chunk are kept, `range`
    what Range is told by the sizes before and after, "" for none; `offset` the status of a GET for it. `most` is the
    size of a request above which a proxy says 413; `fixed` refuses to change a tag.
    """

    chunk: Callable[[int, int], Refusal | None] = lambda start, size: None
    takes: Callable[[int, int], int] = lambda start, size: size
    range: Callable[[int, int], str] = lambda before, after: f"0-{max(after - 1, 0)}"
    offset: int = 204
    most: int = 1 << 40
    fixed: Refusal | None = None
    head: int = 404
    stored: int = 201
    least: str = ""
    opened: str = "Location"
    sends_to: str = ""
    asked: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    address: str = ""

    def network(self, attempts: int = 3) -> Network:
        return Network(Mirror("odd", plain_http=(self.address,)), attempts=attempts, timeout=5)

    def count(self, method: str, part: str = "") -> int:
        return sum(line.startswith(f"{method} ") and part in line for line in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    odd: Odd

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, refusal: Refusal) -> None:
        error = {"code": refusal[1], "message": f"{refusal[1]} it is"}
        self.reply(refusal[0], json.dumps({"errors": [error]}).encode())

    def session(self) -> str:
        return urlsplit(self.path).path.rpartition("/")[2]

    def tell(self, status: int) -> None:
        before, data = self.odd.uploads[self.session()]
        said = self.odd.range(before, len(data))
        self.reply(status, Location=self.path, **({"Range": said} if said else {}))

    def handle_one(self) -> None:
        odd, name = self.odd, urlsplit(self.path).path.rpartition("/")[2]
        odd.asked.append(f"{self.command} {self.path}")
        size = int(self.headers.get("Content-Length") or 0)
        if size > odd.most:
            self.close_connection = True
            self.reply(413, Connection="close")
            for _ in range(0, size, 1 << 16):
                self.rfile.read1(1 << 16)
            return
        body = self.rfile.read(size)
        if "/blobs/uploads/" in self.path:
            self.upload(body)
        elif self.command == "PUT":
            self.manifest(name, body)
        else:
            found = (odd.manifests if "/manifests/" in self.path else odd.blobs).get(name)
            if found is None or ("/blobs/" in self.path and odd.head == 405):
                self.reply(odd.head)
            else:
                self.reply(200, found, Docker_Content_Digest=f"sha256:{hashlib.sha256(found).hexdigest()}")

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_one

    def upload(self, body: bytes) -> None:
        odd = self.odd
        if self.command == "POST":
            name = f"upload-{next(odd.numbers)}"
            odd.uploads[name] = (0, b"")
            where = {odd.opened: odd.sends_to or f"{self.path}{name}"}
            self.reply(202, **where, **({"OCI_Chunk_Min_Length": odd.least} if odd.least else {}))
        elif self.session() not in odd.uploads:
            self.refuse((404, "BLOB_UPLOAD_UNKNOWN"))
        elif self.command == "GET":
            self.tell(204) if odd.offset == 204 else self.reply(odd.offset)
        elif self.command == "PATCH":
            self.patch(body)
        else:
            self.close(body)

    def patch(self, body: bytes) -> None:
        _, data = self.odd.uploads[self.session()]
        start = int(self.headers["Content-Range"].partition("-")[0])
        refusal = self.odd.chunk(start, len(body)) or ((416, "RANGE_INVALID") if start != len(data) else None)
        if refusal is not None:
            return self.refuse(refusal)
        self.odd.uploads[self.session()] = (len(data), data + body[: self.odd.takes(start, len(body))])
        self.tell(202)

    def close(self, body: bytes) -> None:
        digest = parse_qs(urlsplit(self.path).query)["digest"][0]
        data = self.odd.uploads.pop(self.session())[1] + body
        if digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
            return self.refuse((400, "DIGEST_INVALID"))
        self.odd.blobs[digest] = data
        self.reply(self.odd.stored)

    def manifest(self, name: str, body: bytes) -> None:
        if self.odd.fixed and name in self.odd.manifests and ":" not in name:
            return self.refuse(self.odd.fixed)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.odd.manifests |= {name: body, digest: body}
        self.reply(self.odd.stored, Docker_Content_Digest=digest)


@contextmanager
def serving(odd: Odd) -> Iterator[Odd]:
    """Let `odd` listen on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"odd": odd})) as server:
        server.daemon_threads = True
        odd.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield odd
        finally:
            server.shutdown()
            thread.join()
