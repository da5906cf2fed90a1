"""The embedded upstream serves files as an upstream's file server does."""

import hashlib
import http.client
import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from clusterimage.upstream import Upstream, UpstreamFile
from clusterimage.values.errors import ClusterImageError

RELEASE = "dl.k8s.io/release/v1.22.15/bin/linux/amd64"
KUBEADM = UpstreamFile(
    f"https://{RELEASE}/kubeadm", "kubeadm v1.22.15 linux/amd64", "amd64", (), f"https://{RELEASE}/kubeadm.sha256"
)
SUMS = "https://files.example/docker/SHA256SUMS"
DOCKER = UpstreamFile(
    "https://files.example/docker/docker-20.10.24.tgz",
    "docker 20.10.24 linux/amd64",
    "amd64",
    ("docker/ctr", "docker/dockerd"),
    SUMS,
)
CNI = UpstreamFile("https://files.example/cni-v1.1.1.tar", "cni v1.1.1 linux/arm64", "arm64", ("./loopback",), SUMS)
SOURCE = UpstreamFile("https://files.example/gperf-3.1.tar.gz", "gperf 3.1", "any", ())
PLUS = UpstreamFile("https://files.example/v1.2.3%2Bk3s1/k3s", "k3s v1.2.3+k3s1 linux/amd64", "amd64", ())
FILES = (KUBEADM, DOCKER, CNI, SOURCE, PLUS)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(FILES, ()) as running:
        yield running


def ask(upstream: Upstream, url: str, method: str = "GET", **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{upstream.url}/{url.removeprefix('https://')}", timeout=10, **options)


def members(data: bytes) -> dict[str, int]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member.size for member in archive if member.isfile()}


def test_a_file_is_served_under_its_host_and_path(upstream: Upstream) -> None:
    answer = ask(upstream, KUBEADM.url)

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["ETag"] == f'"sha256:{hashlib.sha256(answer.content).hexdigest()}"'
    assert b"clusterimage stand-in kubeadm v1.22.15 linux/amd64" in answer.content


def test_head_tells_what_get_would_send(upstream: Upstream) -> None:
    head, get = ask(upstream, KUBEADM.url, "HEAD"), ask(upstream, KUBEADM.url)

    assert head.content == b""
    assert {**head.headers, "Date": ""} == {**get.headers, "Date": ""}


def test_a_range_is_of_no_concern_to_head(upstream: Upstream) -> None:
    assert ask(upstream, KUBEADM.url, "HEAD", headers={"Range": "bytes=0-9"}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=10-99999999", slice(10, None)),
        ("bytes=-99999999", slice(0, None)),
    ],
)
def test_a_range_is_answered_with_exactly_it(upstream: Upstream, asked: str, part: slice) -> None:
    whole = ask(upstream, KUBEADM.url).content

    answer = ask(upstream, KUBEADM.url, headers={"Range": asked})

    start, stop, _ = part.indices(len(whole))
    assert (answer.status_code, answer.content) == (206, whole[part])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_out_of_reach_is_416(upstream: Upstream, asked: str) -> None:
    length = len(ask(upstream, KUBEADM.url).content)

    answer = ask(upstream, KUBEADM.url, headers={"Range": asked})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{length}")


@pytest.mark.parametrize("asked", ["bytes=9-0", "bytes=-", "bytes=0-1,3-4", "lines=1-2"])
def test_what_is_no_single_range_is_answered_in_full(upstream: Upstream, asked: str) -> None:
    assert ask(upstream, KUBEADM.url, headers={"Range": asked}).status_code == 200


def test_a_range_of_other_content_than_the_client_has_is_answered_in_full(upstream: Upstream) -> None:
    etag = ask(upstream, KUBEADM.url).headers["ETag"]

    same = ask(upstream, KUBEADM.url, headers={"Range": "bytes=1-", "If-Range": etag})
    other = ask(upstream, KUBEADM.url, headers={"Range": "bytes=1-", "If-Range": '"sha256:other"'})

    assert (same.status_code, other.status_code) == (206, 200)


def test_a_checksum_of_one_file_is_its_digest_only(upstream: Upstream) -> None:
    assert ask(upstream, KUBEADM.checksum_url).text == hashlib.sha256(ask(upstream, KUBEADM.url).content).hexdigest()


def test_a_shared_checksum_list_names_its_files(upstream: Upstream) -> None:
    digests = [hashlib.sha256(ask(upstream, file.url).content).hexdigest() for file in (CNI, DOCKER)]

    assert ask(upstream, SUMS).text == f"{digests[0]}  cni-v1.1.1.tar\n{digests[1]}  docker-20.10.24.tgz\n"


def test_an_archive_has_the_members_asked_for_and_one_that_was_not(upstream: Upstream) -> None:
    docker, cni = members(ask(upstream, DOCKER.url).content), members(ask(upstream, CNI.url).content)

    assert docker.keys() == {"docker/README", "docker/ctr", "docker/dockerd"}
    assert cni.keys() == {"./README", "./loopback"}


def test_an_archive_without_members_is_still_an_archive(upstream: Upstream) -> None:
    assert members(ask(upstream, SOURCE.url).content).keys() == {"README"}


@pytest.mark.parametrize("path", ["files.example/v1.2.3%2Bk3s1/k3s", "files.example/v1.2.3+k3s1/k3s"])
def test_percent_encoding_and_queries_do_not_matter(upstream: Upstream, path: str) -> None:
    assert ask(upstream, f"{path}?raw=true").status_code == 200


@pytest.mark.parametrize("path", ["files.example/none", "", "token"])
def test_what_is_not_published_is_404_in_plain_text(upstream: Upstream, path: str) -> None:
    answer = ask(upstream, path)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_nothing_is_generated_before_it_is_asked_for() -> None:
    vast = UpstreamFile("https://files.example/vast", "vast 1 linux/amd64", "amd64", ())

    with Upstream([vast, KUBEADM], ["files.example/vast:1"], size=1_000_000_000) as upstream:
        assert ask(upstream, "files.example/none").status_code == 404


def test_two_servers_serve_the_same_bytes() -> None:
    with Upstream(FILES, ()) as first, Upstream(FILES[::-1], ()) as second:
        for url in (*(file.url for file in FILES), SUMS):
            assert ask(first, url).content == ask(second, url).content


def test_members_of_what_is_no_archive_are_refused() -> None:
    odd = UpstreamFile("https://files.example/tree.zip", "tree 1", "any", ("a",))

    with pytest.raises(ClusterImageError, match=r"cannot make an archive for https://files\.example/tree\.zip"):
        Upstream([odd], ())


def test_one_url_cannot_have_two_contents() -> None:
    other = UpstreamFile(KUBEADM.url, "kubeadm v1.22.16 linux/amd64", "amd64", ())

    Upstream([KUBEADM, KUBEADM], ())
    with pytest.raises(ClusterImageError, match=r"two different stand-ins are wanted for https://dl\.k8s\.io/"):
        Upstream([KUBEADM, other], ())


def test_requests_are_counted_with_their_bytes(upstream: Upstream) -> None:
    ask(upstream, KUBEADM.url, "HEAD")
    ask(upstream, KUBEADM.url, headers={"Range": "bytes=0-99"})
    ask(upstream, "files.example/none")

    log = upstream.requests
    assert [(each.method, each.range, each.status, each.sent) for each in log.entries[:2]] == [
        ("HEAD", "", 200, 0),
        ("GET", "bytes=0-99", 206, 100),
    ]
    assert (log.count("/kubeadm"), log.count("GET /"), log.bytes("/kubeadm"), log.count()) == (2, 2, 100, 3)

    log.clear()
    assert log.entries == ()


def test_leaving_hangs_up_on_idle_clients() -> None:
    with requests.Session() as session:
        session.trust_env = False
        with Upstream(FILES, ()) as upstream:
            url = f"{upstream.url}/{RELEASE}/kubeadm"
            assert session.get(url, timeout=10).status_code == 200

        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


def test_one_connection_serves_many_requests(upstream: Upstream) -> None:
    connection = http.client.HTTPConnection(upstream.registry, timeout=10)
    connection.auto_open = 0
    connection.connect()

    for path, status in ((f"/{RELEASE}/kubeadm", 200), ("/files.example/none", 404), (f"/{RELEASE}/kubeadm", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, len(answer.read()) > 0) == (status, True)
    connection.close()
