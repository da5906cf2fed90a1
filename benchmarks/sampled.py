"""Runs doit and samples what all its threads are doing: where the wall time goes, not a guess.

    python -m benchmarks.sampled RESULT doit save-registry …     (in the project's directory)

Every two milliseconds the innermost function of our own code, or else of a library, is noted for each thread that is
not waiting. A function stands for the C code that it calls, hashing and compressing too.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import NoReturn

INTERVAL = 0.002
_OURS = ("clusterimage", "tasks")
_WAITING = {
    *(("threading", name) for name in ("wait", "_wait_for_tstate_lock", "join", "acquire", "__enter__")),
    *(("store", "single_flight"), ("layer", "_room")),
    *(("queue", "get"), ("thread", "_worker"), ("selectors", "select"), ("subprocess", "_try_wait")),
}


class Sampler(threading.Thread):
    """Looks at all other threads again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: Counter[str] = Counter()
        self.ended = threading.Event()

    def run(self) -> None:
        """Sample until told to end."""
        own = threading.get_ident()
        while not self.ended.is_set():
            names = [_doing(frame) for ident, frame in sys._current_frames().items() if ident != own]
            self.found.update(name for name in names if name)
            time.sleep(INTERVAL)


def _doing(frame: FrameType) -> str:
    """Return the innermost function worth a name, whose import it is, or "" for a thread that waits."""
    if (_module(frame), frame.f_code.co_name) in _WAITING:
        return ""
    inner = _label(frame)
    at: FrameType | None = frame
    importing = False
    while at is not None:
        importing |= at.f_code.co_filename.startswith("<frozen importlib")
        if importing and at.f_code.co_name == "<module>":
            return f"import of {_owner(at.f_code.co_filename)}"
        if not importing and any(f"/{name}/" in at.f_code.co_filename for name in _OURS):
            outer = _label(at)
            return outer if outer == inner else f"{outer} > {inner}"
        at = at.f_back
    return "import of doit" if importing else inner


def _owner(path: str) -> str:
    """Return who a module that is being imported, or that imports another, belongs to."""
    for name in (*_OURS, "doit"):
        if f"/{name}/" in path or path.endswith("dodo.py"):
            return name
    return "the standard library" if "site-packages" not in path else "other libraries"


def _label(frame: FrameType) -> str:
    folder = frame.f_code.co_filename.rpartition("/")[0].rpartition("/")[2]
    return f"{folder}/{_module(frame)}.{frame.f_code.co_name}"


def _module(frame: FrameType) -> str:
    return frame.f_code.co_filename.rpartition("/")[2].removesuffix(".py")


def main(result: str, words: list[str]) -> None:
    """Run doit with those words and write what was sampled to `result`."""
    sampler = Sampler()
    sys.argv = ["doit", *words]
    begun, leave = time.perf_counter(), os._exit

    def tell() -> None:
        wall = time.perf_counter() - begun
        sampler.ended.set()
        sampler.join()
        with open(result, "w") as stream:  # noqa: PTH123 -- what doit imports by itself is to be seen
            stream.writelines([f"{wall}\n", *(f"{count} {name}\n" for name, count in sampler.found.items())])

    def tell_and_leave(status: int) -> NoReturn:  # a build with nothing to do ends so
        tell()
        leave(status)

    os._exit = tell_and_leave
    sampler.start()
    try:
        runpy.run_module("doit", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    finally:
        tell()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3:])
