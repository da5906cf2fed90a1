"""The embedded upstream misbehaves as it is told, as often as it is told, and then behaves again."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from clusterimage.upstream import Faults, Upstream, UpstreamFile

FILE = "/files.example/kubeadm"
UPSTREAM_FILE = UpstreamFile(f"https:/{FILE}", "kubeadm v1 linux/amd64", "amd64", ())
PAUSE = "/v2/k8s.gcr.io/pause"
TAG = f"{PAUSE}/manifests/3.5"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream([UPSTREAM_FILE], ["k8s.gcr.io/pause:3.5"]) as running:
        yield running


def ask(upstream: Upstream, path: str = FILE, method: str = "GET", **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{upstream.url}{path}", **{"timeout": 10, **options})


def received(upstream: Upstream, limit: int | None = None) -> bytes:
    """Ask for the file and return the body until `limit` bytes have come or the server hangs up."""
    with socket.create_connection(upstream.registry.split(":"), timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(f"GET {FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data or limit is None or len(data.partition(b"\r\n\r\n")[2]) < limit:
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
        return data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("path", [FILE, TAG])
def test_status_answers_so_once(upstream: Upstream, path: str, code: int) -> None:
    upstream.faults.add(path, "status", code=code, headers={"Retry-After": "7"})

    first, second = ask(upstream, path), ask(upstream, path)

    assert (first.status_code, first.headers["Retry-After"], second.status_code) == (code, "7", 200)


def test_a_refusal_of_the_registry_has_a_code(upstream: Upstream) -> None:
    upstream.faults.add(PAUSE, "status", code=429)
    upstream.faults.add(PAUSE, "status")

    refusals = [ask(upstream, TAG) for _ in range(2)]

    assert [(each.status_code, each.json()["errors"][0]["code"]) for each in refusals] == [
        (429, "TOOMANYREQUESTS"),
        (503, "UNAVAILABLE"),
    ]


def test_a_rule_holds_as_often_as_it_says(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "status", times=2, code=500)
    upstream.faults.add("/manifests/", "status", times=None, code=503)

    assert [ask(upstream).status_code for _ in range(3)] == [500, 500, 200]
    assert [ask(upstream, TAG).status_code for _ in range(3)] == [503, 503, 503]

    upstream.faults.clear()
    assert ask(upstream, TAG).status_code == 200


def test_cut_closes_behind_so_many_bytes(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "cut", after=1000)
    upstream.requests.clear()

    assert received(upstream) == whole[:1000]
    assert upstream.requests.bytes(FILE) == 1000


def test_cut_is_an_error_to_a_client_that_counts(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "cut")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(upstream)


def test_a_cut_download_can_be_resumed(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "cut", after=1000)
    part = received(upstream)

    rest = ask(upstream, headers={"Range": f"bytes={len(part)}-"})

    assert part + rest.content == whole


def test_stall_sends_no_more_and_keeps_the_connection(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "stall", after=10)

    with pytest.raises(requests.exceptions.ConnectionError, match="timed out"):
        ask(upstream, timeout=0.2)
    assert upstream.requests.bytes(FILE) == 10


def test_stall_ends_when_the_server_stops() -> None:
    bodies: list[bytes] = []
    with Upstream([UPSTREAM_FILE], ()) as upstream:
        upstream.faults.add(FILE, "stall", after=10)
        client = threading.Thread(target=lambda: bodies.append(received(upstream)))
        client.start()
        while not upstream.requests.bytes(FILE):
            client.join(0.01)
    client.join()

    assert [len(body) for body in bodies] == [10]


def test_lie_has_the_right_length_and_headers_and_other_bytes(upstream: Upstream) -> None:
    truth = ask(upstream)
    upstream.faults.add(FILE, "lie")

    lie = ask(upstream)

    assert len(lie.content) == len(truth.content)
    assert lie.content != truth.content
    assert lie.headers["ETag"] == truth.headers["ETag"]
    assert ask(upstream).content == truth.content


def test_lie_reaches_the_range_that_is_sent(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "lie")
    lie, truth = (ask(upstream, headers={"Range": "bytes=100-101"}) for _ in range(2))

    assert (lie.status_code, len(lie.content)) == (206, 2)
    assert lie.content != truth.content


def test_a_lie_about_a_manifest_does_not_match_its_digest(upstream: Upstream) -> None:
    upstream.faults.add("/manifests/", "lie")

    answer = ask(upstream, TAG)

    assert answer.headers["Docker-Content-Digest"] != f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def test_truncate_is_well_formed_and_short(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "truncate", after=1000)
    upstream.faults.add(FILE, "truncate")

    answers = [ask(upstream) for _ in range(2)]

    assert [each.content for each in answers] == [whole[:1000], whole[: len(whole) // 2]]
    assert answers[0].headers["Content-Length"] == "1000"


def test_redirect_leads_to_an_alias_that_answers(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "redirect", times=None)

    answer = ask(upstream)

    assert ([each.status_code for each in answer.history], answer.status_code) == ([307], 200)
    assert upstream.requests.entries[-1].path == f"/_moved{FILE}"


def test_redirect_can_lead_anywhere(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "redirect", to="http://elsewhere.example/x", code=302)

    answer = ask(upstream, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (302, "http://elsewhere.example/x")


def test_ignore_range_waits_for_a_range_and_sends_everything(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "ignore_range")
    whole = ask(upstream).content

    first, second = (ask(upstream, headers={"Range": "bytes=5-"}) for _ in range(2))

    assert (first.status_code, first.content) == (200, whole)
    assert (second.status_code, second.content) == (206, whole[5:])


def test_slow_sends_everything_in_small_pieces(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "slow", rate=1_000_000)

    assert ask(upstream).content == whole


def test_a_client_that_leaves_a_slow_answer_harms_nobody(upstream: Upstream) -> None:
    upstream.faults.add(FILE, "slow", rate=100_000)

    assert len(received(upstream, limit=1)) >= 1
    assert ask(upstream).status_code == 200


def test_no_length_is_chunked(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "no_length")

    answer = ask(upstream)

    assert (answer.content, answer.headers["Transfer-Encoding"]) == (whole, "chunked")
    assert "Content-Length" not in answer.headers


def test_a_moved_tag_names_another_image_that_can_be_pulled(upstream: Upstream) -> None:
    upstream.faults.add(PAUSE, "moved_tag")

    digests = [ask(upstream, TAG).headers["Docker-Content-Digest"] for _ in range(3)]

    assert digests[0] != digests[1] == digests[2]
    for child in ask(upstream, f"{PAUSE}/manifests/{digests[0]}").json()["manifests"]:
        manifest = ask(upstream, f"{PAUSE}/manifests/{child['digest']}").json()
        for part in (manifest["config"], *manifest["layers"]):
            assert ask(upstream, f"{PAUSE}/blobs/{part['digest']}", "HEAD").status_code == 200


def test_a_digest_never_moves(upstream: Upstream) -> None:
    digest = ask(upstream, TAG).headers["Docker-Content-Digest"]
    upstream.faults.add(PAUSE, "moved_tag")

    assert ask(upstream, f"{PAUSE}/manifests/{digest}").headers["Docker-Content-Digest"] == digest


def test_a_fault_of_the_body_waits_for_a_body(upstream: Upstream) -> None:
    whole = ask(upstream).content
    upstream.faults.add(FILE, "truncate", after=1)

    assert ask(upstream, method="HEAD").headers["Content-Length"] == str(len(whole))
    assert ask(upstream, f"{FILE}.sha256").status_code == 404
    assert ask(upstream).content == whole[:1]


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        Faults().add(FILE, "explode")


def test_faults_can_be_prepared_before_the_server_starts() -> None:
    faults = Faults()
    faults.add(FILE, "status", code=500)

    with Upstream([UPSTREAM_FILE], (), faults=faults) as upstream:
        assert ask(upstream).status_code == 500
