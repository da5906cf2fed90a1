"""The content-addressed store: files named by their sha256, visible only after verification.

cache-v1/sha256/<hex>     complete and verified, read-only
cache-v1/partial/<hex>    bytes of an interrupted download; the next attempt resumes from there
"""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from clusterimage.storage import files
from clusterimage.transport.network import Opener, chunks
from clusterimage.transport.retry import ONCE, retry
from clusterimage.values import digest as digests
from clusterimage.values import stamp
from clusterimage.values.digest import Digest, Hasher
from clusterimage.values.errors import DigestMismatch, FetchError

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)
_RANGE_NOT_SATISFIABLE = 416
_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
_verified: set[tuple[Path, tuple[int, ...]]] = set()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blob to fetch: a name for messages, its digest, and its size in bytes (None if unknown)."""

    what: str
    digest: Digest
    size: int | None
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class Store:
    """The content store below the directory `root`."""

    root: Path

    def path(self, digest: Digest) -> Path:
        """Return the path of the blob with that digest."""
        return self.root / "sha256" / digest.hex

    def partial(self, digest: Digest) -> Path:
        """Return the path of an incomplete download of that digest."""
        return self.root / "partial" / digest.hex

    def has(self, digest: Digest) -> bool:
        """Return whether the blob is stored and matches its digest; a damaged file is removed."""
        path = self.path(digest)
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        stamped = (path, tuple(stamp.of(status)))
        if stamped in _verified:
            return True
        if digests.of_file(path) != digest:
            log.warning("%s: damaged, fetched again", path)
            path.unlink()
            return False
        _verified.add(stamped)
        return True

    def put(self, data: bytes) -> Digest:
        """Store `data` if it is missing, and return its digest."""
        digest = digests.of_bytes(data)
        with single_flight(self.path(digest)):
            if not self.has(digest):
                files.write(self.path(digest), data, mode=0o444)
        return digest

    def fetch(self, wanted: Wanted, opener: Opener, attempts: int, moved: Callable[[int], None]) -> None:
        """Download `wanted` if it is missing; `opener(offset)` requests the bytes from `offset` on.

        An interrupted download is resumed, also by a later process. Raises FetchError after `attempts` in a row without
        new bytes, and DigestMismatch for a wrong digest or size; those bytes are deleted.
        """
        dest = self.path(wanted.digest)
        with single_flight(dest):
            if self.has(wanted.digest):
                log.info("%s: in the cache", wanted.what)
                dest.chmod(wanted.mode | dest.stat().st_mode)
                return
            transfer = Transfer(wanted, self.partial(wanted.digest), moved)
            try:
                transfer.run(opener, attempts)
            except DigestMismatch:
                if not transfer.resumed:
                    raise
                log.warning("%s: what was resumed is damaged, from the start", wanted.what)
                transfer.run(opener, attempts)
            self._keep(transfer.partial, dest, wanted.mode)

    def adopt(self, opener: Opener, what: str, attempts: int, moved: Callable[[int], None]) -> tuple[Digest, int]:
        """Download content that has no published digest (trust on first use); return its digest and size in bytes."""
        wanted = Wanted(what, digests.of_bytes(what.encode()), None)
        with single_flight(self.partial(wanted.digest)):
            self.partial(wanted.digest).unlink(missing_ok=True)
            transfer = Transfer(wanted, self.partial(wanted.digest), moved)
            transfer.receive(opener, attempts)
            digest, size = transfer.hasher.digest, transfer.hasher.size
            with single_flight(self.path(digest)):
                if not self.has(digest):
                    self._keep(transfer.partial, self.path(digest), wanted.mode)
            transfer.partial.unlink(missing_ok=True)
        return digest, size

    def keep(self, pieces: Iterable[bytes]) -> tuple[Digest, int]:
        """Store the concatenated `pieces` if they are missing; return their digest and size in bytes."""
        partial, hasher = files.beside(self.root / "partial" / "kept"), Hasher()
        try:
            with partial.open("wb") as stream:
                for piece in pieces:
                    hasher.update(piece)
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            with single_flight(self.path(hasher.digest)):
                if not self.has(hasher.digest):
                    self._keep(partial, self.path(hasher.digest), 0o444)
        finally:
            partial.unlink(missing_ok=True)
        return hasher.digest, hasher.size

    @staticmethod
    def _keep(partial: Path, dest: Path, mode: int) -> None:
        dest.parent.mkdir(parents=True, exist_ok=True)
        partial.chmod(mode)
        partial.replace(dest)
        _verified.add((dest, tuple(stamp.of(dest.stat()))))


class Transfer:
    """One download into `partial`, hashed while it is received; it resumes an earlier one."""

    def __init__(self, wanted: Wanted, partial: Path, moved: Callable[[int], None]) -> None:
        self.wanted = wanted
        self.partial = partial
        self.moved = moved
        self.resumed = False
        self.hasher = Hasher()
        self.furthest = 0

    def run(self, opener: Opener, attempts: int) -> None:
        """Receive and verify everything; raises FetchError, or DigestMismatch after deleting the bytes."""
        self.receive(opener, attempts)
        wanted, hasher = self.wanted, self.hasher
        if hasher.digest == wanted.digest and wanted.size in (None, hasher.size):
            return
        self.partial.unlink(missing_ok=True)
        self.moved(-hasher.size)
        expected, actual = str(wanted.digest), str(hasher.digest)
        if wanted.size is not None and hasher.size != wanted.size:
            expected, actual = f"{wanted.size} bytes of {expected}", f"{hasher.size} bytes or more"
        raise DigestMismatch(wanted.what, expected=expected, actual=actual)

    def receive(self, opener: Opener, attempts: int) -> None:
        """Receive into `partial` up to the expected size, or to the end of the body if that is unknown."""
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        self.hasher, self.resumed = Hasher(), self.partial.exists()
        if self.resumed:
            with self.partial.open("rb") as stream:
                self.hasher.read(stream)
            log.info("%s: going on from byte %d", self.wanted.what, self.hasher.size)
            self.moved(self.hasher.size)
        self.furthest = self.hasher.size
        retry(self.wanted.what, attempts, lambda: self._try(opener, once=attempts == ONCE))

    def _try(self, opener: Opener, *, once: bool) -> bool:
        """Send one request; return False if it failed after new bytes were received and there is to be another one."""
        if self.hasher.size == self.wanted.size:
            return True
        try:
            self._request(opener)
        except FetchError as error:
            if error.retryable and self.hasher.size > self.furthest:
                self.furthest = self.hasher.size
                error.progress = True
                if once:
                    raise
                log.warning("%s: %s; going on from byte %d", self.wanted.what, error.problem, self.hasher.size)
                return False
            raise
        return True

    def _request(self, opener: Opener) -> None:
        try:
            self._request_from(opener)
        except FetchError as error:
            if error.status != _RANGE_NOT_SATISFIABLE:
                raise
            # 416: the server's file ends before our offset. Restart from 0, as it may be truncated for good.
            ended = self.hasher.size
            self.moved(-ended)
            self.hasher = Hasher()
            self.partial.unlink(missing_ok=True)
            raise self._truncated(ended) from error

    def _truncated(self, size: int) -> FetchError:
        hint = "the upstream is damaged: compare with its release page, or use mirror="
        return FetchError(
            f"{self.wanted.what}: ended after {size} of {self.wanted.size} bytes", hint=hint, retryable=True
        )

    def _request_from(self, opener: Opener) -> None:
        with opener(self.hasher.size) as response:
            if self.hasher.size and response.status_code != 206:
                # The server ignores Range requests: restart from 0.
                self.moved(-self.hasher.size)
                self.hasher = Hasher()
            with self.partial.open("r+b" if self.hasher.size else "wb") as stream:
                stream.seek(self.hasher.size)
                self._copy(response, stream)
                stream.flush()
                os.fsync(stream.fileno())
        if self.wanted.size is not None and self.hasher.size < self.wanted.size:
            raise self._truncated(self.hasher.size)

    def _copy(self, response: requests.Response, stream: BinaryIO) -> None:
        for chunk in chunks(response):
            stream.write(chunk)
            self.hasher.update(chunk)
            self.moved(len(chunk))
            if self.wanted.size is not None and self.hasher.size > self.wanted.size:
                return


@contextmanager
def single_flight(path: Path) -> Iterator[None]:
    """Let one thread at a time create `path`; the others wait and then find it."""
    with _locks[path]:
        yield
