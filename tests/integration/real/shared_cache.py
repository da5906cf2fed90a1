"""Where what is built once for the tests lies, outside of the checkout, and who may write there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def base(given: Path | None = None) -> Path:
    """Return the directory given, $CLUSTERIMAGE_TEST_CACHE, or one in the user's cache directory."""
    if given is None:
        named = os.environ.get("CLUSTERIMAGE_TEST_CACHE")
        given = Path(named) if named else Path.home() / ".cache/clusterimage-tests"
    return given.expanduser().resolve()


@contextmanager
def locked(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock file, waiting for it; programs started meanwhile hold it too, so orphans of a killed run count."""
    with path.open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another run, or what a killed one left, that holds {path}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
