"""The content store: nothing unverified at a final path, what was received is not received again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clusterimage.transport.network import Opener
from clusterimage.transport.retry import retry
from clusterimage.transport.store import Store, Wanted, single_flight
from clusterimage.upstream import Faults, Upstream
from clusterimage.values.digest import of_bytes, of_file
from clusterimage.values.errors import DigestMismatch, FetchError
from tests.unit.conftest import KUBECTL, error_of, reach


class Download:
    """kubectl, its pin, and a store to bring it to."""

    def __init__(self, upstream: Upstream, root: Path) -> None:
        self.upstream = upstream
        self.network = reach(upstream, timeout=0.3)
        self.url = self.network.file_url(KUBECTL.url)
        with self.network.open(self.url) as response:
            self.data = response.content
        self.store = Store(root)
        self.digest = of_bytes(self.data)
        self.moved: list[int] = []
        upstream.requests.clear()

    @property
    def path(self) -> Path:
        return self.store.path(self.digest)

    @property
    def partial(self) -> Path:
        return self.store.partial(self.digest)

    @property
    def ranges(self) -> list[str]:
        return [entry.range for entry in self.upstream.requests.entries]

    @property
    def opener(self) -> Opener:
        return self.network.opener(self.url)

    def fetch(self, attempts: int = 1, **wanted: Any) -> None:
        values = {"what": "kubectl", "digest": self.digest, "size": len(self.data), **wanted}
        self.store.fetch(Wanted(**values), self.opener, attempts, self.moved.append)

    def leave(self, data: bytes) -> None:
        """Leave `data` behind as an earlier process that was killed."""
        self.partial.parent.mkdir(parents=True)
        self.partial.write_bytes(data)

    def is_right(self) -> bool:
        return self.path.read_bytes() == self.data and not self.partial.exists()


@pytest.fixture
def download(upstream: Upstream, tmp_path: Path) -> Download:
    return Download(upstream, tmp_path / "cache")


def test_what_is_fetched_lies_under_its_digest_and_cannot_be_written(download: Download) -> None:
    download.fetch()

    assert download.is_right()
    assert download.path == download.store.root / "sha256" / download.digest.hex
    assert download.path.stat().st_mode & 0o777 == 0o444
    assert sum(download.moved) == len(download.data)


def test_what_is_there_is_not_asked_for(download: Download) -> None:
    download.fetch()
    download.fetch()

    assert download.ranges == [""]


def test_a_file_is_executable_as_soon_as_one_wants_it_so(download: Download) -> None:
    download.fetch(mode=0o444)
    download.fetch(mode=0o555)
    download.fetch(mode=0o444)

    assert download.path.stat().st_mode & 0o777 == 0o555


def test_a_size_need_not_be_known(download: Download) -> None:
    download.fetch(size=None)

    assert download.is_right()


def test_a_transfer_that_was_cut_goes_on_where_it_ended(download: Download, faults: Faults) -> None:
    faults.add("kubectl", "cut", 2, after=1000)

    download.fetch()

    assert download.is_right()
    assert download.ranges == ["", "bytes=1000-", "bytes=2000-"]
    assert sum(download.moved) == len(download.data)


def test_a_body_that_ends_early_is_not_the_whole(download: Download, faults: Faults) -> None:
    faults.add("kubectl", "truncate", 1, after=1000)

    download.fetch()

    assert download.is_right()


def test_a_later_process_goes_on_from_what_an_earlier_one_left(download: Download) -> None:
    download.leave(download.data[:1000])

    download.fetch()

    assert download.is_right()
    assert download.ranges == ["bytes=1000-"]
    assert download.moved[0] == 1000
    assert sum(download.moved) == len(download.data)


def test_all_of_it_left_behind_needs_no_request(download: Download) -> None:
    download.leave(download.data)

    download.fetch()

    assert download.is_right()
    assert download.ranges == []


@pytest.mark.parametrize("length", [1000, None], ids=["some", "all"])
def test_what_was_left_and_is_damaged_comes_again(download: Download, length: int | None) -> None:
    download.leave(b"\0" * len(download.data[:length]))

    download.fetch()

    assert download.is_right()
    assert download.ranges[-1] == ""
    assert sum(download.moved) == len(download.data)


def test_more_than_all_of_it_left_behind_comes_again(download: Download) -> None:
    download.leave(download.data + b"x")

    download.fetch(attempts=2)

    assert download.is_right()
    assert sum(download.moved) == len(download.data)


def test_a_server_without_ranges_sends_it_all_again(download: Download, faults: Faults) -> None:
    download.leave(download.data[:1000])
    faults.add("kubectl", "ignore_range", None)

    download.fetch()

    assert download.is_right()
    assert sum(download.moved) == len(download.data)


def test_a_server_that_cuts_and_knows_no_ranges_is_given_up(download: Download, faults: Faults) -> None:
    faults.add("kubectl", "cut", None, after=1000)
    wanted = Wanted("kubectl", download.digest, len(download.data))

    error = error_of(download.store.fetch, wanted, lambda _: download.opener(0), 1, download.moved.append)

    assert isinstance(error, FetchError)
    assert download.ranges == ["", ""]


def test_other_bytes_never_reach_the_final_path(download: Download, faults: Faults) -> None:
    faults.add("kubectl", "lie", None)

    error = error_of(download.fetch)

    assert isinstance(error, DigestMismatch)
    assert error.problem.startswith(f"kubectl: expected {download.digest}, got sha256:")
    assert not download.path.exists()
    assert not download.partial.exists()


def test_a_resumed_download_that_is_wrong_twice_is_refused(download: Download, faults: Faults) -> None:
    download.leave(b"\0" * 1000)
    faults.add("kubectl", "lie", None)

    assert isinstance(error_of(download.fetch), DigestMismatch)
    assert not download.path.exists()


def test_a_file_longer_than_its_pin_is_not_received_to_the_end(download: Download) -> None:
    error = error_of(download.fetch, size=10)

    assert error.problem.startswith(f"kubectl: expected 10 bytes of {download.digest}, got ")
    assert error.problem.endswith(" bytes or more")
    assert not download.partial.exists()


def test_a_file_shorter_than_its_pin_is_a_damaged_upstream(download: Download) -> None:
    size = len(download.data) + 1

    error = error_of(download.fetch, attempts=2, size=size)

    assert error.problem == f"kubectl: ended after {len(download.data)} of {size} bytes"
    assert error.hint == "the upstream is damaged: compare with its release page, or use mirror="


def test_a_refusal_is_not_tried_again(download: Download, faults: Faults) -> None:
    faults.add("kubectl", "status", None, code=404)

    error_of(download.fetch, attempts=5)

    assert download.ranges == [""]


def test_a_damaged_file_at_the_final_path_is_fetched_again(download: Download) -> None:
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(b"damaged")

    download.fetch()

    assert download.is_right()


def test_a_file_that_changed_since_it_was_verified_is_not_there(download: Download) -> None:
    download.fetch()
    download.path.chmod(0o644)
    download.path.write_bytes(b"changed")

    assert not download.store.has(download.digest)
    assert not download.path.exists()


def test_what_is_verified_is_not_read_again(download: Download) -> None:
    download.fetch()
    status = download.path.stat()
    download.path.chmod(0o644)
    with download.path.open("r+b") as stream:
        stream.write(b"!")
    download.path.chmod(status.st_mode)
    os.utime(download.path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert download.store.has(download.digest)


def test_many_who_want_the_same_fetch_it_once(download: Download) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: download.fetch(), range(8)))

    assert download.is_right()
    assert download.ranges == [""]


def test_data_is_kept_under_its_digest_once(tmp_path: Path) -> None:
    store = Store(tmp_path)

    digest = store.put(b"data")
    first = store.path(digest).stat()
    store.put(b"data")

    assert digest == of_bytes(b"data")
    assert (first.st_mode & 0o777, store.path(digest).stat().st_ino) == (0o444, first.st_ino)
    assert not store.has(of_bytes(b"other"))


@pytest.mark.parametrize("times", [1, 2])
def test_pieces_are_kept_under_the_digest_of_their_whole(tmp_path: Path, times: int) -> None:
    store = Store(tmp_path)

    kept = [store.keep(iter((b"da", b"", b"ta"))) for _ in range(times)]

    assert set(kept) == {(of_bytes(b"data"), 4)}
    assert store.path(of_bytes(b"data")).read_bytes() == b"data"
    assert [path.name for path in (tmp_path / "partial").iterdir()] == []


def test_content_that_nobody_vouches_for_is_kept_under_what_it_is(download: Download) -> None:
    digest, size = download.store.adopt(download.opener, download.url, 1, download.moved.append)

    assert (digest, size) == (download.digest, len(download.data))
    assert of_file(download.path) == digest
    assert sum(download.moved) == size


def test_content_that_nobody_vouches_for_never_begins_with_an_older_one_s(download: Download, faults: Faults) -> None:
    left = download.store.partial(of_bytes(download.url.encode()))
    left.parent.mkdir(parents=True)
    left.write_bytes(b"older")

    digest, _ = download.store.adopt(download.opener, download.url, 1, download.moved.append)

    assert digest == download.digest
    assert not left.exists()


def failing(*outcomes: Exception | bool) -> Callable[[], bool]:
    left = iter(outcomes)

    def act() -> bool:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return act


def passing(problem: str = "503") -> FetchError:
    return FetchError(problem, retryable=True, wait=0.001)


def test_what_may_pass_is_tried_again_until_it_does() -> None:
    retry("x", 3, failing(passing(), passing(), True))


def test_the_last_failure_in_a_row_is_raised() -> None:
    assert error_of(retry, "x", 2, failing(passing("first"), passing("second"), True)).problem == "second"


def test_what_cannot_pass_is_raised_at_once() -> None:
    assert error_of(retry, "x", 9, failing(FetchError("404"), True)).problem == "404"


def test_failures_count_in_a_row_only() -> None:
    retry("x", 2, failing(passing(), False, passing(), False, passing(), True))


def test_one_at_a_time_makes_a_path(tmp_path: Path) -> None:
    inside = threading.Event()

    def enter() -> None:
        with single_flight(tmp_path / "x"):
            inside.set()

    with ThreadPoolExecutor(1) as pool:
        with single_flight(tmp_path / "x"), single_flight(tmp_path / "other"):
            waiting = pool.submit(enter)
            early = inside.wait(0.05)
        waiting.result()

    assert not early
    assert inside.is_set()
