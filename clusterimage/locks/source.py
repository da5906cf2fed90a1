"""Pinned files of upstreams: fetching one, and finding the pin that a lock will hold."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

from clusterimage.catalog.requirement import FileRequest
from clusterimage.locks.lock import FIRST_USE, LockedFile
from clusterimage.transport.network import Network, chunks
from clusterimage.transport.places import Place
from clusterimage.transport.retry import ONCE, retry
from clusterimage.transport.store import Store, Wanted
from clusterimage.values.digest import Digest
from clusterimage.values.errors import ClusterImageError, ConfigError, DigestMismatch, FetchError
from clusterimage.values.table import Table

log = logging.getLogger(__name__)
_LIMIT = 1 << 20
_HEX = re.compile(r"\b[0-9a-fA-F]{64}\b")
_ANY_HEX = re.compile(rb"\b[0-9a-fA-F]{64}")
_HEX_SHA512 = re.compile(r"\b[0-9a-fA-F]{128}\b")


def fetch(network: Network, pin: LockedFile, store: Store, mode: int) -> None:
    """Bring the file of `pin` into `store`, verified; `mode` is that of the file in the rootfs."""
    wanted = Wanted(f"{pin.component} {pin.url}", pin.digest, pin.size, mode & 0o555)

    def act(url: str, attempts: int) -> None:
        store.fetch(wanted, network.opener(url, size=pin.size), attempts, network.moved)

    network.ask(wanted.what, _places(network, pin.url, *pin.others), act)


def _places(network: Network, *urls: str) -> tuple[Place, ...]:
    """Return where to fetch a file that is published at each of `urls`, without duplicates."""
    return tuple({place.url: place for url in urls for place in network.file_places(url)}.values())


def pin(network: Network, request: FileRequest, checksums: str | None, store: Store, witnesses: Table) -> LockedFile:
    """Return the pin of a file: its published checksum, checked against the table of the second witness.

    `checksums` is the text of its publisher's checksum file, None where there is none. Then the table's row is taken;
    without that either the file is downloaded, held against a published sha512 if there is one, and what came is pinned
    (else FIRST_USE). Raises ClusterImageError when two witnesses disagree.
    """
    name = request.url.rsplit("/", 1)[-1]
    published = parse_checksum(checksums, name, request.checksum_url) if checksums is not None else None
    known = _known(request, witnesses)
    if published is not None and known is not None and published != known:
        raise ClusterImageError(
            f"{request.url}: its publisher says {published}, {witnesses.where} says {known}",
            hint="one of them is wrong: do not build before you know which",
        )
    digest = published or known
    sha512 = _sha512(network, request, name) if digest is None and request.sha512_url else None
    size = _size(network, request.urls) if digest is not None else None
    if digest is None or size is None:
        digest, size = _adopt(network, request, store, digest, sha512)
    vouched = (("publisher", published), ("table", known), ("publisher's sha512", sha512))
    names = [name for name, value in vouched if value is not None]
    return LockedFile(
        request.component,
        request.version,
        request.arch,
        request.url,
        digest,
        size,
        ", ".join(names) or FIRST_USE,
        request.urls[1:],
    )


def _adopt(
    network: Network, request: FileRequest, store: Store, sha256: Digest | None, sha512: str | None
) -> tuple[Digest, int]:
    """Download a file whose size, or whose digest too, is not known; return both, held against what is known."""

    def act(url: str, attempts: int) -> tuple[Digest, int]:
        came, size = store.adopt(network.opener(url), request.url, attempts, network.moved)
        if sha256 is not None and came != sha256:
            raise DigestMismatch(request.url, expected=str(sha256), actual=str(came))
        if sha512 is not None and (actual := _of_sha512(store.path(came))) != sha512:
            raise DigestMismatch(request.url, expected=f"sha512:{sha512}", actual=f"sha512:{actual}")
        return came, size

    return network.ask(request.url, _places(network, *request.urls), act)


def _sha512(network: Network, request: FileRequest, name: str) -> str | None:
    """Return the published sha512 of a file that has no published sha256, in hex; None where there is none."""
    text = published(network, request.sha512_url, *request.other_sha512_urls)
    return None if text is None else _find(_HEX_SHA512, text, name, request.sha512_url, "sha512")


def _of_sha512(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()


def published(network: Network, url: str, *others: str) -> str | None:
    """Return the text of the checksum file at `url`, None where there is no such file (404); several files share one.

    `others` are where it is published too.

    Not every release has one: crictl publishes `.sha256` from 1.21.0 on, kubeadm, kubelet and kubectl from 1.16.0 on
    (https://github.com/kubernetes-sigs/cri-tools/pull/738, https://github.com/flavio/kuberlr/issues/80).
    """
    data = small_file(network, url, *others, contains=_ANY_HEX)
    return None if data is None else data.decode(errors="replace")


def small_file(network: Network, url: str, *others: str, contains: re.Pattern[bytes] | None = None) -> bytes | None:
    """Return the file at `url`, None where there is none (404).

    One of more than 1 MiB, or without what it has to contain, raises FetchError.
    """
    data = bytearray()

    def read(place: str) -> bool:
        data.clear()
        with network.open(place) as response:
            for piece in chunks(response):
                data.extend(piece)
                if len(data) > _LIMIT:
                    raise FetchError(f"{url}: larger than {_LIMIT >> 20} MiB", hint="check that address")
        if contains and not contains.search(data):
            raise FetchError(f"{url}: no checksum in it", hint="see versions.toml: `checksum` of that component")
        return True

    def act(place: str, attempts: int) -> None:
        retry(url, attempts, lambda: read(place))

    try:
        network.ask(url, _places(network, url, *others), act)
    except FetchError as error:
        if error.status == 404:
            log.info("%s: the publisher has no such file", url)
            return None
        raise
    return bytes(data)


def parse_checksum(text: str, name: str, where: str) -> Digest:
    """Return the sha256 of `name` from a checksum file: a bare hex, or lines of `hex  name` or `SHA256 (name) = hex`.

    Directories before a name are not minded. Raises ClusterImageError when `name` is not in it.
    """
    return Digest.parse(_find(_HEX, text, name, where, "sha256"))


def _find(pattern: re.Pattern[str], text: str, name: str, where: str, kind: str) -> str:
    lines = [(match[0].lower(), _words(line)) for line in text.splitlines() if (match := pattern.search(line))]
    for hex_digits, words in lines:
        if any(word.rsplit("/", 1)[-1] == name for word in words) or (len(lines) == 1 and len(words) == 1):
            return hex_digits
    hint = "see versions.toml: `checksum` of that component"
    raise ClusterImageError(f"{where}: no {kind} of {name} in it", hint=hint)


def _words(line: str) -> list[str]:
    return [word for word in re.split(r"[\s*()=:]+", line) if word]


def _known(request: FileRequest, witnesses: Table) -> Digest | None:
    row = witnesses.table(request.table).table(request.version) if request.table else None
    text = row.text(request.arch, "") if row else ""
    try:
        return Digest.parse(text) if text else None
    except ConfigError as error:
        raise witnesses.error(f"{request.table}.{request.version}", error.problem) from error


def _size(network: Network, urls: tuple[str, ...]) -> int | None:
    """Return the size that the servers state, or None: then the file has to be fetched to know it.

    Nothing vouches for a stated size: of several places all that are well are asked, and have to agree.
    """
    places = _places(network, *urls)
    if len(places) == 1:
        return _stated(network, urls[0], places[0].url, network.attempts)
    sizes: set[int | None] = set()
    for place in network.health.order(places):
        if sizes and network.health.failures.get(place.base):
            continue
        try:
            sizes.add(_stated(network, urls[0], place.url, ONCE))
        except FetchError as error:
            network.health.failed(place, error)
    return sizes.pop() if len(sizes) == 1 else None


def _stated(network: Network, what: str, url: str, attempts: int) -> int | None:
    """Return the size that the server states of `url`, None where it states none or refuses to."""
    sizes: list[int] = []

    def act() -> bool:
        with network.open(url, method="HEAD") as response:
            stated = response.headers.get("Content-Length", "")
            sizes.extend([int(stated)] if stated.isdigit() else [])
        return True

    try:
        retry(what, attempts, act)
    except FetchError as error:
        if error.retryable or error.status == 404:
            raise
    return sizes[0] if sizes else None
