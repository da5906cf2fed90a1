"""One blob on its way to a registry (https://github.com/opencontainers/distribution-spec, "Pushing a blob in chunks").

Where the registry still knows an upload that was cut off, it is asked how far it got and the rest is sent; where it
does not, the blob begins again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from clusterimage.locks.lock import Descriptor
from clusterimage.transport.network import Call, Network, redact
from clusterimage.transport.store import retry
from clusterimage.values.errors import FetchError
from clusterimage.values.reference import Reference

if TYPE_CHECKING:
    import requests

UPLOADED, MOUNTED, PRESENT = "uploaded", "mounted", "there already"
CHUNK = 16 << 20
_STALE = (404, 409, 416)  # what a chunk gets where the registry thinks of the upload otherwise than we do
_NO_RETURN = (401, 403, 429)  # refusals that say nothing about the upload


class Repository:
    """A repository to push to; `mount` is another one of that registry, whose blobs may be taken over."""

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
        """Send a request with the login of this repository and return the response, read; raises FetchError."""
        call = Call(method, headers, body, expected, repository=f"{self.url}/blobs/", scope=self.scope)
        with self.network.send(url, call) as response:
            _ = response.content
            return response

    def has(self, blob: Descriptor) -> bool:
        """Return whether the registry has the blob in this repository."""
        return self.call("HEAD", f"{self.url}/blobs/{blob.digest}", (200, 404)).status_code == 200


@dataclass
class _Upload:
    """An upload: its address, "" before it has begun, and how much of the blob the registry has.

    `furthest` is the most that it ever had: only what goes beyond it is progress. `unsure` is set while nobody knows
    how much of the last chunk has arrived.
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
        """Go on once; False when it failed after the registry had taken more than it ever had."""
        before = self.furthest
        try:
            self._go_on()
        except FetchError as error:
            self.unsure = True
            if error.retryable and self.furthest > before:
                return False
            raise
        return True

    def _go_on(self) -> None:
        if self.location and self.unsure:
            self._ask_how_far()
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
        """Open an upload, unless the blob is there, or can be mounted."""
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
        self._follow(answer, start)

    def _ask_how_far(self) -> None:
        """Ask the registry how much it has; where it does not know the upload any more, forget it."""
        try:
            answer = self.repository.call("GET", self.location, (200, 204))
        except FetchError as error:
            if 400 <= error.status < 500 and error.status not in _NO_RETURN:
                self.location = ""
                return
            raise
        self.offset, self.unsure = 0, False
        self._follow(answer, self.location)

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
        self._follow(answer, self.location)
        if not start < self.offset <= end:
            raise FetchError(f"{redact(self.location)}: took {self.offset} bytes of {end}", retryable=True)
        self.furthest = max(self.furthest, self.offset)
        self.repository.network.moved(len(data))

    def _follow(self, answer: requests.Response, asked: str) -> None:
        """Note where the upload goes on and how far it is: "0-0" stands for nothing as well as for one byte."""
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
    """Bring the file `path` into the repository as `blob` unless it is there, and return which way it came.

    What fails and may pass is tried again, as often in a row as the network is set to.
    """
    sending = _Upload(repository, blob, path)
    retry(f"{blob.digest}", repository.network.attempts, sending.step)
    return sending.way
