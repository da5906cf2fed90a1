"""The content store: files named by their sha256, that nobody sees before they are verified.

cache/sha256/<hex>     whole and verified, read-only
cache/partial/<hex>    what a cut-off download had received; the next try goes on from there
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from clusterimage.storage import files
from clusterimage.transport.network import Opener, chunks
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
    """What is to be fetched: a name for messages, and its pin; `size` is in bytes, None where it is not known."""

    what: str
    digest: Digest
    size: int | None
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class Store:
    """The content store below the directory `root`."""

    root: Path

    def path(self, digest: Digest) -> Path:
        """Return where the content of that digest lies."""
        return self.root / "sha256" / digest.hex

    def partial(self, digest: Digest) -> Path:
        """Return where an unfinished download of that digest lies."""
        return self.root / "partial" / digest.hex

    def has(self, digest: Digest) -> bool:
        """Return whether the content is there and is what its name says; a damaged file is removed."""
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
        """Keep `data`, unless it is there already, and return its digest."""
        digest = digests.of_bytes(data)
        with single_flight(self.path(digest)):
            if not self.has(digest):
                files.write(self.path(digest), data, mode=0o444)
        return digest

    def fetch(self, wanted: Wanted, opener: Opener, attempts: int, moved: Callable[[int], None]) -> None:
        """Bring `wanted` into the store unless it is there; `opener(offset)` asks for the bytes from `offset` on.

        A cut-off transfer goes on where it ended, also in a later process. Raises FetchError when `attempts` in a row
        bring nothing, and DigestMismatch for bytes that are not the pinned ones; those are thrown away.
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
        """Bring content whose digest nobody published into the store (trust on first use); return digest and size."""
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
        """Keep content that nobody has pinned, unless it is there already; return its digest and size."""
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
    """One download into `partial`: hashed on the way, going on where an earlier one ended."""

    def __init__(self, wanted: Wanted, partial: Path, moved: Callable[[int], None]) -> None:
        self.wanted = wanted
        self.partial = partial
        self.moved = moved
        self.resumed = False
        self.hasher = Hasher()
        self.furthest = 0

    def run(self, opener: Opener, attempts: int) -> None:
        """Receive all and verify it; raises FetchError, or DigestMismatch after throwing the bytes away."""
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
        """Receive into `partial` until the stated size, or the end of the body where none is stated."""
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        self.hasher, self.resumed = Hasher(), self.partial.exists()
        if self.resumed:
            with self.partial.open("rb") as stream:
                self.hasher.read(stream)
            log.info("%s: going on from byte %d", self.wanted.what, self.hasher.size)
            self.moved(self.hasher.size)
        self.furthest = self.hasher.size
        retry(self.wanted.what, attempts, lambda: self._try(opener))

    def _try(self, opener: Opener) -> bool:
        """Ask once; False when it failed but got further than ever before."""
        if self.hasher.size == self.wanted.size:
            return True
        try:
            self._ask(opener)
        except FetchError as error:
            if error.retryable and self.hasher.size > self.furthest:
                self.furthest = self.hasher.size
                log.warning("%s: %s; going on from byte %d", self.wanted.what, error.problem, self.hasher.size)
                return False
            raise
        return True

    def _ask(self, opener: Opener) -> None:
        try:
            self._ask_from(opener)
        except FetchError as error:
            if error.status != _RANGE_NOT_SATISFIABLE:
                raise
            # What the server has is shorter than what we had received: begin again, it may have been cut there too.
            ended = self.hasher.size
            self.moved(-ended)
            self.hasher = Hasher()
            self.partial.unlink(missing_ok=True)
            raise self._ended(ended) from error

    def _ended(self, size: int) -> FetchError:
        hint = "the upstream is damaged: compare with its release page, or use mirror="
        return FetchError(
            f"{self.wanted.what}: ended after {size} of {self.wanted.size} bytes", hint=hint, retryable=True
        )

    def _ask_from(self, opener: Opener) -> None:
        with opener(self.hasher.size) as response:
            if self.hasher.size and response.status_code != 206:
                # The server does not know Range: everything comes again.
                self.moved(-self.hasher.size)
                self.hasher = Hasher()
            with self.partial.open("r+b" if self.hasher.size else "wb") as stream:
                stream.seek(self.hasher.size)
                self._copy(response, stream)
                stream.flush()
                os.fsync(stream.fileno())
        if self.wanted.size is not None and self.hasher.size < self.wanted.size:
            raise self._ended(self.hasher.size)

    def _copy(self, response: requests.Response, stream: BinaryIO) -> None:
        for chunk in chunks(response):
            stream.write(chunk)
            self.hasher.update(chunk)
            self.moved(len(chunk))
            if self.wanted.size is not None and self.hasher.size > self.wanted.size:
                return


@contextmanager
def single_flight(path: Path) -> Iterator[None]:
    """Let one thread at a time make `path`; the others wait and then find it made."""
    with _locks[path]:
        yield


def retry(what: str, attempts: int, act: Callable[[], bool]) -> None:
    """Call `act` until it returns; after a FetchError that may pass, wait and try again, `attempts` times in a row.

    `act` returning False means that it got some bytes before it failed: then counting begins anew.
    """
    failures = 0
    while True:
        try:
            if act():
                return
            failures = 0
        except FetchError as error:
            failures += 1
            if not error.retryable or failures >= attempts:
                raise
            wait = min(0.25 * 2**failures, 8.0) if error.wait is None else error.wait
            log.warning("%s: %s; again in %.1f s", what, error.problem, wait)
            time.sleep(wait)
