"""A parallel map on threads."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def parallel_map(act: Callable[[T], R], things: Sequence[T], at_once: int) -> list[R]:
    """Call `act` for every item on `at_once` threads and return the results in order.

    The first exception is raised; calls that have not started are cancelled. Each call runs in a copy of the caller's
    contextvars, so that its log records go to the log of the task.
    """
    failed = threading.Event()

    def act_unless_failed(thing: T) -> R:
        if failed.is_set():
            raise CancelledError
        try:
            return act(thing)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(at_once) as pool:
        contexts = [contextvars.copy_context() for _ in things]
        calls = zip(contexts, things, strict=True)
        futures = [pool.submit(context.run, act_unless_failed, thing) for context, thing in calls]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
        wait(futures)
        errors = [future.exception() for future in futures if not future.cancelled()]
        for error in errors:
            if error is not None and not isinstance(error, CancelledError):
                raise error
        return [future.result() for future in futures]
