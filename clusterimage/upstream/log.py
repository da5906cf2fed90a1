"""The request log of the embedded upstream: requests, status codes and bytes sent."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Entry:
    """One request and its response; `sent` (body bytes) grows while the body is sent, hence not frozen."""

    method: str
    path: str
    range: str
    status: int
    sent: int = 0

    def matches(self, substring: str) -> bool:
        """Return whether `METHOD /path` contains `substring`."""
        return substring in f"{self.method} {self.path}"


class Log:
    """The requests in the order of their response headers; thread-safe."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries since the start or the last `clear`."""
        with self._lock:
            return tuple(self._entries)

    def add(self, entry: Entry) -> None:
        """Append `entry`."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Delete all entries."""
        with self._lock:
            self._entries.clear()

    def count(self, substring: str = "") -> int:
        """Count the requests whose `METHOD /path` contains `substring`."""
        return sum(entry.matches(substring) for entry in self.entries)

    def bytes(self, substring: str = "") -> int:
        """Sum the body bytes sent for the requests whose `METHOD /path` contains `substring`."""
        return sum(entry.sent for entry in self.entries if entry.matches(substring))
