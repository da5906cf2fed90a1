"""Knows how a run is told: one line for every step with its seconds, and the end of the right log when one fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.node import Node, StepFailed


class Transcript:
    """What happened so far, also written to `path` line by line."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self._start = path, time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        self.say(title)

    def say(self, text: str) -> None:
        """Tell `text`, which may have several lines."""
        print(text, flush=True)
        with self.path.open("a") as stream:
            print(text, file=stream)

    @contextmanager
    def step(self, what: str, node: Node | None = None, log: str = "") -> Iterator[None]:
        """Tell what is done and how long it took; a failure tells the end of what `log` prints on the node, too."""
        start = time.monotonic()
        try:
            yield
        except StepFailed as failed:
            told = ""
            if node and log:
                try:
                    told = node.run(f"{{ {log}; }} 2>&1 | tail -n 40 || true")
                except StepFailed as silent:
                    told = str(silent)
            self.say(f"FAILED  {what}\n{failed}\n--- {log}\n{told}")
            raise
        now = time.monotonic()
        self.say(f"{now - self._start:6.1f} s  {what} ({now - start:.1f} s)")

    def quote(self, text: str) -> None:
        """Tell what a program printed."""
        self.say("\n".join(f"          {line}" for line in text.rstrip().splitlines()))
