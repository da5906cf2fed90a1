"""A file that is written once, in order, and not read soon: past the page cache where the file system allows it.

What goes through the page cache costs the memory of the whole file and a copy, pushes out what the next step would have
read from there, and waits for the disk in the end all the same, when it is synced. With O_DIRECT (open(2)) the disk
takes whole blocks straight from our memory while the next ones are made. A file system that refuses that, and the end
of a file that fills no block, are written the ordinary way.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

BLOCK = 2 << 20  # bytes; a multiple of what any disk wants its writes, and the memory they come from, to be aligned to


class Writer:
    """Writes to `stream`, which is at its beginning and which nobody else writes to; it is whole after `with`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = stream.fileno()
        self._filling, self._other = memoryview(mmap.mmap(-1, BLOCK)), memoryview(mmap.mmap(-1, BLOCK))
        self._filled = 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._past_the_cache = _set_direct(self._file, True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._thread:
            if kind is None:
                self._wait()
                self._through_the_cache()
                self._write(self._filling[: self._filled])

    def append(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Take `parts`, whose memory is free again at once; a block that fails is raised later, or at the end."""
        for part in parts:
            rest = memoryview(part)
            while rest:
                count = min(len(rest), BLOCK - self._filled)
                self._filling[self._filled : self._filled + count] = rest[:count]
                self._filled += count
                rest = rest[count:]
                if self._filled == BLOCK:
                    self._hand_on()

    def _hand_on(self) -> None:
        """Have the full block written, and fill the one that was written before."""
        self._wait()
        self._writing = self._thread.submit(self._write, self._filling)
        self._filling, self._other, self._filled = self._other, self._filling, 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._past_the_cache:
                    raise
                self._through_the_cache()

    def _through_the_cache(self) -> None:
        _set_direct(self._file, False)
        self._past_the_cache = False


def _set_direct(descriptor: int, on: bool) -> bool:
    """Set or clear O_DIRECT; False where the file system refuses it, or the system (macOS) does not know it."""
    flag = getattr(os, "O_DIRECT", 0)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | flag if on else flags & ~flag)
    except OSError:
        return False
    return bool(flag)
