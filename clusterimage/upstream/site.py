"""The HTTP routes of the embedded upstream.

    /HOST/PATH                             files
    /v2/                                   registry: version check
    /v2/HOST/REPO/manifests/TAG|DIGEST     registry: manifests
    /v2/HOST/REPO/blobs/DIGEST             registry: blobs
    /v2/HOST/REPO/tags/list                registry: tags
    /token                                 bearer tokens
    /_moved/...                            default redirect target: the same routes, without authentication

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from clusterimage.upstream.answers import Answer, Request
from clusterimage.upstream.auth import TOKEN_PATH, Auth
from clusterimage.upstream.contents import MARK
from clusterimage.upstream.faults import IN_THE_BODY, INSTEAD_OF_CONTENT, Fault, Faults, Kind
from clusterimage.upstream.files import Files
from clusterimage.upstream.images import Document
from clusterimage.upstream.repositories import Repositories

_ALIAS = "/_moved"
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS", 503: "UNAVAILABLE"}


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed path: `kind` is file, token, version, manifests, blobs, tags, or "" for an invalid registry path."""

    kind: str
    name: str = ""
    reference: str = ""

    @classmethod
    def parse(cls, target: str) -> "Route":
        """Parse a request target; an invalid registry path gets the kind ""."""
        path = urlsplit(target).path.removeprefix(_ALIAS)
        if path == TOKEN_PATH:
            return cls("token")
        if path in ("/v2", "/v2/"):
            return cls("version")
        if not path.startswith("/v2/"):
            return cls("file", path)
        name, kind, reference = ("", "", *unquote(path).removeprefix("/v2/").rsplit("/", 2))[-3:]
        return cls(kind if kind in ("manifests", "blobs", "tags") else "", name, reference)

    @property
    def is_registry(self) -> bool:
        """Whether it is a route of the registry API."""
        return self.kind not in ("file", "token")

    @property
    def scope(self) -> str:
        """The scope that a bearer token must grant."""
        return f"repository:{self.name}:pull" if self.name else ""


@dataclass(frozen=True, slots=True)
class Site:
    """All content that is served at one address."""

    files: Files
    repositories: Repositories
    faults: Faults
    auth: Auth | None
    registry: str

    def answer(self, request: Request) -> Answer:
        """Return the response to GET or HEAD, with the body for both."""
        route = Route.parse(request.target)
        fault = self.faults.take(request.target, _possible(request, route))
        if fault and fault.kind is Kind.STATUS:
            return self._refuse(route, fault.code or 503, "told to").with_headers(fault.headers)
        if fault and fault.kind is Kind.REDIRECT:
            location = fault.to or f"http://{self.registry}{_ALIAS}{request.target}"
            return Answer(fault.code or HTTPStatus.TEMPORARY_REDIRECT, b"", {"Location": location})
        if route.kind == "token":
            return self._token(request)
        if not self._admits(request, route):
            return self._refuse(route, HTTPStatus.UNAUTHORIZED, "authentication required")
        if route.kind == "file":
            blob = self.files.find(route.name)
            return Answer.content(blob) if blob else self._refuse(route, HTTPStatus.NOT_FOUND, "no such stand-in")
        found = self._read(request, route, is_moved=fault is not None)
        return found.with_headers(_VERSION)

    def fault_of_body(self, request: Request, answer: Answer) -> Fault | None:
        """Consume and return the fault for the body of `answer`; only for GET with status 200."""
        if request.method != "GET" or answer.status != HTTPStatus.OK:
            return None
        kinds = IN_THE_BODY if request.range else IN_THE_BODY - {Kind.IGNORE_RANGE}
        return self.faults.take(request.target, kinds)

    def unsupported(self) -> Answer:
        """Return 405 for methods that write."""
        answer = Answer.error(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", "the embedded upstream is read-only")
        return answer.with_headers({"Allow": "GET, HEAD"})

    def _admits(self, request: Request, route: Route) -> bool:
        if self.auth is None or request.target.startswith(_ALIAS):
            return True
        if self.auth.kind == "bearer" and not route.is_registry:
            return True
        return self.auth.admits(request.headers.get("authorization", ""), route.scope)

    def _refuse(self, route: Route, status: int, message: str) -> Answer:
        if route.is_registry:
            answer = Answer.error(status, _CODES.get(status, "UNKNOWN"), message).with_headers(_VERSION)
        else:
            answer = Answer.text(status, f"{message}: {route.name}")
        if status == HTTPStatus.UNAUTHORIZED and self.auth:
            return answer.with_headers({"WWW-Authenticate": self.auth.challenge(self.registry, route.scope)})
        return answer

    def _token(self, request: Request) -> Answer:
        if self.auth is None or self.auth.kind != "bearer":
            return Answer.text(HTTPStatus.NOT_FOUND, "no tokens here")
        asked = parse_qs(urlsplit(request.target).query).get("scope", [])
        token = self.auth.token(request.headers.get("authorization", ""), " ".join(asked).split())
        if not token:
            answer = Answer.error(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", "incorrect username or password")
            return answer.with_headers({"WWW-Authenticate": f'Basic realm="{MARK}"'})
        return Answer.json({"token": token, "access_token": token, "expires_in": 300})

    def _read(self, request: Request, route: Route, *, is_moved: bool) -> Answer:
        if route.kind == "version":
            return Answer.json({})
        tags = self.repositories.tags(route.name)
        if not tags:
            return Answer.error(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN", f"no stand-in repository {route.name}")
        if route.kind == "manifests":
            return self._manifest(request, route, is_moved=is_moved)
        if route.kind == "blobs":
            return self._blob(route)
        if route.kind == "tags" and route.reference == "list":
            return Answer.json({"name": route.name, "tags": tags})
        return Answer.error(HTTPStatus.NOT_FOUND, "UNSUPPORTED", f"no such path: {request.target}")

    def _manifest(self, request: Request, route: Route, *, is_moved: bool) -> Answer:
        documents = self.repositories.manifests(route.name, route.reference, moved=is_moved)
        accepted = _accepted(documents, request.headers.get("accept", "*/*"))
        if accepted is None:
            reason = "not in an accepted media type" if documents else "not known"
            what = f"manifest {route.reference} of {route.name} is {reason}"
            return Answer.error(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", what)
        answer = Answer.content(accepted.blob, accepted.media_type)
        return answer.with_headers({"Docker-Content-Digest": accepted.blob.digest})

    def _blob(self, route: Route) -> Answer:
        blob = self.repositories.blob(route.name, route.reference)
        if blob is None:
            return Answer.error(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN", f"blob {route.reference} is not in {route.name}")
        return Answer.content(blob).with_headers({"Docker-Content-Digest": blob.digest})


def _possible(request: Request, route: Route) -> Collection[Kind]:
    """Return the faults that can replace the content: no redirect at the alias, MOVED_TAG for tags only."""
    kinds = set(INSTEAD_OF_CONTENT)
    if request.target.startswith(_ALIAS):
        kinds.remove(Kind.REDIRECT)
    if route.kind != "manifests" or ":" in route.reference:
        kinds.remove(Kind.MOVED_TAG)
    return kinds


def _accepted(documents: Collection[Document], accept: str) -> Document | None:
    ranges = {each.partition(";")[0].strip() for each in accept.split(",")}
    if ranges & {"*/*", "application/*"}:
        return next(iter(documents), None)
    return next((each for each in documents if each.media_type in ranges), None)
