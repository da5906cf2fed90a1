"""What a failed request means: the status of a response or an error of the connection, as a FetchError."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clusterimage.transport.limiter import seconds
from clusterimage.values.errors import FetchError, shown

if TYPE_CHECKING:
    import requests

_RETRYABLE = {408, 425, 429, 500, 502, 503, 504}
_HINTS = {
    401: "log in to that host (`docker login`, or a netrc file for plain files)",
    403: "log in with an account that may read it (`docker login`)",
    404: "check the version, or ask another mirror",
    429: "wait, log in for a higher limit, or use mirror=",
}
_LATER = "try again later, or use mirror="
# What the error of a connection contains, and what then helps; the first row that fits.
_CONNECTION_HINTS = (
    ("WRONG_VERSION_NUMBER", "it speaks no TLS: plain_http=HOST:PORT, or plain_http of the mirror, if that is meant"),
    ("RECORD_LAYER_FAILURE", "it speaks no TLS: plain_http=HOST:PORT, or plain_http of the mirror, if that is meant"),
    ("CERTIFICATE_VERIFY_FAILED", "if its certificate is your own, name it: ca of a mirror profile in versions.toml"),
    ("", "check the network, a proxy, or mirror="),
)
_TLS = "it speaks TLS"
_ERROR_LIMIT = 64 << 10
_LONGEST = 30.0  # seconds for a body that only says why


def redact(url: str) -> str:
    """Return `url` without credentials and query, which may be secrets, fit for a message."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that makes no sense"
    return shown(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", most=500)


def of_response(url: str, response: requests.Response) -> FetchError:
    """Return the error for a status that was not expected, with what the registry says of it."""
    code, said = response.status_code, _said(url, response)
    return FetchError(
        f"{redact(url)}: {code} {shown(response.reason or '')}{f' ({said})' if said else ''}",
        hint="leave it out of plain_http" if said == _TLS else _HINTS.get(code, _LATER),
        retryable=code in _RETRYABLE,
        wait=seconds(response.headers.get("Retry-After", "")),
        status=code,
        said=said,
    )


def of_error(url: str, error: Exception) -> FetchError:
    """Return the error for a connection that failed."""
    said = shown(_reason(error))
    hint = next(hint for words, hint in _CONNECTION_HINTS if words in said)
    return FetchError(f"{redact(url)}: {said}", hint=hint, retryable=_is_transient(error), said=said)


def bounded(response: requests.Response, most: int) -> bytes:
    """Return the body if it has at most `most` bytes and comes within half a minute; b"" for any other."""
    data, end = b"", time.monotonic() + _LONGEST
    while len(data) <= most and time.monotonic() < end:
        piece = response.raw.read1(most, decode_content=False)
        if not piece:
            return data
        data += piece
    return b""


def _said(url: str, response: requests.Response) -> str:
    """Return code and message of a registry's error response, or ""."""
    from urllib3.exceptions import HTTPError

    if "/v2/" not in url or response.request.method == "HEAD":
        return ""
    try:
        body = bounded(response, _ERROR_LIMIT)
        if b"HTTP request" in body and b"HTTPS" in body:  # of Go's net/http and of nginx
            return _TLS
        error: dict[str, Any] = json.loads(body)["errors"][0]
        return shown(": ".join(str(one) for one in (error["code"], error.get("message")) if one))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, HTTPError, OSError):
        return ""


def _reason(error: BaseException) -> str:
    """Return the innermost cause of a requests error as one line."""
    text = str(error)
    for inner in (error.__cause__, error.__context__, *error.args):
        reason = getattr(inner, "reason", None) or inner
        if isinstance(reason, BaseException) and str(reason):
            text = str(reason)
            break
    return text.split(": ", 1)[-1] if text.startswith("<") else text


def _is_transient(error: Exception) -> bool:
    """Return whether a retry can succeed: not for TLS errors or invalid URLs."""
    from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError

    return not isinstance(error, SSLError | InvalidURL | InvalidSchema | MissingSchema)
