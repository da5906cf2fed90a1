"""Uploading one blob (https://github.com/opencontainers/distribution-spec, "Pushing a blob in chunks").

An interrupted upload is resumed from the offset that the registry reports; if the registry has dropped the session,
the blob is sent from the start. Not every registry keeps to that specification:

| what it does                                 | who                              | what is done            |
|----------------------------------------------|----------------------------------|-------------------------|
| refuses chunks, or all but the first         | Google's Artifact Registry       | the blob in one PUT     |
| 413 for a chunk                              | nginx before a registry          | half as large a chunk   |
| `Range` lags, is missing, or is always `0-0` | Amazon ECR                       | ask once, then go on    |
| 405 for HEAD of a blob                       | proxies                          | it counts as missing    |

What one blob has taught counts for the others of that push. The digest in the last PUT is what decides.
https://docs.cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling (monolithic uploads),
https://github.com/aws/containers-roadmap/issues/2831
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from clusterimage.locks.lock import Descriptor
from clusterimage.transport.network import Call, Network
from clusterimage.transport.retry import retry
from clusterimage.values.errors import FetchError, shown
from clusterimage.values.reference import Reference

if TYPE_CHECKING:
    import requests

UPLOADED, MOUNTED, PRESENT = "uploaded", "mounted", "there already"
CHUNK = 16 << 20
_SMALLEST = 64 << 10
_ANSWER = 64 << 10  # bytes read of an answer, whose headers are what counts
_TOO_LARGE = 413
_STALE = (404, 409, 416)  # status when the registry's offset differs from ours, or the session is gone
_SESSION_UNKNOWN = (401, 403, 429)  # status codes that say nothing about the session
_NOT_THERE = (404, 405, 501)  # to HEAD: also from who does not know HEAD
_UNNAMED = (400, 403, 404, 405, 406, 501)  # to HEAD of a tag: whether there is one is not known
_STORED = (200, 201, 204)
_RANGE = re.compile(r"(?:bytes[= ])?0-(\d{1,18})(?:/.*)?")


class Repository:
    """A repository to push to; `mount` is another repository of that registry for cross-repository blob mounts.

    What its registry has shown so far: `chunk`, the size it takes; `whole`, that it refuses chunks; `vague`, that what
    it says of offsets is not to be believed.
    """

    def __init__(self, network: Network, reference: Reference, mount: str) -> None:
        self.network = network
        self.mount = mount
        self.chunk, self.whole, self.vague = CHUNK, False, False
        self.url = network.repository_url(reference.host, reference.repository)
        name = urlsplit(self.url).path.partition("/v2/")[2]
        pull = f" repository:{mount}:pull" if mount else ""
        self.scope = f"repository:{name}:pull,push{pull}"

    def call(
        self,
        method: str,
        url: str,
        expected: tuple[int, ...],
        body: bytes | Path = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> requests.Response:
        """Send a request with a token for this repository and return the response, body read; raises FetchError."""
        from clusterimage.transport.failures import bounded  # for the modules that a command loads

        call = Call(method, headers, body, expected, repository=f"{self.url}/blobs/", scope=self.scope)
        with self.network.send(url, call) as response:
            bounded(response, _ANSWER)  # the connection can be used again
            return response

    def has(self, blob: Descriptor) -> bool:
        """Return whether the repository has the blob (HEAD)."""
        return self.call("HEAD", f"{self.url}/blobs/{blob.digest}", (200, *_NOT_THERE)).status_code == 200

    def names(self, name: str, manifest: Descriptor) -> bool:
        """Return whether a tag or digest is known to name that manifest (HEAD)."""
        url, accept = f"{self.url}/manifests/{name}", (("Accept", manifest.media_type),)
        answer = self.call("HEAD", url, (200, *_UNNAMED), headers=accept)
        return answer.status_code == 200 and answer.headers.get("Docker-Content-Digest") == str(manifest.digest)


class _Phase(Enum):
    """What an upload was about when it failed."""

    SESSION, CHUNKS, END, WHOLE = range(4)


@dataclass
class _Upload:
    """An upload session: its `location`, "" before it is opened, and `offset`, the bytes that the registry has.

    `furthest` is the highest offset so far: only bytes beyond it are progress. `unsure` is set after a failure, when
    the registry's offset has to be queried. `way` is the result: UPLOADED, MOUNTED or PRESENT. `whole` says that the
    session is for one PUT, `stale` is the offset that was refused last, `refusal` why chunks were given up.
    """

    repository: Repository
    blob: Descriptor
    path: Path
    location: str = ""
    offset: int = 0
    furthest: int = 0
    chunk: int = CHUNK
    unsure: bool = False
    way: str = ""
    whole: bool = False
    phase: _Phase = _Phase.SESSION
    stale: int = -1
    refusal: str = ""

    def step(self) -> bool:
        """Try to complete the upload; return False for a retryable failure after progress, or for another way to go."""
        before = self.furthest
        try:
            self._continue()
        except FetchError as error:
            self.unsure = True
            if self._adapt(error) or (error.retryable and self.furthest > before):
                return False
            if self.refusal:
                error.problem += f"; in chunks: {self.refusal}"
            raise
        return True

    def _continue(self) -> None:
        if self.location and self.unsure:
            self._query_offset()
        if not self.location:
            self._begin()
        if self.way:
            return
        if self.whole:
            self.phase = _Phase.WHOLE
            self._end(self.path if self.blob.size else b"")
        else:
            self.phase = _Phase.CHUNKS
            while self.offset < self.blob.size:
                self._send_chunk()
            self.phase = _Phase.END
            self._end()
        self.way = UPLOADED

    def _end(self, body: bytes | Path = b"") -> None:
        mark = "&" if urlsplit(self.location).query else "?"
        url = f"{self.location}{mark}digest={quote(str(self.blob.digest))}"
        self.repository.call("PUT", url, _STORED, body, (_OCTETS,))

    def _adapt(self, error: FetchError) -> bool:
        """Return whether there is another way after `error`, and take it; decide also whether to try the same again."""
        if self.phase is _Phase.CHUNKS and error.status == _TOO_LARGE and self.chunk > _SMALLEST:
            self.repository.chunk = self.chunk = self.chunk // 2
            self.unsure = False  # nothing of it was taken
            return True
        if self._refuses_chunks(error):
            self.repository.whole, self.location, self.refusal = True, "", error.problem
            return True
        if self.phase is not _Phase.SESSION and error.status in _STALE:
            self.stale, error.retryable = self.offset, True
        if self.phase is _Phase.WHOLE:
            self.location = ""
        return False

    def _refuses_chunks(self, error: FetchError) -> bool:
        """Return whether the registry does not take chunks, or not these; a stale offset is one that is asked first."""
        if self.phase not in (_Phase.CHUNKS, _Phase.END) or error.retryable:
            return False
        if error.status in (*_SESSION_UNKNOWN, _TOO_LARGE):
            return False
        if self.phase is _Phase.END:  # it was told that all is there, which it may not have
            return self.repository.vague and error.status >= 400
        if error.status in _STALE:
            return self.offset in (0, self.stale)
        return error.status >= 400

    def _begin(self) -> None:
        """Open an upload session, unless the blob exists or can be mounted."""
        repository, start = self.repository, f"{self.repository.url}/blobs/uploads/"
        self.phase, self.offset, self.unsure = _Phase.SESSION, 0, False
        if repository.has(self.blob):
            self.way = PRESENT
            return
        answer = None
        if repository.mount:
            query = f"?mount={quote(str(self.blob.digest))}&from={quote(repository.mount, safe='')}"
            answer = repository.call("POST", start + query, (201, 202, 400, 401, 403, 404, 405))
            if answer.status_code == 201:
                self.way = MOUNTED
                return
        if answer is None or answer.status_code != 202:
            answer = repository.call("POST", start, (202,))
        if not answer.headers.get("Location"):
            problem = f"{start}: 202, but without the address of an upload (Location)"
            raise FetchError(problem, hint="ask who runs that registry, or a proxy before it")
        least = answer.headers.get("OCI-Chunk-Min-Length", "")
        self.chunk = max(repository.chunk, int(least) if least.isdigit() else 0)
        self.whole = repository.whole
        self._move(answer, start)

    def _query_offset(self) -> None:
        """Query the registry's offset (GET on the location); if the session is gone, reset `location`."""
        if self.repository.vague:
            self.location = ""
            return
        self.phase = _Phase.SESSION
        try:
            answer = self.repository.call("GET", self.location, (200, 204))
        except FetchError as error:
            if 400 <= error.status < 500 and error.status not in _SESSION_UNKNOWN:
                self.location = ""
                return
            raise
        self._move(answer, self.location)
        self.offset, self.unsure = _taken(answer) or 0, False

    def _send_chunk(self) -> None:
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            data = stream.read(min(self.chunk, self.blob.size - self.offset))
        if not data:
            raise FetchError(f"{self.path}: is shorter than {self.blob.size} bytes", hint="run doit build again")
        start, end = self.offset, self.offset + len(data)
        headers = (_OCTETS, ("Content-Range", f"{start}-{end - 1}"))
        answer = self.repository.call("PATCH", self.location, (200, 201, 202, 204), data, headers)
        self._move(answer, self.location)
        self.offset = end
        if not self.repository.vague and _taken(answer) not in (None, end):
            self._settle(start, end)
        self.furthest = max(self.furthest, self.offset)
        self.repository.network.moved(len(data))

    def _settle(self, start: int, end: int) -> None:
        """Decide where to go on after a chunk whose answer names another offset than `end`: ask for it.

        A part of the chunk may have been taken. Anything else is an offset that lags: all was taken, or the registry
        will refuse the next chunk, or the digest.
        """
        taken = None
        try:
            answer = self.repository.call("GET", self.location, (200, 204))
        except FetchError as error:
            if error.retryable:
                raise
        else:
            self._move(answer, self.location)
            taken = _taken(answer)
        if taken is not None and start < taken < end:
            self.offset = taken
        else:
            self.repository.vague = True

    def _move(self, answer: requests.Response, asked: str) -> None:
        """Take over the location of a response."""
        from clusterimage.transport.failures import redact

        try:
            location = urljoin(asked, answer.headers.get("Location", asked))
            urlsplit(location)
        except ValueError as error:
            problem = f"{redact(asked)}: sent on to {shown(answer.headers['Location'])}, which is no address"
            raise FetchError(problem, hint="ask who runs that registry, or a proxy before it") from error
        if asked.startswith("https:") and not location.startswith("https:"):
            hint = "tell the registry its own address: it stands behind a proxy that it does not know"
            raise FetchError(f"{redact(asked)}: sent on to plain http at {redact(location)}", hint=hint)
        self.location = location


_OCTETS = ("Content-Type", "application/octet-stream")


def _taken(answer: requests.Response) -> int | None:
    """Return the bytes that a Range header names, None without one; "0-0" means no byte more often than one."""
    match = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
    last = int(match[1]) if match else -1
    return None if match is None else last + 1 if last else 0


def upload(repository: Repository, blob: Descriptor, path: Path) -> str:
    """Upload the file `path` as `blob` if it is missing; return UPLOADED, MOUNTED or PRESENT.

    Retryable failures are retried `network.attempts` times in a row; the last one is raised as FetchError.
    """
    sending = _Upload(repository, blob, path)
    retry(f"{blob.digest}", repository.network.attempts, sending.step)
    return sending.way
