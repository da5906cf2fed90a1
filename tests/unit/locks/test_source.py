"""Finding the pin of a file: its publisher's checksum, the second witness, or trust on first use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterimage.catalog.requirement import FileRequest
from clusterimage.catalog.spec import Mirror
from clusterimage.locks import source
from clusterimage.locks.lock import FIRST_USE, LockedFile
from clusterimage.transport.network import Network
from clusterimage.transport.store import Store
from clusterimage.values.digest import Digest, of_bytes
from clusterimage.values.errors import ClusterImageError, DigestMismatch
from clusterimage.values.table import Table
from tests.unit.conftest import HEX_A, HEX_B, Page, Pages, error_of, serve

DATA = b"the very kubectl"
DIGEST = of_bytes(DATA)
FILE = "/dl.example/v1/kubectl"
SUMS = "/dl.example/v1/kubectl.sha256"
NO_HEAD = {"Allow": "GET"}


@pytest.fixture
def pages() -> Iterator[Pages]:
    with serve({FILE: Page(DATA), SUMS: Page(DIGEST.hex.encode())}) as serving:
        yield serving


def network(pages: Pages, **more: Any) -> Network:
    return Network(Mirror("pages", files=(("", pages.url),)), **{"attempts": 1, "timeout": 5.0, **more})


def request(checksum: str = f"https:/{SUMS}", table: str = "kubectl", url: str = f"https:/{FILE}") -> FileRequest:
    return FileRequest("kubectl", "1.22.15", "amd64", url, checksum, table, (("", "bin/kubectl"),), 0o755, "k", "", "")


def witness(text: str) -> Table:
    return Table("checksums.toml", {"kubectl": {"1.22.15": {"amd64": text}}})


NOBODY = Table("checksums.toml", {})


def pinned(digest: Digest, size: int, witnesses: str) -> LockedFile:
    return LockedFile("kubectl", "1.22.15", "amd64", f"https:/{FILE}", digest, size, witnesses)


def make_pin(network: Network, wanted: FileRequest, store: Store, witnesses: Table) -> LockedFile:
    checksums = source.published(network, wanted.checksum_url) if wanted.checksum_url else None
    return source.pin(network, wanted, checksums, store, witnesses)


def refused(pages: Pages, root: Path, wanted: FileRequest, witnesses: Table = NOBODY) -> ClusterImageError:
    return error_of(make_pin, network(pages), wanted, Store(root), witnesses)


@pytest.mark.parametrize(
    ("checksum", "witnesses", "expected"),
    [
        (f"https:/{SUMS}", NOBODY, "publisher"),
        (f"https:/{SUMS}", witness(DIGEST.hex), "publisher, table"),
        ("", witness(f"sha256:{DIGEST.hex}"), "table"),
    ],
)
def test_a_witness_saves_the_download(
    pages: Pages, tmp_path: Path, checksum: str, witnesses: Table, expected: str
) -> None:
    pin = make_pin(network(pages), request(checksum), Store(tmp_path), witnesses)

    assert pin == pinned(DIGEST, len(DATA), expected)
    assert f"GET {FILE}" not in [name for name, _ in pages.asked]


@pytest.mark.parametrize(
    ("wanted", "witnesses"),
    [
        (request("", "kubectl"), NOBODY),
        (request("", ""), witness(HEX_A)),
        (request("", "other"), witness(HEX_A)),
        (request("", "kubectl"), Table("checksums.toml", {"kubectl": {"1.22.16": {"amd64": HEX_A}}})),
        (request("", "kubectl"), Table("checksums.toml", {"kubectl": {"1.22.15": {"arm64": HEX_A}}})),
    ],
)
def test_without_a_witness_what_came_first_is_pinned(
    pages: Pages, tmp_path: Path, wanted: FileRequest, witnesses: Table
) -> None:
    store = Store(tmp_path)

    pin = make_pin(network(pages), wanted, store, witnesses)

    assert pin == pinned(DIGEST, len(DATA), FIRST_USE)
    assert store.path(DIGEST).read_bytes() == DATA


def test_witnesses_that_disagree_stop_the_lock(pages: Pages, tmp_path: Path) -> None:
    error = refused(pages, tmp_path, request(), witness(HEX_A))

    assert error.problem == (f"https:/{FILE}: its publisher says {DIGEST}, checksums.toml says sha256:{HEX_A}")
    assert error.hint == "one of them is wrong: do not build before you know which"


def test_a_damaged_witness_is_named(pages: Pages, tmp_path: Path) -> None:
    error = refused(pages, tmp_path, request(), witness("abc"))

    assert error.problem == "checksums.toml: kubectl.1.22.15: 'abc' is not a sha256 digest"


@pytest.mark.parametrize(
    "page",
    [
        Page(DATA, 200, {"Content-Length": "unknown"}),
        Page(DATA, 405, NO_HEAD),
        Page(DATA, 403),
        Page(DATA, 501),
    ],
    ids=["no length", "405", "403", "501"],
)
def test_a_server_that_does_not_say_the_size_is_downloaded_from(tmp_path: Path, page: Page) -> None:
    with serve({SUMS: Page(DIGEST.hex.encode()), FILE: Page(DATA), "HEAD " + FILE: page}) as pages:
        pin = make_pin(network(pages), request(), Store(tmp_path), NOBODY)

    assert pin == pinned(DIGEST, len(DATA), "publisher")


def test_a_download_that_its_witness_does_not_know_is_refused(tmp_path: Path) -> None:
    with serve({SUMS: Page(HEX_A.encode()), FILE: Page(DATA), "HEAD " + FILE: Page(b"", 405)}) as pages:
        error = refused(pages, tmp_path, request())

    assert error.problem == f"https:/{FILE}: expected sha256:{HEX_A}, got {DIGEST}"
    assert error.hint.startswith("the upstream changed or lies")


@pytest.mark.parametrize("status", [404, 503])
def test_a_file_that_is_not_there_is_not_downloaded_to_know_its_size(pages: Pages, tmp_path: Path, status: int) -> None:
    pages.pages[FILE] = Page(b"", status)

    assert f"{FILE}: {status} " in refused(pages, tmp_path, request()).problem
    assert f"GET {FILE}" not in [name for name, _ in pages.asked]


def test_a_url_with_404_in_it_is_not_missing(tmp_path: Path) -> None:
    path = "/dl.example/v1.404.0/kubectl"
    with serve({SUMS: Page(DIGEST.hex.encode()), path: Page(DATA), "HEAD " + path: Page(b"", 405)}) as pages:
        pin = make_pin(network(pages), request(url=f"https:/{path}"), Store(tmp_path), NOBODY)

    assert pin.digest == DIGEST


@pytest.mark.parametrize(("witnesses", "expected"), [(witness(DIGEST.hex), "table"), (NOBODY, FIRST_USE)])
def test_a_checksum_file_that_was_never_published_leaves_the_other_witness(
    pages: Pages, tmp_path: Path, witnesses: Table, expected: str
) -> None:
    del pages.pages[SUMS]

    assert make_pin(network(pages), request(), Store(tmp_path), witnesses) == pinned(DIGEST, len(DATA), expected)


def test_without_the_checksum_file_the_other_witness_is_held_against_what_comes(pages: Pages, tmp_path: Path) -> None:
    del pages.pages[SUMS]
    pin = make_pin(network(pages), request(), Store(tmp_path), witness(HEX_A))

    assert (str(pin.digest), pin.witness) == (f"sha256:{HEX_A}", "table")  # the download must then be that


@pytest.mark.parametrize("status", [401, 403])
def test_a_checksum_file_that_may_not_be_read_is_an_error(pages: Pages, tmp_path: Path, status: int) -> None:
    pages.pages[SUMS] = Page(b"", status=status)

    assert f"{SUMS}: {status}" in refused(pages, tmp_path, request()).problem


def test_a_checksum_list_is_read_to_a_limit(pages: Pages, tmp_path: Path) -> None:
    pages.pages[SUMS] = Page(b"#" * (1 << 20) + DIGEST.hex.encode())

    assert "kubectl.sha256: larger than 1 MiB" in refused(pages, tmp_path, request()).problem


@pytest.mark.parametrize(
    "text",
    [
        HEX_A,
        f"{HEX_A}\n",
        f"\ufeff{HEX_A}",
        f"{HEX_A}  kubectl\n",
        f"{HEX_A} *kubectl\n",
        f"{HEX_A}  ./kubectl\r\n",
        f"{HEX_A}  bin/linux/amd64/kubectl",
        f"{HEX_B}  kubelet\n{HEX_A}  kubectl\n",
        f"{HEX_B}  kubectl.sig\n{HEX_A}  kubectl",
        f"{HEX_B}  kubectl-convert\n\n{HEX_A}\tkubectl",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{HEX_A}  kubectl\n-----BEGIN PGP SIGNATURE-----\nabc",
        f"kubectl {HEX_A}",
        f"SHA256 (kubectl) = {HEX_A}\nSHA256 (kubelet) = {HEX_B}",
        f"SHA256(kubectl)= {HEX_A}",
        f"kubectl: {HEX_A}",
        f"{HEX_A.upper()}  kubectl",
        f"{'b' * 128}  kubectl\n{HEX_A}  kubectl",
    ],
)
def test_a_checksum_file_has_many_forms(text: str) -> None:
    assert source.parse_checksum(text, "kubectl", "w") == Digest(HEX_A)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>404</html>",
        f"{HEX_A}  kubelet\n",
        f"{HEX_A}  kubectl.sha512\n",
        f"{HEX_A}  kubectl-convert\n{HEX_B}  my-kubectl",
        f"{HEX_A}\n{HEX_B}\n",
        f"{'a' * 128}  kubectl",
        f"{'a' * 40}  kubectl",
        f"{HEX_A}x  kubectl",
    ],
)
def test_a_checksum_of_something_else_is_none(text: str) -> None:
    error = error_of(source.parse_checksum, text, "kubectl", "https://w/SHA256SUMS")

    assert error.problem == "https://w/SHA256SUMS: no sha256 of kubectl in it"
    assert error.hint == "see versions.toml: `checksum` of that component"


def test_a_pinned_file_comes_verified_with_the_mode_of_its_place(pages: Pages, tmp_path: Path) -> None:
    store = Store(tmp_path)

    source.fetch(network(pages), pinned(DIGEST, len(DATA), "publisher"), store, 0o755)

    assert store.path(DIGEST).read_bytes() == DATA
    assert store.path(DIGEST).stat().st_mode & 0o777 == 0o555


def test_a_file_that_is_not_its_pin_is_named_with_its_component(pages: Pages, tmp_path: Path) -> None:
    pin = pinned(Digest(HEX_A), len(DATA), "publisher")

    error = error_of(source.fetch, network(pages), pin, Store(tmp_path), 0o644)

    assert isinstance(error, DigestMismatch)
    assert error.problem == f"kubectl https:/{FILE}: expected sha256:{HEX_A}, got {DIGEST}"
