"""The embedded upstream answers as a registry does, with images that hold together."""

import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from clusterimage.upstream import Upstream
from clusterimage.upstream.images import DOCKER, OCI, MediaTypes
from clusterimage.values.errors import ClusterImageError

PAUSE, ETCD = "k8s.gcr.io/pause", "k8s.gcr.io/etcd"
IMAGES = (f"{PAUSE}:3.5", f"{PAUSE}:3.6", f"{ETCD}:3.5.0-0")
UNKNOWN = f"sha256:{'0' * 64}"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream((), IMAGES) as running:
        yield running


def ask(upstream: Upstream, path: str, method: str = "GET", **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{upstream.url}/v2/{path}", headers=headers, timeout=10)


def manifest(upstream: Upstream, repository: str, reference: str) -> Any:
    return ask(upstream, f"{repository}/manifests/{reference}").json()


def children(upstream: Upstream, repository: str, reference: str) -> list[Any]:
    index = manifest(upstream, repository, reference)
    return [manifest(upstream, repository, each["digest"]) for each in index["manifests"]]


def error_code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def test_the_version_check_answers(upstream: Upstream) -> None:
    answer = ask(upstream, "")

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize(("repository", "tag", "types"), [(PAUSE, "3.5", OCI), (ETCD, "3.5.0-0", DOCKER)])
def test_a_tag_is_an_index_over_three_platforms(
    upstream: Upstream, repository: str, tag: str, types: MediaTypes
) -> None:
    answer = ask(upstream, f"{repository}/manifests/{tag}")

    assert answer.headers["Content-Type"] == answer.json()["mediaType"] == types.index
    assert answer.headers["Docker-Content-Digest"] == f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    assert [each["platform"]["architecture"] for each in answer.json()["manifests"]] == ["amd64", "arm64", "s390x"]
    assert {each["mediaType"] for each in answer.json()["manifests"]} == {types.manifest}


@pytest.mark.parametrize(("repository", "tag", "types"), [(PAUSE, "3.5", OCI), (ETCD, "3.5.0-0", DOCKER)])
def test_every_descriptor_tells_the_truth(upstream: Upstream, repository: str, tag: str, types: MediaTypes) -> None:
    index = manifest(upstream, repository, tag)

    for child in index["manifests"]:
        answer = ask(upstream, f"{repository}/manifests/{child['digest']}")
        assert child["digest"] == f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        assert child["size"] == len(answer.content)
        assert answer.headers["Content-Type"] == types.manifest
        for part in (answer.json()["config"], *answer.json()["layers"]):
            blob = ask(upstream, f"{repository}/blobs/{part['digest']}")
            assert part["digest"] == f"sha256:{hashlib.sha256(blob.content).hexdigest()}"
            assert part["digest"] == blob.headers["Docker-Content-Digest"] == blob.headers["ETag"].strip('"')
            assert part["size"] == len(blob.content)
            assert part["mediaType"] in (types.config, types.layer)


def test_a_config_names_its_platform_its_layers_and_that_it_is_a_stand_in(upstream: Upstream) -> None:
    amd64 = children(upstream, PAUSE, "3.5")[0]
    layers = [ask(upstream, f"{PAUSE}/blobs/{each['digest']}").content for each in amd64["layers"]]
    config = ask(upstream, f"{PAUSE}/blobs/{amd64['config']['digest']}").json()

    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Labels"] == {"io.clusterimage.stand-in": "true"}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(gzip.decompress(x)).hexdigest()}" for x in layers]
    assert all(b"clusterimage stand-in" in layer for layer in layers)
    assert b"k8s.gcr.io/pause:3.5 (amd64)" in layers[1]


def test_images_of_one_architecture_share_the_base_layer_and_nothing_else(upstream: Upstream) -> None:
    digests = [
        {layer["digest"] for layer in children(upstream, *reference.split(":"))[arch]["layers"]}
        for reference in IMAGES
        for arch in (0, 1)
    ]

    assert len(set[str]().union(*digests)) == 2 + len(IMAGES) * 2
    assert [len(set.intersection(*digests[arch::2])) for arch in (0, 1)] == [1, 1]


def test_head_tells_what_get_would_send(upstream: Upstream) -> None:
    head, get = (ask(upstream, f"{PAUSE}/manifests/3.5", method) for method in ("HEAD", "GET"))

    assert head.content == b""
    assert {**head.headers, "Date": ""} == {**get.headers, "Date": ""}


def test_a_blob_is_found_before_its_manifest_was_asked_for(upstream: Upstream) -> None:
    digest = children(upstream, PAUSE, "3.6")[0]["layers"][1]["digest"]

    with Upstream((), IMAGES) as fresh:
        assert ask(fresh, f"{PAUSE}/blobs/{digest}", Range="bytes=5-14").status_code == 206
        assert error_code(ask(fresh, f"{ETCD}/blobs/{digest}")) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    ("repository", "reference", "accept", "media_type"),
    [
        (PAUSE, "3.5", f"{DOCKER.index}, {OCI.index};q=0.5", OCI.index),
        (PAUSE, "3.5", "application/*", OCI.index),
        (PAUSE, "3.5", OCI.manifest, OCI.manifest),
        (ETCD, "3.5.0-0", f"{DOCKER.manifest},{OCI.index}", DOCKER.manifest),
    ],
)
def test_a_tag_is_answered_in_a_type_that_the_client_accepts(
    upstream: Upstream, repository: str, reference: str, accept: str, media_type: str
) -> None:
    answer = ask(upstream, f"{repository}/manifests/{reference}", Accept=accept)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)


def test_accept_may_come_in_several_headers(upstream: Upstream) -> None:
    connection = http.client.HTTPConnection(upstream.registry, timeout=10)
    connection.putrequest("GET", f"/v2/{PAUSE}/manifests/3.5")
    connection.putheader("Accept", DOCKER.index)
    connection.putheader("Accept", OCI.index)
    connection.endheaders()
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("Content-Type")) == (200, OCI.index)
    answer.read()
    connection.close()


def test_what_the_client_does_not_accept_is_unknown_to_it(upstream: Upstream) -> None:
    digest = ask(upstream, f"{PAUSE}/manifests/3.5").headers["Docker-Content-Digest"]

    for reference in ("3.5", digest):
        refused = ask(upstream, f"{PAUSE}/manifests/{reference}", Accept=DOCKER.index)
        assert error_code(refused) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{PAUSE}/manifests/9.9", "MANIFEST_UNKNOWN"),
        (f"{PAUSE}/manifests/{UNKNOWN}", "MANIFEST_UNKNOWN"),
        (f"{PAUSE}/blobs/{UNKNOWN}", "BLOB_UNKNOWN"),
        ("k8s.gcr.io/none/manifests/1", "NAME_UNKNOWN"),
        ("k8s.gcr.io/none/tags/list", "NAME_UNKNOWN"),
        ("pause", "NAME_UNKNOWN"),
        (f"{PAUSE}/tags/other", "UNSUPPORTED"),
        (f"{PAUSE}/referrers/{UNKNOWN}", "UNSUPPORTED"),
    ],
)
def test_what_is_unknown_is_404_with_the_registrys_code(upstream: Upstream, path: str, code: str) -> None:
    assert error_code(ask(upstream, path)) == (404, code)


def test_tags_are_listed(upstream: Upstream) -> None:
    assert ask(upstream, f"{PAUSE}/tags/list").json() == {"name": PAUSE, "tags": ["3.5", "3.6"]}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(upstream: Upstream, method: str) -> None:
    answer = ask(upstream, f"{PAUSE}/blobs/uploads/", method)

    assert error_code(answer) == (405, "UNSUPPORTED")
    assert upstream.requests.count(f"{method} /v2/{PAUSE}") == 1


def test_two_servers_publish_the_same_digests() -> None:
    def digests(references: tuple[str, ...]) -> list[str]:
        with Upstream((), references) as upstream:
            split = [reference.split(":") for reference in sorted(references)]
            return [json.dumps(children(upstream, repository, tag)) for repository, tag in split]

    assert digests(IMAGES) == digests(IMAGES[::-1])


@pytest.mark.parametrize("reference", ["k8s.gcr.io/pause", "localhost:5000/pause", f"{PAUSE}@{UNKNOWN}", ":3.5"])
def test_an_image_without_a_name_or_a_tag_is_refused(reference: str) -> None:
    with pytest.raises(ClusterImageError, match="cannot make the image"):
        Upstream((), [reference])
