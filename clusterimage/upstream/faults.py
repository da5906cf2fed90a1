"""How the embedded upstream can be told to misbehave: rules matched by path, each for some number of requests."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict, Unpack


class Kind(StrEnum):
    """What goes wrong, and which details of the rule shape it."""

    STATUS = "status"  # `code` (503) and `headers` instead of the content
    REDIRECT = "redirect"  # `code` (307) to the URL `to`, or to an alias on this server that answers
    MOVED_TAG = "moved_tag"  # the tag names another image than it used to
    CUT = "cut"  # the connection closes behind `after` bytes of the body
    STALL = "stall"  # nothing more comes behind `after` bytes, until the client leaves or the server stops
    LIE = "lie"  # the right length, one other byte
    TRUNCATE = "truncate"  # a well-formed answer whose content ends behind `after` bytes
    IGNORE_RANGE = "ignore_range"  # 200 and everything where a range was asked for
    SLOW = "slow"  # `rate` bytes a second
    NO_LENGTH = "no_length"  # chunked, without Content-Length


INSTEAD_OF_CONTENT = frozenset({Kind.STATUS, Kind.REDIRECT, Kind.MOVED_TAG})
IN_THE_BODY = frozenset(Kind) - INSTEAD_OF_CONTENT


class Details(TypedDict, total=False):
    """What `Faults.add` takes by keyword; see `Kind` for who uses what."""

    code: int
    headers: Mapping[str, str]
    after: int
    to: str
    rate: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; `after` counts bytes of the body (None: half of it), `rate` is bytes a second."""

    kind: Kind
    code: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int | None = None
    to: str = ""
    rate: int = 1024

    def end(self, length: int) -> int:
        """Return how many bytes of a body of `length` are still good."""
        return length // 2 if self.after is None else self.after


@dataclass(slots=True)
class _Rule:
    match: str
    fault: Fault
    left: int | None


class Faults:
    """A thread-safe list of rules; the oldest that fits a request wins, and is dropped once it is used up."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, match: str, kind: str, times: int | None = 1, **details: Unpack[Details]) -> None:
        """Misbehave for the next `times` fitting requests (None: for ever) whose path contains `match`."""
        rule = _Rule(match, Fault(Kind(kind), **details), times)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._rules.clear()

    def take(self, path: str, kinds: Collection[Kind]) -> Fault | None:
        """Return the fault for a request of `path` that one of `kinds` can befall, and count it."""
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
