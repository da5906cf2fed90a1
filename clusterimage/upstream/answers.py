"""HTTP requests and responses of the embedded upstream, and the effect of ranges and faults on a response.

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
        """The Range header of a GET request, else ""."""
        return self.headers.get("range", "") if self.method == "GET" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; the sender adds Content-Length."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def content(cls, blob: Blob, media_type: str = "application/octet-stream") -> Self:
        """Return 200 with `blob`."""
        return cls(200, blob.data, {"Content-Type": media_type, "ETag": f'"{blob.digest}"', "Accept-Ranges": "bytes"})

    @classmethod
    def json(cls, value: object) -> Self:
        """Return 200 with `value` as JSON."""
        return cls(200, canonical_json(value), {"Content-Type": "application/json"})

    @classmethod
    def text(cls, status: int, message: str) -> Self:
        """Return an error as plain text, as a file server does."""
        return cls(status, f"{status} {message}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})

    @classmethod
    def error(cls, status: int, code: str, message: str) -> Self:
        """Return an error in the format of the distribution API."""
        return replace(cls.json({"errors": [{"code": code, "message": message, "detail": None}]}), status=status)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Return a copy with headers added or replaced."""
        return replace(self, headers={**self.headers, **headers})


def spoiled(answer: Answer, fault: Fault | None) -> Answer:
    """Apply TRUNCATE: the body ends early, with a Content-Length that matches the truncated body."""
    if fault is None or fault.kind is not Kind.TRUNCATE:
        return answer
    return replace(answer, body=answer.body[: fault.end(len(answer.body))])


def lied(answer: Answer, fault: Fault | None) -> Answer:
    """Apply LIE: flip one byte in the middle of the body."""
    if fault is None or fault.kind is not Kind.LIE or not answer.body:
        return answer
    body = bytearray(answer.body)
    body[len(body) // 2] ^= 0xFF
    return replace(answer, body=bytes(body))


def ranged(answer: Answer, request: Request) -> Answer:
    """Apply a Range header with one valid range (206 or 416); anything else gets the full response."""
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
    """Return (start, stop), empty if unsatisfiable; None if the range is invalid."""
    if not first:
        return (max(0, total - int(last)), total) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(total, int(last) + 1) if last else total
