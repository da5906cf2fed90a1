"""A proxy before a registry that spoils single answers, as networks and busy registries do."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler

from tests.integration.loopback import LoopbackServer

LOST, REFUSED, BUSY = "lost", "refused", "busy"


class FlakyProxy(LoopbackServer):
    """Passes requests on to `target`; `spoil` says of the n-th request of a method (from 1) what becomes of it.

    LOST is answered by the registry, but the connection ends before the client hears of it; REFUSED is 503 and BUSY
    429 without the registry hearing of anything.
    """

    def __init__(self, target: str, spoil: dict[tuple[str, int], str]) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._target, self._spoil = target, spoil
        self._lock = threading.Lock()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass the request on, or spoil it."""
        with self._lock:
            self.counts[handler.command] += 1
            fate = self._spoil.get((handler.command, self.counts[handler.command]))
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if fate in (REFUSED, BUSY):
            handler.send_response(503 if fate == REFUSED else 429)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection(self._target)
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
