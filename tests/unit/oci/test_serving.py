"""The saved registry over HTTP: what is found, and what two directories make together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterimage.oci import serving
from clusterimage.storage import manifest
from clusterimage.values import digest
from clusterimage.values.media_types import OCI_INDEX, OCI_MANIFEST
from tests.unit.conftest import error_of, plant

LAYER = b"0123456789"


def registry(root: Path, tag: str, text: bytes) -> Path:
    """Write a saved registry with the repository `team/own`, one tag and one layer."""
    top, layer = digest.of_bytes(text), digest.of_bytes(LAYER)
    repository = "docker/registry/v2/repositories/team/own"
    files = {
        f"docker/registry/v2/blobs/sha256/{one.hex[:2]}/{one.hex}/data": data
        for one, data in ((top, text), (layer, LAYER))
    }
    files[f"{repository}/_layers/sha256/{layer.hex}/link"] = str(layer).encode()
    files[f"{repository}/_manifests/revisions/sha256/{top.hex}/link"] = str(top).encode()
    files[f"{repository}/_manifests/tags/{tag}/current/link"] = str(top).encode()
    plant(root, files)
    manifest.write(root.with_name(root.name + manifest.SUFFIX), manifest.scan(root, known={}))
    return root


@pytest.fixture
def found(tmp_path: Path) -> serving.Catalogue:
    return serving.catalogue([registry(tmp_path / "one", "v1", b'{"config":{}}')])


def blob(found: serving.Catalogue, wanted: str = "") -> serving.Answer:
    return serving.answer(found, "GET", f"/v2/team/own/blobs/{digest.of_bytes(LAYER)}", wanted)


@pytest.mark.parametrize(
    ("wanted", "status", "start", "size"),
    [
        ("", 200, 0, 10),
        ("bytes=0-", 206, 0, 10),
        ("bytes=3-4", 206, 3, 2),
        ("bytes=8-99", 206, 8, 2),
        ("bytes=-3", 206, 7, 3),
        ("bytes=-99", 206, 0, 10),
        ("bytes=1-2,4-5", 200, 0, 10),
        ("lines=1-2", 200, 0, 10),
    ],
)
def test_a_range_is_a_part_and_one_that_is_not_understood_is_the_whole(
    found: serving.Catalogue, wanted: str, status: int, start: int, size: int
) -> None:
    answer = blob(found, wanted)

    assert (answer.status, answer.start, answer.length) == (status, start, size)


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=5-4", "bytes=-0"])
def test_a_range_of_nothing_is_refused(found: serving.Catalogue, wanted: str) -> None:
    assert blob(found, wanted).status == 416


@pytest.mark.parametrize(("text", "media_type"), [(b'{"manifests":[]}', OCI_INDEX), (b'{"layers":[]}', OCI_MANIFEST)])
def test_a_document_without_a_media_type_gets_the_one_that_it_looks_like(
    tmp_path: Path, text: bytes, media_type: str
) -> None:
    found = serving.catalogue([registry(tmp_path / "one", "v1", text)])

    answer = serving.answer(found, "GET", "/v2/team/own/manifests/v1")

    assert dict(answer.headers)["Content-Type"] == media_type and answer.body == text


def test_directories_with_other_tags_are_one_registry(tmp_path: Path) -> None:
    roots = [registry(tmp_path / name, name, f'{{"n":"{name}"}}'.encode()) for name in ("one", "two")]

    tags = serving.answer(serving.catalogue(roots), "GET", "/v2/team/own/tags/list")

    assert json.loads(tags.body) == {"name": "team/own", "tags": ["one", "two"]}


def test_one_tag_of_two_images_is_refused_by_name(tmp_path: Path) -> None:
    roots = [registry(tmp_path / name, "v1", f'{{"n":"{name}"}}'.encode()) for name in ("one", "two")]

    error = error_of(serving.catalogue, roots)

    assert error.problem == "team/own:v1: is two images in what was selected" and "k8s=" in error.hint


def referrers(found: serving.Catalogue, subject: str, query: str = "") -> serving.Answer:
    return serving.answer(found, "GET", f"/v2/team/own/referrers/{subject}{query}")


@pytest.mark.parametrize("place", ["team/own", "not/there"])
@pytest.mark.parametrize("subject", [f"sha256:{'0' * 64}", f"sha256%3A{'0' * 64}", f"sha512:{'0' * 128}"])
def test_what_nothing_refers_to_has_an_empty_index(found: serving.Catalogue, place: str, subject: str) -> None:
    """The specification forbids 404: that would mean a registry without this API."""
    answer = serving.answer(found, "GET", f"/v2/{place}/referrers/{subject}")

    assert answer.status == 200 and dict(answer.headers)["Content-Type"] == OCI_INDEX
    assert json.loads(answer.body) == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.mark.parametrize("subject", ["v1", "sha256:", ":abc", "sha256:a b"])
def test_a_referrer_of_no_digest_is_refused(found: serving.Catalogue, subject: str) -> None:
    answer = referrers(found, subject)

    assert answer.status == 400 and b"DIGEST_INVALID" in answer.body


def test_saved_manifests_with_a_subject_are_its_referrers(tmp_path: Path) -> None:
    subject = f"sha256:{'1' * 64}"
    texts = {
        "one": {"subject": {"digest": subject}, "artifactType": "example/a", "annotations": {"x": "y"}},
        "two": {"subject": {"digest": subject}, "config": {"mediaType": "example/b"}},
        "three": {"subject": {"digest": f"sha256:{'2' * 64}"}, "artifactType": "example/a"},
    }
    roots = [registry(tmp_path / name, name, json.dumps(text).encode()) for name, text in texts.items()]
    found = serving.catalogue(roots)

    every, some = referrers(found, subject), referrers(found, subject, "?artifactType=example%2Fa")

    assert {entry["artifactType"] for entry in json.loads(every.body)["manifests"]} == {"example/a", "example/b"}
    assert "OCI-Filters-Applied" not in dict(every.headers)
    assert dict(some.headers)["OCI-Filters-Applied"] == "artifactType"
    text = json.dumps(texts["one"]).encode()
    assert json.loads(some.body)["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": str(digest.of_bytes(text)),
            "size": len(text),
            "artifactType": "example/a",
            "annotations": {"x": "y"},
        }
    ]
