"""Uploading one blob (https://github.com/opencontainers/distribution-spec, "Pushing a blob in chunks").

An interrupted upload is resumed from the offset that the registry reports; if the registry has dropped the session,
the blob is sent from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from clusterimage.locks.lock import Descriptor
from clusterimage.transport.failures import redact
from clusterimage.transport.network import Call, Network
from clusterimage.transport.retry import retry
from clusterimage.values.errors import FetchError
from clusterimage.values.reference import Reference

if TYPE_CHECKING:
    import requests

UPLOADED, MOUNTED, PRESENT = "uploaded", "mounted", "there already"
CHUNK = 16 << 20
_STALE = (404, 409, 416)  # status when the registry's offset differs from ours, or the session is gone
_SESSION_UNKNOWN = (401, 403, 429)  # status codes that say nothing about the session


class Repository:
    """A repository to push to; `mount` is another repository of that registry for cross-repository blob mounts."""

    def __init__(self, network: Network, reference: Reference, mount: str) -> None:
        self.network = network
        self.mount = mount
        self.url = network.repository_url(reference.host, reference.repository)
        name = urlsplit(self.url).path.removeprefix("/v2/")
        pull = f" repository:{mount}:pull" if mount else ""
        self.scope = f"repository:{name}:pull,push{pull}"

    def call(
        self,
        method: str,
        url: str,
        expected: tuple[int, ...],
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> requests.Response:
        """Send a request with a token for this repository and return the response, body read; raises FetchError."""
        call = Call(method, headers, body, expected, repository=f"{self.url}/blobs/", scope=self.scope)
        with self.network.send(url, call) as response:
            _ = response.content
            return response

    def has(self, blob: Descriptor) -> bool:
        """Return whether the repository has the blob (HEAD)."""
        return self.call("HEAD", f"{self.url}/blobs/{blob.digest}", (200, 404)).status_code == 200


@dataclass
class _Upload:
    """An upload session: its `location`, "" before it is opened, and `offset`, the bytes that the registry has.

    `furthest` is the highest offset so far: only bytes beyond it are progress. `unsure` is set after a failure, when
    the registry's offset has to be queried. `way` is the result: UPLOADED, MOUNTED or PRESENT.
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

    def step(self) -> bool:
        """Try to complete the upload; return False for a retryable failure after progress."""
        before = self.furthest
        try:
            self._continue()
        except FetchError as error:
            self.unsure = True
            if error.retryable and self.furthest > before:
                return False
            raise
        return True

    def _continue(self) -> None:
        if self.location and self.unsure:
            self._query_offset()
        if not self.location:
            self._begin()
        if self.way:
            return
        try:
            while self.offset < self.blob.size:
                self._send_chunk()
            mark = "&" if urlsplit(self.location).query else "?"
            url = f"{self.location}{mark}digest={quote(str(self.blob.digest))}"
            self.repository.call("PUT", url, (201, 204), headers=(_OCTETS,))
        except FetchError as error:
            error.retryable = error.retryable or error.status in _STALE
            raise
        self.way = UPLOADED

    def _begin(self) -> None:
        """Open an upload session, unless the blob exists or can be mounted."""
        repository, start = self.repository, f"{self.repository.url}/blobs/uploads/"
        self.offset, self.unsure = 0, False
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
        least = answer.headers.get("OCI-Chunk-Min-Length", "")
        self.chunk = max(CHUNK, int(least) if least.isdigit() else 0)
        self._update(answer, start)

    def _query_offset(self) -> None:
        """Query the registry's offset (GET on the location); if the session is gone, reset `location`."""
        try:
            answer = self.repository.call("GET", self.location, (200, 204))
        except FetchError as error:
            if 400 <= error.status < 500 and error.status not in _SESSION_UNKNOWN:
                self.location = ""
                return
            raise
        self.offset, self.unsure = 0, False
        self._update(answer, self.location)

    def _send_chunk(self) -> None:
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            data = stream.read(min(self.chunk, self.blob.size - self.offset))
        if not data:
            raise FetchError(f"{self.path}: is shorter than {self.blob.size} bytes", hint="run doit build again")
        start, end = self.offset, self.offset + len(data)
        headers = (_OCTETS, ("Content-Range", f"{start}-{end - 1}"))
        answer = self.repository.call("PATCH", self.location, (202, 204), data, headers)
        self.offset = end
        self._update(answer, self.location)
        if not start < self.offset <= end:
            raise FetchError(f"{redact(self.location)}: took {self.offset} bytes of {end}", retryable=True)
        self.furthest = max(self.furthest, self.offset)
        self.repository.network.moved(len(data))

    def _update(self, answer: requests.Response, asked: str) -> None:
        """Update location and offset from a response; Range "0-0" can mean no byte as well as one byte."""
        location = urljoin(asked, answer.headers.get("Location", asked))
        if asked.startswith("https:") and not location.startswith("https:"):
            hint = "tell the registry its own address: it stands behind a proxy that it does not know"
            raise FetchError(f"{redact(asked)}: sent on to plain http at {redact(location)}", hint=hint)
        self.location = location
        first, dash, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if dash and first == "0" and last.isdigit():
            self.offset = int(last) + 1 if int(last) else min(self.offset, 1)


_OCTETS = ("Content-Type", "application/octet-stream")


def upload(repository: Repository, blob: Descriptor, path: Path) -> str:
    """Upload the file `path` as `blob` if it is missing; return UPLOADED, MOUNTED or PRESENT.

    Retryable failures are retried `network.attempts` times in a row; the last one is raised as FetchError.
    """
    sending = _Upload(repository, blob, path)
    retry(f"{blob.digest}", repository.network.attempts, sending.step)
    return sending.way
