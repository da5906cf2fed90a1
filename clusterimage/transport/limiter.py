"""How many bodies are fetched at once, which of those that wait is next, and when a host asked to be left alone.

Large bodies share one set of limiter, the largest first; small ones have their own, so that nobody waits for a layer
to have a manifest. A host that refuses (429, 503) gets half of them at a time, and one more after every `most` answers;
one that says how many requests it still grants (RateLimit-Remaining) is never asked more than that at once.

https://www.rfc-editor.org/rfc/rfc9110 §10.2.3 (Retry-After), draft-ietf-httpapi-ratelimit-headers-07 (RateLimit-*)
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

LONGEST_WAIT = 60.0  # seconds
_SMALL = 128 << 10  # bytes; such a body comes within a round trip or two
_MOST_LARGE, _MOST_SMALL = 8, 4
_REFUSALS = (429, 503)


class Limiter:
    """So many at a time, the largest of those that wait first."""

    def __init__(self, most: int) -> None:
        self.most, self._full = float(most), float(most)
        self._busy = 0
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, size: int) -> Iterator[None]:
        """Wait for a turn to fetch `size` bytes, and have it for the block."""
        mine = threading.Event()
        with self._lock:
            heapq.heappush(self._waiting, (-size, next(self._order), mine))
            self._let_in()
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._let_in()

    def refused(self) -> None:
        """Have half as many at a time from now on."""
        with self._lock:
            self.most = max(self.most / 2, 1.0)

    def granted(self, remaining: int) -> None:
        """Have no more at a time than the host still grants."""
        with self._lock:
            self.most = max(min(self.most, float(remaining)), 1.0)

    def answered(self) -> None:
        """Have more again, little by little."""
        with self._lock:
            self.most = min(self.most + 1 / self.most, self._full)
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._busy < int(self.most):
            self._busy += 1
            heapq.heappop(self._waiting)[2].set()


class HostLimiter:
    """The limiter to one host."""

    def __init__(self) -> None:
        self.large, self.small = Limiter(_MOST_LARGE), Limiter(_MOST_SMALL)
        self._not_before = 0.0

    @contextmanager
    def slot(self, size: int | None) -> Iterator[None]:
        """Wait for a turn, and until the host may be asked again; None is a size that nobody knows."""
        large = size is None or size > _SMALL
        with (self.large if large else self.small).slot(size or 0):
            wait = self._not_before - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            yield

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer how much the host takes."""
        both = (self.large, self.small)
        if status in _REFUSALS:
            for limiter in both:
                limiter.refused()
            self._leave_alone(seconds(headers.get("Retry-After", "")) or 0.0)
            return
        remaining = _number(headers.get("RateLimit-Remaining", ""))
        for limiter in both:
            limiter.answered()
            if remaining is not None:
                limiter.granted(remaining)
        if remaining == 0:
            self._leave_alone(seconds(headers.get("RateLimit-Reset", "")) or 0.0)

    def _leave_alone(self, wait: float) -> None:
        self._not_before = max(self._not_before, time.monotonic() + wait)


def seconds(text: str) -> float | None:
    """Return the seconds that a header asks for, at most a minute; None for a date, or for nothing at all."""
    number = _number(text)
    return None if number is None else min(float(number), LONGEST_WAIT)


def _number(text: str) -> int | None:
    """Return the number that a header begins with (`76;w=21600`)."""
    digits = text.partition(";")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() else None
