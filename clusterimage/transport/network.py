"""The HTTP client of a build: mirrors, connections, authentication, and the mapping of failures to FetchError.

A Network decides where bytes come from, not which bytes: it is not part of a task's cache key.
"""

from __future__ import annotations

import io
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.transport import places
from clusterimage.transport.limiter import HostLimiter
from clusterimage.transport.places import Health, Place
from clusterimage.values.digest import CHUNK
from clusterimage.values.errors import ClusterImageError, ConfigError, FetchError
from clusterimage.values.reference import DOCKER_HUB

if TYPE_CHECKING:
    import requests

    from clusterimage.transport.credentials import Credentials

T = TypeVar("T")
Opener = Callable[[int], "AbstractContextManager[requests.Response]"]
AGENT = "clusterimage"
_ONLINE = "build once without offline=yes"


def _no_progress(_: int) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request and the status codes that are not errors; a `body` may be that of a file.

    `repository` is the URL whose credentials are sent when they do not follow from the request's URL (uploads);
    `scope` is requested for a token in addition to the scope of the registry's challenge.
    """

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Path = b""
    expected: tuple[int, ...] = (200, 206)
    repository: str = ""
    scope: str = ""


@dataclass
class Network:
    """HTTP client with mirrors and credentials, shared by all threads.

    `moved` is called with the bytes of every chunk received; `timeout` is the read timeout in seconds. `login` takes
    precedence over `docker_config`; it is sent to any registry, so use it for one only.
    """

    mirror: Mirror = field(default_factory=lambda: Mirror("none"))
    sources: Mapping[str, str] = field(default_factory=dict)
    docker_config: Path | None = None
    login: Credentials | None = None
    offline: bool = False
    timeout: float = 60.0
    attempts: int = 5
    moved: Callable[[int], None] = _no_progress
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: requests.Session | None = None
        self._limiters: defaultdict[str, HostLimiter] = defaultdict(HostLimiter)
        self._tokens: dict[tuple[str, str], str] = {}
        self._reachable: set[tuple[str, str]] = set()  # whose proxy, if they have one, can be used
        self._unasked: dict[str, ClusterImageError] = {}  # by host: why no credential helper could be asked

    # ------------------------------------------------------------------ where

    def file_places(self, url: str) -> tuple[Place, ...]:
        """Return where to fetch the file published at `url`, mirrors applied, in the order in which to ask."""
        return places.of_file(self.mirror, url)

    def file_url(self, url: str) -> str:
        """Return the first of the places of a file."""
        return self.file_places(url)[0].url

    def repository_places(self, host: str, repository: str) -> tuple[Place, ...]:
        """Return the distribution API URLs of a repository, mirrors applied: https://HOST/v2/REPOSITORY."""
        return places.of_repository(self.mirror, self.sources, host, repository)

    def repository_url(self, host: str, repository: str) -> str:
        """Return the first of the places of a repository."""
        return self.repository_places(host, repository)[0].url

    def ask(self, what: str, candidates: Sequence[Place], fetch: Callable[[str, int], T]) -> T:
        """Return what `fetch(url, attempts)` returns of the first of the places that gives it (see places.ask)."""
        if self.mirror.files or self.mirror.registries:
            self.health.choice = self.health.choice or len({place.base for place in candidates}) > 1
        return places.ask(self.health, what, candidates, self.attempts, fetch)

    # --------------------------------------------------------------- requests

    def opener(self, url: str, headers: Mapping[str, str] | None = None, size: int | None = None) -> Opener:
        """Return a function that requests `url` from an offset on, with a Range header unless that is 0.

        It waits for a slot of the host's limiter; `size` is the expected size in bytes, None if unknown.
        """

        @contextmanager
        def ask(offset: int) -> Iterator[requests.Response]:
            sent = {**(headers or {}), **({"Range": f"bytes={offset}-"} if offset else {})}
            with self._limiters[urlsplit(url).netloc].slot(size), self.open(url, headers=sent) as response:
                yield response

        return ask

    def open(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[requests.Response]:
        """Request `url` and yield the response with its body unread; raises FetchError naming the URL."""
        return self.send(url, Call(method, tuple((headers or {}).items())))

    @contextmanager
    def send(self, url: str, call: Call) -> Iterator[requests.Response]:
        """Send `call` and yield the response with its body unread; raises FetchError naming the URL."""
        import requests
        from urllib3.exceptions import HTTPError

        from clusterimage.transport import failures

        if self.offline:
            raise ClusterImageError(f"{failures.redact(url)}: offline=yes, and it is not in the cache", hint=_ONLINE)
        try:
            with self._send(url, call) as response:
                if response.status_code not in call.expected:
                    raise self._explained(call.repository or url, failures.of_response(url, response))
                yield response
        except (requests.RequestException, HTTPError) as error:
            raise failures.of_error(url, error) from error

    def _send(self, url: str, call: Call) -> requests.Response:
        """Send the request; after a 401 with a challenge, authenticate and send it once more."""
        place = call.repository or url
        known = "/v2/" in place and urlsplit(place).netloc == urlsplit(url).netloc
        authorization = self._tokens.get(_scope(place), "") if known else ""
        response = self._request(url, call, authorization)
        challenges = response.raw.headers.getlist("WWW-Authenticate")
        known = known and urlsplit(response.url).netloc == urlsplit(url).netloc  # not whoever it redirects to
        if response.status_code != 401 or not known or not challenges:
            return response
        response.close()
        token = self._authorize(place, challenges, call.scope)
        if not token or token == authorization:
            return response
        self._tokens[_scope(place)] = token
        return self._request(url, call, token)

    def _request(self, url: str, call: Call, authorization: str = "") -> requests.Response:
        if isinstance(call.body, Path):
            with _Sent(call.body, self.moved) as stream:
                return self._request_with(url, call, authorization, stream)
        return self._request_with(url, call, authorization, call.body)

    def _request_with(self, url: str, call: Call, authorization: str, body: bytes | _Sent) -> requests.Response:
        # Registries get credentials from Docker's configuration; requests may read netrc for plain files only.
        login = _Authorization(authorization) if "/v2/" in (call.repository or url) else None
        timeouts = (min(self.timeout, 15.0), self.timeout)
        self._check_proxy(url)
        response = self._session().request(
            call.method,
            url,
            headers=dict(call.headers),
            data=body,
            stream=True,
            timeout=timeouts,
            auth=login,
            verify=self._ca,
        )
        _refuse_downgrade(url, response)
        self._limiters[urlsplit(url).netloc].observe(response.status_code, response.headers)
        return response

    def _check_proxy(self, url: str) -> None:
        from clusterimage.transport import proxies

        parts = urlsplit(url)
        if self.mirror.name != EMBEDDED and (parts.scheme, parts.netloc) not in self._reachable:
            proxies.check(url)
            self._reachable.add((parts.scheme, parts.netloc))

    def _session(self) -> requests.Session:
        """Return the session, and with it the connection pool, that all threads share."""
        with self._lock:
            self._shared = self._shared or self._new_session()
            return self._shared

    def _new_session(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter

        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_connections=16, pool_maxsize=16))
        # The embedded upstream is on loopback: ignore the proxy variables of the environment.
        session.trust_env = self.mirror.name != EMBEDDED
        session.headers["User-Agent"] = AGENT
        # The pinned digests are of the stored bytes: request no content encoding.
        session.headers["Accept-Encoding"] = "identity"
        return session

    @property
    def _ca(self) -> str | None:
        """The mirror's CA file, passed with every request: REQUESTS_CA_BUNDLE overrides a session's `verify`."""
        if self.mirror.ca and not Path(self.mirror.ca).is_file():
            where = f"versions.toml: mirrors.{self.mirror.name}.ca"
            raise ConfigError(f"{where}: {self.mirror.ca}: no such file", hint="a path from the project's directory")
        return self.mirror.ca or None

    def _authorize(self, place: str, challenges: Sequence[str], scope: str) -> str:
        """Return the Authorization header for WWW-Authenticate challenges, or "" if there is none to send."""
        from clusterimage.transport import challenge, login

        found = challenge.parse(challenges)
        try:
            return login.answer(found, place, self._login(place), scope, self._ask_token, self.mirror.plain_http)
        except FetchError as error:
            raise self._explained(place, error) from error

    def _login(self, place: str) -> Credentials | None:
        """Return the login for `place`; a credential helper that fails is no login, and told when that is refused."""
        from clusterimage.transport import credentials

        host, repository = _scope(place)
        try:
            return self.login or credentials.find(self.docker_config, _ACCOUNTS.get(host, host), repository)
        except credentials.HelperError as error:
            self._unasked[host] = error
            return None

    def _explained(self, place: str, error: FetchError) -> FetchError:
        """Return `error`, or if a login was missing that a helper should have given, one that says so."""
        trouble = self._unasked.get(urlsplit(place).netloc) if error.status in (401, 403) else None
        if trouble is None:
            return error
        return FetchError(f"{error.problem}; {trouble.problem}", hint=trouble.hint, status=error.status)

    @contextmanager
    def _ask_token(
        self, method: str, realm: str, fields: dict[str, str | list[str]], authorization: str
    ) -> Iterator[requests.Response]:
        """Ask a token server; a POST, which has secrets in its body, is not sent on to another address."""
        self._check_proxy(realm)
        with self._session().request(
            method,
            realm,
            params=fields if method == "GET" else None,
            data=None if method == "GET" else fields,
            auth=_Authorization(authorization),
            allow_redirects=method == "GET",
            stream=True,
            timeout=(min(self.timeout, 15.0), self.timeout),
            verify=self._ca,
        ) as response:
            _refuse_downgrade(realm, response)
            yield response


class _Sent(io.BufferedReader):
    """A file that is sent; `moved` is called with the bytes of every piece that is read of it."""

    def __init__(self, path: Path, moved: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._moved = moved

    def read(self, size: int | None = -1) -> bytes:
        """Read a piece."""
        piece = super().read(size)
        self._moved(len(piece))
        return piece


class _Authorization:
    """Sets the Authorization header, or none; passing it as `auth` keeps requests from reading netrc."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.value:
            request.headers["Authorization"] = self.value
        return request


def chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the raw body in pieces of at most 1 MiB as they arrive, so that a partial download can be kept."""
    while piece := response.raw.read1(CHUNK, decode_content=False):
        yield piece


def _refuse_downgrade(url: str, response: requests.Response) -> None:
    from clusterimage.transport.failures import redact

    for step in (*response.history, response):
        if url.startswith("https:") and not step.url.startswith("https:"):
            response.close()
            target = redact(step.url)
            raise FetchError(f"{redact(url)}: redirected to plain http at {target}", hint="use another mirror")


_ACCOUNTS = {"registry-1.docker.io": DOCKER_HUB}  # the name that a login is stored under


def _scope(url: str) -> tuple[str, str]:
    """Return host and repository of a distribution API URL: the cache key of a token."""
    parts = urlsplit(url)
    repository = parts.path.partition("/v2/")[2]
    for verb in ("/manifests/", "/blobs/", "/tags/"):
        repository = repository.rpartition(verb)[0] or repository
    return parts.netloc, repository
