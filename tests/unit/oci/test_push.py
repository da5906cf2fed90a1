"""Pushing to registries that have their own ways: what they want is found out, and what they refuse is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage.oci import image, layer, push, refusals, upload
from clusterimage.storage import compression
from clusterimage.transport import retry
from clusterimage.values.errors import FetchError
from clusterimage.values.reference import Reference
from tests.unit.conftest import error_of
from tests.unit.oci.odd_registry import Odd, Refusal, serving

CHUNK = 256 << 10
SIZE = 3 * CHUNK + 1000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "CHUNK", CHUNK)
    monkeypatch.setattr(retry.time, "sleep", lambda seconds: None)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with one layer of some more than three chunks."""
    root, noise = tmp_path_factory.mktemp("layout"), os.urandom(SIZE)
    written = layer.Layer((layer.Member("noise", 0o644, SIZE, data=noise),))
    made = layer.write(written, compression.installed("gzip"), root / "layer.tar.gz")
    built = image.BuiltLayer(made, root / "layer.tar.gz", "noise")
    image.write((image.Image("amd64", (built,), (), (), 0),), Reference.parse("tests/noise:v1"), root / "layout")
    return root / "layout"


def pushed(odd: Odd, layout: Path, tag: str = "v1") -> str:
    """Push the layout, whose blobs and tag must then be there, and return what is said."""
    said: list[str] = []
    push.push(odd.network(), layout, Reference.parse(f"{odd.address}/a/b:{tag}"), "", said.append)
    content = push.read(layout)
    assert {str(blob.digest) for blob in content.blobs} == set(odd.blobs)
    assert odd.manifests[tag] == odd.manifests[str(content.index.digest)]
    return said[0].partition(": ")[2]


def refused(odd: Odd, layout: Path) -> FetchError:
    error = error_of(push.push, odd.network(), layout, Reference.parse(f"{odd.address}/a/b:v1"), "", print)
    assert isinstance(error, FetchError)
    return error


def chunks_refused(status: int, code: str, beyond: int = -1) -> Callable[[int, int], Refusal | None]:
    return lambda start, size: (status, code) if start > beyond else None


# By what registries say; the offset is the first that they take.
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "UNSUPPORTED"),
        (400, "BLOB_UPLOAD_INVALID"),
        (404, "BLOB_UPLOAD_UNKNOWN"),
        (405, "UNSUPPORTED"),
        (411, "LENGTH_REQUIRED"),
        (415, "UNSUPPORTED"),
        (416, "RANGE_INVALID"),
        (501, "UNSUPPORTED"),
    ],
)
@pytest.mark.parametrize("beyond", [-1, 0, CHUNK])
def test_where_chunks_are_refused_a_blob_is_one_put(layout: Path, status: int, code: str, beyond: int) -> None:
    with serving(Odd(chunk=chunks_refused(status, code, beyond))) as odd:
        assert pushed(odd, layout) == "blobs 2 uploaded, 0 mounted, 0 there already"


def test_what_one_blob_has_shown_the_next_does_not_try(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "_AT_ONCE", 1)
    with serving(Odd(chunk=chunks_refused(405, "UNSUPPORTED"))) as odd:
        pushed(odd, layout)

    assert odd.count("PATCH") == 1
    assert odd.count("PUT", "/blobs/uploads/") == 2


@pytest.mark.parametrize("most", [CHUNK - 1, CHUNK // 2, CHUNK // 4])
def test_a_chunk_that_is_too_large_is_halved(layout: Path, most: int) -> None:
    with serving(Odd(most=most)) as odd:
        pushed(odd, layout)

    assert odd.count("GET") == 0


def test_what_is_too_large_however_small_is_told(layout: Path) -> None:
    with serving(Odd(most=10)) as odd:
        error = refused(odd, layout)

    assert error.status == 413 and "client_max_body_size" in error.hint


# Range by the sizes before and after a chunk, and whether a GET knows better.
RANGES: dict[str, Callable[[int, int], str]] = {
    "missing": lambda before, after: "",
    "lags": lambda before, after: f"0-{max(before - 1, 0)}",
    "always nothing": lambda before, after: "0-0",
    "stays at the first": lambda before, after: f"0-{min(after, CHUNK) - 1}",
    "one too far": lambda before, after: f"0-{after}",
    "of HTTP": lambda before, after: f"bytes=0-{after - 1}",
    "with a total": lambda before, after: f"bytes 0-{after - 1}/*",
    "no range": lambda before, after: "none",
    "behind the end": lambda before, after: "0-999999999999",
}


@pytest.mark.parametrize("offset", [204, 404, 405])
@pytest.mark.parametrize("said", RANGES)
def test_a_stale_or_missing_range_is_no_loss(layout: Path, said: str, offset: int) -> None:
    with serving(Odd(range=RANGES[said], offset=offset)) as odd:
        pushed(odd, layout)

    sent = odd.count("PATCH")
    assert sent == 5 and odd.count("GET") <= 2  # one for each of the blobs that are pushed together


def test_a_registry_that_says_what_it_has_is_not_asked(layout: Path) -> None:
    with serving(Odd()) as odd:
        pushed(odd, layout)

    assert sorted({line.partition(" ")[0] for line in odd.asked}) == ["HEAD", "PATCH", "POST", "PUT"]
    assert [odd.count(method) for method in ("HEAD", "POST", "PATCH", "PUT")] == [3, 2, 5, 4]


def test_a_chunk_of_which_a_part_was_taken_goes_on_there(layout: Path) -> None:
    with serving(Odd(takes=lambda start, size: size // 2 if start == 0 and size > 1000 else size)) as odd:
        pushed(odd, layout)

    assert odd.count("PUT", "/blobs/uploads/") == 2 and odd.count("GET") == 1


@pytest.mark.parametrize("at", [0, CHUNK, 3 * CHUNK])
def test_a_chunk_that_was_dropped_in_silence_is_found_by_the_digest(layout: Path, at: int) -> None:
    odd = Odd(takes=lambda start, size: 0 if start == at else size)
    with serving(odd):
        pushed(odd, layout)


@pytest.mark.parametrize("stored", [200, 201])
def test_stored_is_stored(layout: Path, stored: int) -> None:
    with serving(Odd(stored=stored)) as odd:
        pushed(odd, layout)


def test_a_registry_that_cannot_be_asked_for_a_blob_gets_it(layout: Path) -> None:
    with serving(Odd(head=405)) as odd:
        pushed(odd, layout)


def test_a_smallest_chunk_is_heeded(layout: Path) -> None:
    with serving(Odd(least=str(2 * CHUNK))) as odd:
        pushed(odd, layout)

    assert odd.count("PATCH") == 3


def test_an_upload_without_an_address_is_named(layout: Path) -> None:
    with serving(Odd(opened="Elsewhere")) as odd:
        error = refused(odd, layout)

    assert error.problem.endswith("/v2/a/b/blobs/uploads/: 202, but without the address of an upload (Location)")


def test_an_upload_at_no_address_is_named(layout: Path) -> None:
    with serving(Odd(sends_to="http://[")) as odd:
        error = refused(odd, layout)

    assert error.problem.endswith("/v2/a/b/blobs/uploads/: sent on to http://[, which is no address")


IMMUTABLE = [(400, "TAG_INVALID"), (412, "PRECONDITION"), (409, "TAG_IMMUTABLE"), (403, "immutable tags")]


@pytest.mark.parametrize("fixed", IMMUTABLE)
def test_the_same_digest_under_a_tag_that_may_not_change_is_nothing_to_do(layout: Path, fixed: Refusal) -> None:
    with serving(Odd(fixed=fixed)) as odd:
        pushed(odd, layout)
        odd.asked.clear()

        assert pushed(odd, layout) == "blobs 0 uploaded, 0 mounted, 2 there already; nothing to do"

    assert {line.partition(" ")[0] for line in odd.asked} == {"HEAD"}


@pytest.mark.parametrize("fixed", IMMUTABLE)
def test_another_digest_under_a_tag_that_may_not_change_is_told(layout: Path, fixed: Refusal) -> None:
    with serving(Odd(fixed=fixed, manifests={"v1": b"another"})) as odd:
        error = refused(odd, layout)

    assert error.hint == "that tag names another image already and may not be changed: choose another with name="
    assert f"({fixed[1]}: " in error.problem


def test_a_manifest_that_the_registry_has_lost_is_pushed_again(layout: Path) -> None:
    with serving(Odd()) as odd:
        pushed(odd, layout)
        child = push.read(layout).manifests[0].digest
        del odd.manifests[str(child)]

        pushed(odd, layout)

    assert str(child) in odd.manifests


def test_a_blob_that_is_refused_in_both_ways_is_told_with_both_reasons(
    layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "_AT_ONCE", 1)

    def grow(start: int, size: int) -> Refusal | None:
        odd.most = 10
        return 400, "UNSUPPORTED"

    odd = Odd(chunk=grow)
    with serving(odd):
        error = refused(odd, layout)

    assert ": 413 " in error.problem and "; in chunks: " in error.problem and "UNSUPPORTED" in error.problem


@pytest.mark.parametrize(
    ("status", "said", "word"),
    [
        (0, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "ca="),
        (0, "[SSL: WRONG_VERSION_NUMBER] wrong version number", "plain_http="),
        (0, "[Errno 111] Connection refused", "network"),
        (400, "it speaks TLS", "leave it out of plain_http="),
        (400, "DIGEST_INVALID: provided digest did not match", "doit verify"),
        (400, "UNKNOWN: Repository does not allow updating assets: docker-hosted", "may not be changed"),
        (400, "UNKNOWN: what", "ask who runs"),
        (401, "UNAUTHORIZED: authentication required", "log in"),
        (403, "DENIED: requested access is denied", "an account that may push"),
        (403, "DENIED: will exceed the configured upper limit of 10 GiB", "free some space"),
        (404, "NAME_UNKNOWN: no such repository", "make that repository first"),
        (400, "NAME_INVALID: Invalid repository name", "choose another"),
        (405, "UNSUPPORTED: The operation is unsupported.", "for reading only"),
        (415, "", "an index of OCI"),
        (401, "UNAUTHORIZED: insufficient_scope: authorization failed", "log in"),
        (429, "TOOMANYREQUESTS: rate limit exceeded", "later"),
        (500, "UNKNOWN: oops", "later"),
    ],
)
def test_a_hint_names_the_cause(status: int, said: str, word: str) -> None:
    assert word in refusals.hint(FetchError("x", status=status, said=said))


def test_an_error_of_our_own_keeps_its_hint() -> None:
    assert refusals.hint(FetchError("x", hint="run doit build again")) == "run doit build again"
