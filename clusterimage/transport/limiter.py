"""Rate and concurrency limits per host: how many requests run at once, in which order, and when to back off.

Large bodies share one limiter, largest first; small ones have another, so that a manifest never waits for a layer.
429 and 503 halve the limit; every `most` successful responses raise it by one. Concurrency never exceeds the number of
requests that the host still allows (RateLimit-Remaining).

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
_SMALL = 128 << 10  # bytes; a body of this size takes one or two round trips
_MOST_LARGE, _MOST_SMALL = 8, 4
_REFUSALS = (429, 503)


class Limiter:
    """A semaphore with an adjustable limit `most`; the largest waiting request is admitted first."""

    def __init__(self, most: int) -> None:
        self.limit, self._initial = float(most), float(most)
        self._busy = 0
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, size: int) -> Iterator[None]:
        """Wait for a slot for a request of `size` bytes, and hold it for the block."""
        admitted = threading.Event()
        with self._lock:
            heapq.heappush(self._waiting, (-size, next(self._order), admitted))
            self._admit()
        admitted.wait()
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._admit()

    def halve(self) -> None:
        """Halve the limit, to no less than 1."""
        with self._lock:
            self.limit = max(self.limit / 2, 1.0)

    def cap(self, remaining: int) -> None:
        """Lower the limit to the `remaining` requests that the host allows, to no less than 1."""
        with self._lock:
            self.limit = max(min(self.limit, float(remaining)), 1.0)

    def increase(self) -> None:
        """Raise the limit by 1 / limit, up to the initial one."""
        with self._lock:
            self.limit = min(self.limit + 1 / self.limit, self._initial)
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < int(self.limit):
            self._busy += 1
            heapq.heappop(self._waiting)[2].set()


class HostLimiter:
    """The limiters of one host, for large and for small bodies, and the time until which it must not be asked."""

    def __init__(self) -> None:
        self.large, self.small = Limiter(_MOST_LARGE), Limiter(_MOST_SMALL)
        self._not_before = 0.0

    @contextmanager
    def slot(self, size: int | None) -> Iterator[None]:
        """Wait for a slot, and until the host's Retry-After has passed; `size` is in bytes, None if unknown."""
        large = size is None or size > _SMALL
        with (self.large if large else self.small).slot(size or 0):
            wait = self._not_before - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            yield

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Adjust the limits to a response: its status, Retry-After, RateLimit-Remaining and RateLimit-Reset."""
        both = (self.large, self.small)
        if status in _REFUSALS:
            for limiter in both:
                limiter.halve()
            self._back_off(seconds(headers.get("Retry-After", "")) or 0.0)
            return
        remaining = _number(headers.get("RateLimit-Remaining", ""))
        for limiter in both:
            limiter.increase()
            if remaining is not None:
                limiter.cap(remaining)
        if remaining == 0:
            self._back_off(seconds(headers.get("RateLimit-Reset", "")) or 0.0)

    def _back_off(self, wait: float) -> None:
        self._not_before = max(self._not_before, time.monotonic() + wait)


def seconds(text: str) -> float | None:
    """Return the delay of a Retry-After or RateLimit-Reset header, at most 60 s; None for a date or an empty value."""
    number = _number(text)
    return None if number is None else min(float(number), LONGEST_WAIT)


def _number(text: str) -> int | None:
    """Return the leading integer of a header (`76;w=21600`), or None."""
    digits = text.partition(";")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() else None
