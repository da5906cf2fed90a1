"""Doing the same to many things, several at a time."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def together(act: Callable[[T], R], things: Sequence[T], at_once: int) -> list[R]:
    """Do `act` to every thing, `at_once` at a time; the first failure is raised, and what has not begun does not.

    Each runs in a copy of the caller's context: what is logged goes to the log of its task.
    """
    with ThreadPoolExecutor(at_once) as pool:
        contexts = [contextvars.copy_context() for _ in things]
        futures = [pool.submit(context.run, act, thing) for context, thing in zip(contexts, things, strict=True)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
