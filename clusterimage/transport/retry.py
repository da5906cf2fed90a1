"""Trying again after a failure that may pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from clusterimage.values.errors import FetchError

ONCE = 0  # as a number of attempts: a single request, that is not gone on with after a failure
log = logging.getLogger(__name__)


def retry(what: str, attempts: int, act: Callable[[], bool]) -> None:
    """Call `act` until it returns True; a retryable FetchError is retried, up to `attempts` failures in a row.

    `act` returns False for a failure after progress, which resets the count. The delay is the error's `wait` (from
    Retry-After), else exponential: 0.5 s, doubled up to 8 s.
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
