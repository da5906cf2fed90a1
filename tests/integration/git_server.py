"""A git server on loopback: Debian's `git http-backend` behind Python's HTTP server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import run, tool


def repository(path: Path, *tags: str) -> Path:
    """Make a bare repository with one commit, other branches and these tags, every second one annotated."""
    git = (tool("git"), "-c", "user.name=a", "-c", "user.email=a@example", "-C", str(path))
    run(tool("git"), "init", "--quiet", "--bare", "--initial-branch=main", str(path))
    tree = run(*git, "mktree").strip()
    commit = run(*git, "commit-tree", "-m", "one", tree).strip()
    run(*git, "update-ref", "refs/heads/v9.9.9", commit)
    for index, tag in enumerate(tags):
        run(*git, "tag", *(("-a", "-m", tag) if index % 2 else ()), tag, commit)
    return path


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve the repositories below `root`; the value is the URL that their names are appended to."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "PATH_INFO": self.path,
                "REQUEST_METHOD": "POST",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "QUERY_STRING": "",
            }
            words = [tool("git"), "http-backend"]
            answer = subprocess.run(words, input=body, env=environment, capture_output=True, check=True).stdout
            head, _, content = answer.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
