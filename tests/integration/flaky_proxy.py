"""A proxy before a registry that spoils single answers, as networks and busy registries do."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LOST, REFUSED, BUSY = "lost", "refused", "busy"


class FlakyProxy:
    """Passes requests on to `target`; `spoil` says of the n-th request of a method (from 1) what becomes of it.

    LOST is answered by the registry, but the connection ends before the client hears of it; REFUSED is 503 and BUSY
    429 without the registry hearing of anything.
    """

    def __init__(self, target: str, spoil: dict[tuple[str, int], str]) -> None:
        self.counts: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._pass_on(self, target, spoil)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _pass_on(self, handler: BaseHTTPRequestHandler, target: str, spoil: dict[tuple[str, int], str]) -> None:
        with self._lock:
            self.counts[handler.command] += 1
            fate = spoil.get((handler.command, self.counts[handler.command]))
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if fate in (REFUSED, BUSY):
            handler.send_response(503 if fate == REFUSED else 429)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection(target)
        connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if fate == LOST:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server"):
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
