"""What was asked of the embedded upstream, and how many bytes went out in answer."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Entry:
    """One request and its answer; `sent` grows while the body leaves, hence not frozen."""

    method: str
    path: str
    range: str
    status: int
    sent: int = 0

    def matches(self, substring: str) -> bool:
        """Look for `substring` in `METHOD /path`."""
        return substring in f"{self.method} {self.path}"


class Log:
    """The requests in the order in which their answers began; safe to read while the server runs."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything since the start or the last `clear`."""
        with self._lock:
            return tuple(self._entries)

    def add(self, entry: Entry) -> None:
        """Append `entry`."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._entries.clear()

    def count(self, substring: str = "") -> int:
        """Count the requests whose `METHOD /path` has `substring`."""
        return sum(entry.matches(substring) for entry in self.entries)

    def bytes(self, substring: str = "") -> int:
        """Add up the body bytes handed to clients for the requests whose `METHOD /path` has `substring`."""
        return sum(entry.sent for entry in self.entries if entry.matches(substring))
