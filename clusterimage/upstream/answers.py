"""What an HTTP answer of the embedded upstream is made of, and how ranges and faults change it before it is sent.

RFC 9110 §14 (range requests); https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from clusterimage.upstream.contents import Blob, canonical_json
from clusterimage.upstream.faults import Fault, Kind

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PARTIAL = HTTPStatus.PARTIAL_CONTENT
_UNSATISFIABLE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names are in lower case, and a header sent twice is joined by a comma."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def range(self) -> str:
        """The range asked for; only GET has one."""
        return self.headers.get("range", "") if self.method == "GET" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers; the length is left to the sender."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def content(cls, blob: Blob, media_type: str = "application/octet-stream") -> Self:
        """Answer with `blob`."""
        return cls(200, blob.data, {"Content-Type": media_type, "ETag": f'"{blob.digest}"', "Accept-Ranges": "bytes"})

    @classmethod
    def json(cls, value: object) -> Self:
        """Answer with `value`."""
        return cls(200, canonical_json(value), {"Content-Type": "application/json"})

    @classmethod
    def text(cls, status: int, message: str) -> Self:
        """Refuse as a file server does."""
        return cls(status, f"{status} {message}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})

    @classmethod
    def error(cls, status: int, code: str, message: str) -> Self:
        """Refuse as a registry does."""
        return replace(cls.json({"errors": [{"code": code, "message": message, "detail": None}]}), status=status)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Add or replace headers."""
        return replace(self, headers={**self.headers, **headers})


def spoiled(answer: Answer, fault: Fault | None) -> Answer:
    """Let the content end early; the length that will be sent is then the wrong one."""
    if fault is None or fault.kind is not Kind.TRUNCATE:
        return answer
    return replace(answer, body=answer.body[: fault.end(len(answer.body))])


def lied(answer: Answer, fault: Fault | None) -> Answer:
    """Change one byte in the middle of what will be sent."""
    if fault is None or fault.kind is not Kind.LIE or not answer.body:
        return answer
    body = bytearray(answer.body)
    body[len(body) // 2] ^= 0xFF
    return replace(answer, body=bytes(body))


def ranged(answer: Answer, request: Request) -> Answer:
    """Cut out the single range that was asked for; anything else than one valid range is answered in full."""
    asked = _RANGE.fullmatch(request.range)
    is_same = request.headers.get("if-range", "") in ("", answer.headers.get("ETag", ""))
    if answer.status != HTTPStatus.OK or asked is None or not is_same:
        return answer
    total = len(answer.body)
    bounds = _bounds(asked[1], asked[2], total)
    if bounds is None:
        return answer
    start, stop = bounds
    if start >= stop:
        return Answer.text(_UNSATISFIABLE, "no such range").with_headers({"Content-Range": f"bytes */{total}"})
    part = replace(answer, status=_PARTIAL, body=answer.body[start:stop])
    return part.with_headers({"Content-Range": f"bytes {start}-{stop - 1}/{total}"})


def _bounds(first: str, last: str, total: int) -> tuple[int, int] | None:
    """Return start and stop, empty when out of reach; None when the range makes no sense."""
    if not first:
        return (max(0, total - int(last)), total) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(total, int(last) + 1) if last else total
