"""Fault injection for the embedded upstream: rules matched by path, each for a number of requests."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict, Unpack


class Kind(StrEnum):
    """The kinds of faults, with the `Details` that they use."""

    STATUS = "status"  # `code` (503) and `headers` instead of the content
    REDIRECT = "redirect"  # `code` (307) to the URL `to`, or to an alias on this server that answers
    MOVED_TAG = "moved_tag"  # the tag points at another image than before
    CUT = "cut"  # the connection closes after `after` bytes of the body
    STALL = "stall"  # no more bytes after `after`, until the client disconnects or the server stops
    LIE = "lie"  # the right length, one wrong byte
    TRUNCATE = "truncate"  # a well-formed response, truncated after `after` bytes
    IGNORE_RANGE = "ignore_range"  # 200 and the whole body for a range request
    SLOW = "slow"  # `rate` bytes per second
    NO_LENGTH = "no_length"  # chunked, without Content-Length


INSTEAD_OF_CONTENT = frozenset({Kind.STATUS, Kind.REDIRECT, Kind.MOVED_TAG})
IN_THE_BODY = frozenset(Kind) - INSTEAD_OF_CONTENT


class Details(TypedDict, total=False):
    """Keyword arguments of `Faults.add`; see `Kind` for their use."""

    code: int
    headers: Mapping[str, str]
    after: int
    to: str
    rate: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `after` is in bytes of the body (None: half of it), `rate` in bytes per second."""

    kind: Kind
    code: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int | None = None
    to: str = ""
    rate: int = 1024

    def end(self, length: int) -> int:
        """Return how many bytes of a body of `length` bytes are sent."""
        return length // 2 if self.after is None else self.after


@dataclass(slots=True)
class _Rule:
    match: str
    fault: Fault
    left: int | None


class Faults:
    """A thread-safe list of rules; the oldest match applies, and is removed when it is used up."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, match: str, kind: str, times: int | None = 1, **details: Unpack[Details]) -> None:
        """Inject a fault into the next `times` matching requests (None: all) whose path contains `match`."""
        rule = _Rule(match, Fault(Kind(kind), **details), times)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def take(self, path: str, kinds: Collection[Kind]) -> Fault | None:
        """Return the first matching fault of one of `kinds` for `path`, or None, and count its use."""
        with self._lock:
            for rule in self._rules:
                if rule.match in path and rule.fault.kind in kinds:
                    self._use(rule)
                    return rule.fault
        return None

    def _use(self, rule: _Rule) -> None:
        if rule.left is None:
            return
        rule.left -= 1
        if rule.left <= 0:
            self._rules.remove(rule)
