"""The benchmarks' own machinery: what counts, what is judged, what the slow line does. No time is asserted."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import checks, contents, contest, goals, images, table, upstream
from benchmarks.contents import Donors
from benchmarks.contest import Contestant, Result, Sample, WrongResult
from benchmarks.images import STORAGE
from benchmarks.servers import Server
from benchmarks.shaped import Bucket, Line, Shape
from benchmarks.table import Goal, Section
from tests.conftest import ROOT
from tests.unit.conftest import plant

DONORS = Donors(("program",), (b"a" * contents.BLOCK, b"b" * contents.BLOCK))


def contestant(name: str, *, code: str = "", facts: Mapping[str, object] | None = None, **more: object) -> Contestant:
    return Contestant(name, [sys.executable, "-c", code], lambda: None, lambda: facts or {}, **more)  # type: ignore[arg-type]


def result(name: str, *walls: float, **more: bool) -> Result:
    samples = [Sample(wall, 0.5, 20_000_000, {"requests": 7}) for wall in walls]
    return Result(contestant(name, **more), samples)


# ------------------------------------------------------------------- contest


def test_contestants_take_turns_and_slow_ones_fewer() -> None:
    order: list[str] = []

    def one(name: str, runs: int) -> Contestant:
        return Contestant(name, [sys.executable, "-c", ""], lambda: order.append(name), dict, runs=runs)

    contest.run([one("a", 0), one("slow", 1), one("b", 0)], 2, lambda _: None)

    assert order == ["a", "slow", "b", "a", "b"]


def test_a_wrong_result_does_not_count_and_is_told() -> None:
    def wrong() -> Mapping[str, object]:
        raise WrongResult("a blob has other content")

    results = contest.run([Contestant("a", [sys.executable, "-c", ""], dict, wrong)], 3, lambda _: None)

    assert (results[0].samples, results[0].failure) == ([], "a blob has other content")


def test_a_command_that_fails_does_not_count_and_its_words_are_told() -> None:
    results = contest.run([contestant("a", code="raise SystemExit('no space left')")], 3, lambda _: None)

    assert not results[0].samples and "no space left" in results[0].failure


def test_who_is_not_installed_is_skipped_by_name() -> None:
    results = contest.run([contestant("a", needs=("no-such-program",))], 3, lambda _: None)

    assert results[0].failure == "skipped: no-such-program is not installed"


def test_memory_is_that_of_the_command_and_not_of_who_measures_it() -> None:
    held = bytearray(60_000_000)

    _, _, least = contest.measured([sys.executable, "-I", "-S", "-c", ""])
    _, _, most = contest.measured([sys.executable, "-c", "x = bytearray(b'1') * 120_000_000"])

    assert held and least < 50_000_000 and most > 120_000_000


# --------------------------------------------------------------------- table


def test_a_table_has_medians_spans_and_ratios_to_the_first_of_ours() -> None:
    rows = table.table(
        [result("clusterimage", 2.0, 4.0, 3.0, ours=True), result("tar | gzip", 1.5), result("other", 30)]
    )

    assert rows[2] == "| **clusterimage** | 3.00 | 2.00–4.00 | 3 | 1.00 | 0.50 | 20 | 7 |"
    assert rows[3] == "| tar \\| gzip | 1.50 |  | 1 | 0.50 | 0.50 | 20 | 7 |"
    assert rows[4].startswith("| other | 30.0 |")


def test_losses_and_who_is_out_are_written_down() -> None:
    out = Result(contestant("b"), failure="skipped: b is not installed")
    goal = Goal("at least 2 times as fast as a", "0.5 times", False)

    text = Section("W", "Work.", [result("a", 1.0), out], [goal]).markdown()

    assert "- b: skipped: b is not installed\n" in text
    assert "- **not reached**: at least 2 times as fast as a: 0.5 times\n" in text


# -------------------------------------------------------------------- source


def test_requests_bytes_and_what_was_given_twice_are_read_from_the_access_logs(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    line = '127.0.0.1 - - [21/Nov/2026:03:44:05 +0000] "{}" {} {} "" "agent"\n'
    blob = "sha256:" + "a" * 64
    lines = [("GET /v2/ HTTP/1.1", 200, 2), (f"GET /v2/x/blobs/{blob} HTTP/1.1", 200, 100)]
    lines += [(f"GET /v2/y/blobs/{blob} HTTP/1.1", 206, 40), ("HEAD /v2/x/manifests/v1 HTTP/1.1", 404, 9)]
    log.write_text("".join(line.format(*one) for one in lines))

    traffic = Server(1, log).traffic(0)

    assert (traffic.requests, traffic.bytes, traffic.repeated) == (4, 151, 1)


def test_a_bucket_spaces_bytes_by_its_rate_and_forgives_little() -> None:
    bucket = Bucket(100.0)

    assert bucket.book(100, 50.0) == pytest.approx(50.98)
    assert bucket.book(100, 50.0) == pytest.approx(51.98)
    assert bucket.book(100, 90.0) == pytest.approx(90.98)


def test_the_slow_line_changes_no_byte_in_either_direction() -> None:
    asked, answer = b"question" * 30_000, hashlib.shake_256(b"answer").digest(700_000)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(len(asked)))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def ask() -> bytes:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            line = Line(server.sockets[0].getsockname()[1], Shape(rtt=0.002, each=50e6, total=80e6))
            async with await line.serve(0) as shaped:
                reader, writer = await asyncio.open_connection("127.0.0.1", shaped.sockets[0].getsockname()[1])
                writer.write(asked)
                got = await reader.read(-1)
                writer.close()
                await writer.wait_closed()
                await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
                return got

    assert asyncio.run(ask()) == answer
    assert heard == [asked]


# ---------------------------------------------------------------------- work


def test_the_work_is_the_same_in_every_run_and_other_for_every_name() -> None:
    one, again, other = (
        b"".join(contents.binary(DONORS, name, 3 * contents.BLOCK)) for name in ("kubelet", "kubelet", "kubeadm")
    )

    assert one == again != other
    assert len(one) == len(other) == 3 * contents.BLOCK
    noise = b"".join(contents.noise("x", 100_000))
    assert gzip.decompress(b"".join(contents.gzipped(iter([noise, noise])))) == noise * 2


def test_a_registry_directory_is_judged_by_every_blob_and_tag(tmp_path: Path) -> None:
    catalogue = images.write(tmp_path, count=2, scale=0.001)
    checks.registry_directories([tmp_path], catalogue)
    blob = next((tmp_path / STORAGE / "blobs/sha256").glob("*/*/data"))
    whole = blob.read_bytes()

    blob.write_bytes(whole[:-1] + b"!")
    with pytest.raises(WrongResult, match="has other content"):
        checks.registry_directories([tmp_path], catalogue)
    blob.unlink()
    with pytest.raises(WrongResult, match="1 blobs and 0 tags differ"):
        checks.registry_directories([tmp_path], catalogue)


def test_an_archive_is_judged_by_every_file(tmp_path: Path) -> None:
    plant(tmp_path / "tree", {"a": "1", "b/c": "2"})
    wanted = checks.tree(tmp_path / "tree")
    with tarfile.open(tmp_path / "whole.tar", "w") as archive:
        archive.add(tmp_path / "tree", ".")
    (tmp_path / "tree/b/c").write_text("3")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "tree", ".")

    checks.archive(tmp_path / "whole.tar", wanted)
    with pytest.raises(WrongResult, match="1 files differ, as b/c"):
        checks.archive(tmp_path / "other.tar.gz", wanted)


def test_the_matrix_has_every_file_its_list_and_every_image(tmp_path: Path) -> None:
    made = upstream.write(tmp_path, ROOT, DONORS, scale=0.0001)

    for needed in made.needed:
        for request in needed.files:
            for url in filter(None, (request.url, request.checksum_url)):
                assert (made.files / url.removeprefix("https://")).is_file(), url
        assert {str(image.reference) for image in needed.images} <= made.catalogue.tops.keys()
    checks.registry_directories([made.registry], made.catalogue)


def test_a_goal_that_is_missed_is_said_so_and_one_without_its_peer_is_left_out() -> None:
    ours, peer = result("clusterimage, package", 1.0, ours=True), result("umoci", 1.5)

    assert goals.beaten([ours, peer], {"umoci": 2, "buildah": 8}) == [
        Goal("at least 2 times as fast as umoci", "1.5 times", False)
    ]
    assert goals.far([ours]) == goals.size([ours]) == goals.again([ours]) == []
