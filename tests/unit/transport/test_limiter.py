"""limiter: who is next, how many at once, and hosts that ask to be left alone."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from clusterimage.transport.limiter import HostLimiter, Limiter, seconds
from tests.unit.conftest import Page, serve


def order_of(limiter: Limiter, sizes: list[int]) -> list[int]:
    """Return in which order bodies of those sizes had their turns, all of which waited for a busy limiter."""
    had: list[int] = []

    def fetch(size: int) -> None:
        with limiter.slot(size):
            had.append(size)

    threads = [threading.Thread(target=fetch, args=(size,)) for size in sizes]
    with ExitStack() as busy:
        busy.enter_context(limiter.slot(1))
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(limiter._waiting) < number:
                pass
    for thread in threads:
        thread.join()
    return had


def test_the_largest_that_waits_is_next() -> None:
    assert order_of(Limiter(1), [5, 9, 7]) == [9, 7, 5]


def test_of_one_size_the_first_that_came_is_next() -> None:
    limiter = Limiter(1)

    assert order_of(limiter, [3, 3, 8]) == [8, 3, 3]


def test_a_small_body_does_not_wait_for_large_ones() -> None:
    limiter = HostLimiter()
    with ExitStack() as busy:
        for _ in range(8):
            busy.enter_context(limiter.slot(50_000_000))

        with limiter.slot(1000):
            pass


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_halves_and_answers_bring_it_back(status: int) -> None:
    limiter = HostLimiter()

    limiter.observe(status, {})
    assert (limiter.large.limit, limiter.small.limit) == (4.0, 2.0)
    for _ in range(9):
        limiter.observe(status, {})
    assert (limiter.large.limit, limiter.small.limit) == (1.0, 1.0)
    for _ in range(100):
        limiter.observe(200, {})
    assert (limiter.large.limit, limiter.small.limit) == (8.0, 4.0)


def test_no_more_are_asked_at_once_than_are_granted() -> None:
    limiter = HostLimiter()

    limiter.observe(200, {"RateLimit-Remaining": "3;w=21600"})
    assert limiter.large.limit == 3.0
    limiter.observe(200, {"RateLimit-Remaining": "0"})
    assert limiter.large.limit == 1.0
    for _ in range(100):
        limiter.observe(200, {"RateLimit-Remaining": "5000"})
    assert limiter.large.limit == 8.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("0", 0.0), ("7", 7.0), ("86400", 60.0), ("-1", None), ("Wed, 21 Oct 2099 07:28:00 GMT", None)],
)
def test_what_a_host_asks_for(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


def test_the_network_hears_every_answer() -> None:
    with serve({"/x": Page(b"", 429, {"Retry-After": "0"})}) as pages:
        network = pages.network()
        with pytest.raises(Exception, match="429"), network.opener(f"{pages.url}/x")(0):
            pass

        assert network._limiters[pages.url.partition("://")[2]].large.limit == 4.0
