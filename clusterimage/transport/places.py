"""The places that serve the same bytes: of a mirror profile, or of upstream; the next is asked when one fails or lies.

All bytes are pinned or held against a witness, so that it does not matter which place answered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from clusterimage.catalog.spec import Mirror
from clusterimage.transport.retry import ONCE, retry
from clusterimage.values.errors import ClusterImageError, DigestMismatch, FetchError
from clusterimage.values.reference import DOCKER_HUB

T = TypeVar("T")
log = logging.getLogger(__name__)
_NO_SUCH_FILE = (404, 410)  # an answer, which says nothing of other files of that place


@dataclass(frozen=True, slots=True)
class Place:
    """A URL, and the base of it that a mirror profile names, or else its host."""

    base: str
    url: str


def of_file(mirror: Mirror, url: str) -> tuple[Place, ...]:
    """Return where to fetch the file published at `url`; the first prefix of the profile that matches decides."""
    prefixes = [prefix for prefix, _ in mirror.files if prefix and url.startswith(prefix)]
    if prefixes:
        bases = [base for prefix, base in mirror.files if prefix == prefixes[0]]
        return tuple(Place(base, base + url.removeprefix(prefixes[0])) for base in bases)
    bases = [base for prefix, base in mirror.files if not prefix]
    if bases:
        return tuple(Place(base, f"{base.rstrip('/')}/{url.partition('://')[2]}") for base in bases)
    return (Place(urlsplit(url).netloc, url),)


def of_repository(mirror: Mirror, sources: Mapping[str, str], host: str, repository: str) -> tuple[Place, ...]:
    """Return the distribution API URLs of a repository: https://HOST/v2/REPOSITORY, or below a path of that host."""
    own = [target for key, target in mirror.registries if key == host]
    targets = own or [target for key, target in mirror.registries if key == "*"]
    places = []
    for target in targets or [sources.get(host, host)]:
        real, _, path = target.replace("{host}", host).partition("/")
        root, api, prefix = f"/{path}/".partition("/v2/")
        root, prefix = (root, prefix) if api else ("", f"{path}/" if path else "")
        if real == DOCKER_HUB:
            real = "registry-1.docker.io"
        scheme = "http" if real in mirror.plain_http else "https"
        places.append(Place(real, f"{scheme}://{real}{root}/v2/{prefix}{repository}"))
    return tuple(places)


@dataclass
class Health:
    """What is known of the places in this run, by base; shared by all threads.

    `failures` counts failures since the last answer, `liars` served wrong bytes, `served` counts answers; `choice` says
    that it is worth telling: a profile has several places, or one failed.
    """

    failures: dict[str, int] = field(default_factory=dict)
    liars: dict[str, str] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=dict)
    choice: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def order(self, places: Sequence[Place]) -> list[Place]:
        """Return the places in the order in which to ask them: those that failed come last, liars not at all."""
        with self._lock:
            honest = [place for place in places if place.base not in self.liars]
            return sorted(honest, key=lambda place: self.failures.get(place.base, 0))

    def answered(self, place: Place) -> None:
        """Note that `place` gave what was asked for."""
        with self._lock:
            self.failures.pop(place.base, None)
            self.served[place.base] = self.served.get(place.base, 0) + 1

    def failed(self, place: Place, error: FetchError) -> None:
        """Note that `place` did not answer, or refused."""
        if error.status not in _NO_SUCH_FILE:
            with self._lock:
                self.failures[place.base] = self.failures.get(place.base, 0) + 1
                self.choice = True

    def lied(self, place: Place, what: str) -> None:
        """Note that `place` served other bytes of `what` than are pinned."""
        with self._lock:
            self.liars.setdefault(place.base, what)
            self.choice = True

    def lines(self) -> list[str]:
        """Return a line for every place that was asked, if that is worth telling."""
        with self._lock:
            if not self.choice:
                return []
            lines = [f"from {base}: {count} files and blobs" for base, count in sorted(self.served.items())]
            lines += [f"from {base}: {count} failures" for base, count in sorted(self.failures.items())]
            lies = sorted(self.liars.items())
            return lines + [f"from {base}: wrong bytes ({what}); it was not asked again" for base, what in lies]


def ask(health: Health, what: str, places: Sequence[Place], attempts: int, fetch: Callable[[str, int], T]) -> T:
    """Return what `fetch(url, attempts)` returns of the first place that gives it.

    Of several places each is asked once before any is asked again, `attempts` times in a row without new bytes; then
    FetchError is raised. A place that served wrong bytes is not asked again. A single place is simply asked.
    """
    if len(places) == 1:
        found = fetch(places[0].url, attempts)
        health.answered(places[0])
        return found
    results: list[T] = []

    def go_round() -> bool:
        errors: list[ClusterImageError] = []
        for place in health.order(places):
            try:
                results.append(fetch(place.url, ONCE))
            except DigestMismatch as error:
                health.lied(place, what)
                log.warning("%s: %s serves wrong bytes, and is not asked again: %s", what, place.base, error.problem)
                errors.append(error)
            except FetchError as error:
                health.failed(place, error)
                log.warning("%s: %s; the next place is asked", what, error.problem)
                errors.append(error)
            else:
                health.answered(place)
                log.info("%s: from %s", what, place.base)
                return True
        if any(isinstance(error, FetchError) and error.progress for error in errors):
            return False
        raise _all(what, places, errors)

    retry(what, attempts, go_round)
    return results[-1]


def _all(what: str, places: Sequence[Place], errors: Sequence[ClusterImageError]) -> ClusterImageError:
    """Return the error for what no place gave: retryable if one may give it later."""
    bases = ", ".join(place.base for place in places)
    if not errors:
        return ClusterImageError(f"{what}: {bases}: all served wrong bytes", hint="use other mirrors")
    if len(errors) == 1 and isinstance(errors[0], DigestMismatch):
        return errors[0]
    failed = [error for error in errors if isinstance(error, FetchError)]
    waits = [error.wait for error in failed if error.wait is not None]
    statuses = {error.status for error in failed}
    return FetchError(
        "; ".join(error.problem for error in errors),
        hint=f"none of these gave it: {bases}",
        retryable=any(error.retryable for error in failed),
        wait=min(waits) if waits and len(waits) == len(failed) else None,
        status=statuses.pop() if len(statuses) == 1 and len(failed) == len(errors) else 0,
    )
