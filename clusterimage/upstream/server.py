"""The embedded upstream's server: HTTP/1.1 on a free port of loopback, a thread per connection, stopped and joined."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from clusterimage.upstream.answers import Answer, Request, lied, ranged, spoiled
from clusterimage.upstream.auth import Auth
from clusterimage.upstream.contents import MARK
from clusterimage.upstream.faults import Fault, Faults, Kind
from clusterimage.upstream.files import Files, UpstreamFile
from clusterimage.upstream.log import Entry, Log
from clusterimage.upstream.repositories import Repositories
from clusterimage.upstream.site import Site

_PIECE = 256 * 1024
_TICKS = 20  # writes per second of a SLOW response
_POLL = 0.02  # seconds; poll interval of serve_forever for shutdown


class Upstream:
    """Context manager that runs the file server and registry in this process; see the package for `url` and `registry`.

    `size` scales the content: 1 is tens of KiB per binary and layer. Each entry binds another free port.
    """

    def __init__(
        self,
        files: Sequence[UpstreamFile],
        images: Sequence[str],
        *,
        faults: Faults | None = None,
        auth: Auth | None = None,
        size: int = 1,
    ) -> None:
        self.url = ""
        self.registry = ""
        self.requests = Log()
        self.faults = Faults() if faults is None else faults
        self._auth = auth
        self._files = Files(files, size)
        self._repositories = Repositories(images, size)

    def __enter__(self) -> Self:
        self._server = _Server(self.requests)
        self.registry = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.registry}"
        self._server.site = Site(self._files, self._repositories, self.faults, self._auth, self.registry)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="embedded upstream", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Tracks its open connections, so that `stop` can close idle ones."""

    daemon_threads = True
    request_queue_size = 128
    site: Site

    def __init__(self, log: Log) -> None:
        self.log = log
        self.stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's host name lookup, which can query DNS."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a new thread."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        super().process_request_thread(request, client_address)
        with self._lock:
            del self._connections[threading.current_thread()]

    def stop(self) -> None:
        """Stop accepting, shut down all connections, and join their threads."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with suppress(OSError):  # closed by its own thread just now
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        """Serve the requests of one connection; a disconnect by the client is not an error."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer GET and HEAD."""
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        request = Request(self.command, self.path, headers)
        answer = self.server.site.answer(request)
        fault = self.server.site.fault_of_body(request, answer)
        answer = spoiled(answer, fault)
        if fault is None or fault.kind is not Kind.IGNORE_RANGE:
            answer = ranged(answer, request)
        self._send(lied(answer, fault), fault)

    def do_POST(self) -> None:
        """Refuse methods that write, without reading the body."""
        self.close_connection = True
        self._send(self.server.site.unsupported().with_headers({"Connection": "close"}), None)

    do_HEAD = do_GET
    do_PUT = do_PATCH = do_DELETE = do_POST

    def version_string(self) -> str:
        """Return the Server header."""
        return MARK.replace(" ", "-")

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: requests are recorded in `Log`."""

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        # Logged before anything is sent, so that a test can count as soon as it has the response.
        entry = Entry(self.command, self.path, self.headers.get("Range", ""), answer.status)
        self.server.log.add(entry)
        is_chunked = fault is not None and fault.kind is Kind.NO_LENGTH
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(*("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", str(len(answer.body))))
        self.end_headers()
        if self.command == "HEAD":
            return
        for piece in self._pieces(answer.body, fault):
            entry.sent += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)) if is_chunked else piece)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _pieces(self, body: bytes, fault: Fault | None) -> Iterator[memoryview]:
        """Yield the pieces of the body to send, delayed or cut by the fault."""
        kind = fault.kind if fault else None
        step = max(1, fault.rate // _TICKS) if fault and kind is Kind.SLOW else _PIECE
        end = fault.end(len(body)) if fault and kind in (Kind.CUT, Kind.STALL) else len(body)
        view = memoryview(body)[:end]
        for start in range(0, len(view), step):
            yield view[start : start + step]
            if kind is Kind.SLOW:
                self.server.stopping.wait(1 / _TICKS)
        if kind is Kind.STALL:
            self.rfile.read()  # returns once the client or the server has closed the connection
        if kind in (Kind.CUT, Kind.STALL):
            self.close_connection = True
