"""A read-only registry server for saved registries (https://github.com/opencontainers/distribution-spec).

    GET /v2/                                       version check
    GET /v2/_catalog                               repositories
    GET /v2/<repository>/tags/list
    GET /v2/<repository>/manifests/<tag or digest>
    GET /v2/<repository>/blobs/<digest>            with Range requests
    GET /v2/<repository>/referrers/<digest>        the saved manifests whose subject that is, most often none

Several directories of oci/saved_registry.py are served as one: with those of all platforms every child of an index
exists. Files are sent with sendfile. Every method but GET and HEAD is answered with 405.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from clusterimage.storage import manifest
from clusterimage.values.errors import ClusterImageError
from clusterimage.values.media_types import OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

log = logging.getLogger(__name__)
_LAYERS = "/_layers/sha256/"
_REPOSITORIES = "docker/registry/v2/repositories/"
_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<what>[^/]+)")
_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_UNKNOWN = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN", "tags": "NAME_UNKNOWN"}


@dataclass(slots=True)
class Catalogue:
    """The index of the served content: blob files by digest, and by repository its tags, digests and manifests."""

    blobs: dict[str, Path] = field(default_factory=dict)
    tags: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    digests: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    manifests: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response: `body`, or `size` bytes of the file `path` from the offset `start`."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    path: Path | None = None
    start: int = 0
    size: int = 0

    @property
    def length(self) -> int:
        """The Content-Length in bytes."""
        return len(self.body) if self.path is None else self.size


def catalogue(roots: Sequence[Path]) -> Catalogue:
    """Index the saved registries at `roots`; raises ClusterImageError if a tag has two digests."""
    found = Catalogue()
    for root in roots:
        for entry in manifest.read(root.with_name(root.name + manifest.SUFFIX)):
            if entry.path.endswith("/data"):
                found.blobs.setdefault(f"sha256:{entry.path.split('/')[-2]}", root / entry.path)
            elif entry.path.startswith(_REPOSITORIES):
                _add_link(found, entry.path.removeprefix(_REPOSITORIES), root / entry.path)
    return found


def _add_link(found: Catalogue, link: str, path: Path) -> None:
    for mark in (_LAYERS, "/_manifests/revisions/sha256/"):
        repository, is_one, rest = link.partition(mark)
        if is_one:
            found.digests[repository].add(f"sha256:{rest.partition('/')[0]}")
            if mark != _LAYERS:
                found.manifests[repository].add(f"sha256:{rest.partition('/')[0]}")
    repository, is_tag, rest = link.partition("/_manifests/tags/")
    if is_tag and rest.endswith("/current/link"):
        tag, digest = rest.partition("/")[0], path.read_text("utf-8")
        if found.tags[repository].setdefault(tag, digest) != digest:
            hint = "serve one version at a time: k8s="
            raise ClusterImageError(f"{repository}:{tag}: is two images in what was selected", hint=hint)


def answer(found: Catalogue, method: str, path: str, wanted: str = "") -> Answer:
    """Return the response to a request; `wanted` is its Range header."""
    path, _, query = path.partition("?")
    if method not in ("GET", "HEAD"):
        return _error(405, "UNSUPPORTED", "this registry is for reading only", (("Allow", "GET, HEAD"),))
    if path in ("/v2", "/v2/"):
        return _json({})
    if path == "/v2/_catalog":
        return _json({"repositories": sorted(found.digests)})
    match = _PATH.fullmatch(path)
    if match is None:
        return _error(404, "UNSUPPORTED", f"nothing is at {path}")
    repository, kind, what = match["repository"], match["kind"], match["what"]
    if kind == "referrers":
        return _referrers(found, repository, unquote(what), parse_qs(query).get("artifactType", [""])[0])
    return _content(found, repository, kind, what, wanted)


def _content(found: Catalogue, repository: str, kind: str, what: str, wanted: str) -> Answer:
    """Return the tags of a repository, a manifest or a blob of it."""
    if repository not in found.digests:
        return _error(404, "NAME_UNKNOWN", f"there is no repository {repository}")
    if kind == "tags" and what == "list":
        return _json({"name": repository, "tags": sorted(found.tags[repository])})
    digest = found.tags[repository].get(what, what) if kind == "manifests" else what
    blob = found.blobs.get(digest) if digest in found.digests[repository] else None
    if blob is None:
        return _error(404, _UNKNOWN[kind], f"{what} is not in {repository}")
    return _manifest(blob, digest) if kind == "manifests" else _blob(blob, digest, wanted)


def _referrers(found: Catalogue, repository: str, subject: str, wanted: str) -> Answer:
    """Return the index of the manifests with that `subject`, of the artifact type `wanted` only if that is not ""."""
    if not _DIGEST.fullmatch(subject):
        return _error(400, "DIGEST_INVALID", "that is no digest")
    listed = []
    for digest in sorted(found.manifests.get(repository, ())):
        data = found.blobs[digest].read_bytes() if digest in found.blobs else b"{}"
        body = json.loads(data)
        kind = body.get("artifactType") or (body.get("config") or {}).get("mediaType", "")
        if (body.get("subject") or {}).get("digest") == subject and wanted in ("", kind):
            entry = {"mediaType": body.get("mediaType", OCI_MANIFEST), "digest": digest, "size": len(data)}
            listed.append(entry | {"artifactType": kind, "annotations": body.get("annotations") or {}})
    headers = (("OCI-Filters-Applied", "artifactType"),) if wanted else ()
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    return Answer(200, (("Content-Type", OCI_INDEX), *headers), json.dumps(index, separators=(",", ":")).encode())


def _manifest(path: Path, digest: str) -> Answer:
    data = path.read_bytes()
    body = json.loads(data)
    media_type = body.get("mediaType") or (OCI_INDEX if "manifests" in body else OCI_MANIFEST)
    return Answer(200, (("Content-Type", media_type), ("Docker-Content-Digest", digest)), data)


def _blob(path: Path, digest: str, wanted: str) -> Answer:
    total = path.stat().st_size
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/octet-stream"),
        ("Docker-Content-Digest", digest),
        ("Accept-Ranges", "bytes"),
    )
    match = _RANGE.fullmatch(wanted)
    if match is None:
        return Answer(200, headers, path=path, size=total)
    first, last, suffix = match.groups()
    start = max(0, total - int(suffix)) if suffix else int(first)
    end = min(int(last), total - 1) if last else total - 1
    if start > end:
        return _error(416, "RANGE_INVALID", f"{wanted} of {total} bytes", (("Content-Range", f"bytes */{total}"),))
    headers = (*headers, ("Content-Range", f"bytes {start}-{end}/{total}"))
    return Answer(206, headers, path=path, start=start, size=end - start + 1)


def _json(value: dict[str, Any], status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, (("Content-Type", "application/json"), *headers), body)


def _error(status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return _json({"errors": [{"code": code, "message": message, "detail": None}]}, status, headers)


def serve(roots: tuple[Path, ...], port: int, say: Callable[[str], None]) -> None:
    """Serve the saved registries at `roots` on 127.0.0.1 until the process ends; port 0 picks a free one."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    found = catalogue(roots)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            _respond(self, found)

        do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            log.info("%s", format % args)

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ClusterImageError(
            f"port={port}: {reason}", hint="choose another, or leave it out for a free one"
        ) from error
    server.daemon_threads = True
    address = f"127.0.0.1:{server.server_port}"
    tags = sum(map(len, found.tags.values()))
    say(f"serving {len(found.tags)} repositories, {tags} tags, read-only: http://{address}/v2/  (Ctrl-C ends it)")
    with server:
        server.serve_forever()


def _respond(handler: BaseHTTPRequestHandler, found: Catalogue) -> None:
    """Send the response to the request that `handler` has parsed; a request body is not read."""
    reply = answer(found, handler.command, handler.path, handler.headers.get("Range", ""))
    with suppress(ConnectionError):  # the client closed the connection
        handler.send_response(reply.status)
        handler.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        handler.send_header("Content-Length", str(reply.length))
        if handler.command not in ("GET", "HEAD"):
            handler.send_header("Connection", "close")
        for name, value in reply.headers:
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if reply.path is None:
            handler.wfile.write(reply.body)
            return
        with reply.path.open("rb") as stream:
            handler.connection.sendfile(stream, reply.start, reply.size)
