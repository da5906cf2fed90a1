"""Docker's configuration: stored logins, helper programs, and what is wrong with either."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterimage.transport import credentials
from clusterimage.transport.credentials import Credentials
from tests.unit.conftest import error_of

HUB = "https://index.docker.io/v1/"
ANNA = Credentials("anna", "s3cret")
Helper = Callable[..., Path]


def login(user: str = "anna", password: str = "s3cret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helper:
    """Make programs docker-credential-NAME, which note what they are asked; they are all that PATH has besides sh."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def make(name: str, answer: str, code: int = 0) -> Path:
        program, log = programs / f"docker-credential-{name}", tmp_path / f"{name}.log"
        script = f'#!/bin/sh\nprintf "%s %s\\n" "$*" "$(cat)" >>"{log}"\nprintf "%s" \'{answer}\'\nexit {code}\n'
        program.write_text(script)
        program.chmod(0o755)
        return log

    return make


def find(root: Path, host: str, **settings: Any) -> Credentials | None:
    path = root / "config.json"
    path.write_text(json.dumps(settings))
    return credentials.find(path, host)


def test_without_a_configuration_nobody_is_logged_in(tmp_path: Path) -> None:
    assert credentials.find(None, "quay.io") is None
    assert credentials.find(tmp_path / "none.json", "quay.io") is None
    assert find(tmp_path, "quay.io") is None


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("quay.io", "quay.io"),
        ("quay.io", "https://quay.io"),
        ("localhost:5000", "localhost:5000"),
        ("docker.io", HUB),
        ("docker.io", "docker.io"),
    ],
)
def test_a_stored_login_is_found_by_its_host(tmp_path: Path, host: str, key: str) -> None:
    assert find(tmp_path, host, auths={key: login(), "other.io": login("other")}) == ANNA


@pytest.mark.parametrize("host", ["io", "quay.io:443", "other.quay.io", "docker.io"])
def test_the_login_of_another_host_is_never_used(tmp_path: Path, host: str) -> None:
    assert find(tmp_path, host, auths={"quay.io": login(), "https://example.com": login()}) is None


def test_a_password_may_hold_colons_and_any_letter(tmp_path: Path) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": login("anna", "a:b:ü")}) == Credentials("anna", "a:b:ü")


@pytest.mark.parametrize("entry", [{}, {"auth": ""}, {"identitytoken": "x"}])
def test_an_entry_without_a_password_is_no_login(tmp_path: Path, entry: dict[str, str]) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": entry}) is None


@pytest.mark.parametrize("auth", ["not base64!", "YW5uYQ", 7, base64.b64encode(b"\xff:x").decode()])
def test_a_damaged_login_is_named_without_showing_it(tmp_path: Path, auth: str | int) -> None:
    error = error_of(find, tmp_path, "quay.io", auths={"quay.io": {"auth": auth}})

    assert error.problem == f"{tmp_path}/config.json: auths.quay.io.auth: not base64"
    assert error.hint == "run `docker login` again"
    assert str(auth) not in error.problem.removeprefix(str(tmp_path))


@pytest.mark.parametrize("text", [b"", b"{", b'{"auths": }', b"\xff\xfe"])
def test_a_configuration_that_is_no_json_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.json").write_bytes(text)

    error = error_of(credentials.find, tmp_path / "config.json", "quay.io")

    assert error.problem.startswith(f"{tmp_path}/config.json: not valid JSON: ")
    assert error.hint == "mend it, or run `docker login` again"


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '"x"',
        "null",
        '{"auths": []}',
        '{"auths": {"quay.io": "x"}}',
        '{"credHelpers": ["x"]}',
        '{"credsStore": 7}',
    ],
)
def test_a_configuration_of_another_shape_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)

    error = error_of(credentials.find, tmp_path / "config.json", "quay.io")

    assert error.problem.startswith(f"{tmp_path}/config.json: ")
    assert error.hint == "mend it, or run `docker login` again"


@pytest.mark.parametrize(
    "settings",
    [{"credHelpers": {"quay.io": "fake"}}, {"credsStore": "fake"}, {"credHelpers": {}, "credsStore": "fake"}],
)
def test_a_helper_is_asked_over_standard_input(tmp_path: Path, helper: Helper, settings: dict[str, Any]) -> None:
    log = helper("fake", '{"ServerURL": "quay.io", "Username": "anna", "Secret": "s3cret"}')

    assert find(tmp_path, "quay.io", **settings) == ANNA
    assert log.read_text() == "get quay.io\n"


def test_the_helper_of_a_host_comes_before_the_store(tmp_path: Path, helper: Helper) -> None:
    helper("own", '{"Username": "anna", "Secret": "s3cret"}')
    store = helper("store", '{"Username": "other", "Secret": "x"}')

    found = find(tmp_path, "quay.io", credHelpers={"quay.io": "own", "example.com": "store"}, credsStore="store")

    assert found == ANNA
    assert not store.exists()


def test_a_helper_comes_before_what_is_stored(tmp_path: Path, helper: Helper) -> None:
    helper("fake", '{"Username": "anna", "Secret": "s3cret"}')

    assert find(tmp_path, "quay.io", credsStore="fake", auths={"quay.io": login("old")}) == ANNA


def test_docker_hub_has_a_key_of_its_own(tmp_path: Path, helper: Helper) -> None:
    log = helper("fake", '{"Username": "anna", "Secret": "s3cret"}')

    assert find(tmp_path, "docker.io", credsStore="fake") == ANNA
    assert log.read_text() == f"get {HUB}\n"


def test_a_helper_that_knows_nothing_leaves_it_to_what_is_stored(tmp_path: Path, helper: Helper) -> None:
    log = helper("fake", "credentials not found in native keychain", code=1)

    assert find(tmp_path, "quay.io", credsStore="fake", auths={"quay.io": login()}) == ANNA
    assert find(tmp_path, "example.com", credsStore="fake") is None
    assert log.read_text().splitlines() == ["get quay.io", "get example.com", "get https://example.com"]


def test_a_missing_helper_is_named(tmp_path: Path, helper: Helper) -> None:
    error = error_of(find, tmp_path, "quay.io", credsStore="nowhere")

    assert error.problem.startswith("docker-credential-nowhere: ")
    assert "No such file" in error.problem
    assert error.hint == "install it, or remove it from Docker's configuration"


@pytest.mark.parametrize("answer", ["", "no json", "[]", '{"Username": 7, "Secret": "x"}'])
def test_a_helper_that_answers_nonsense_is_named(tmp_path: Path, helper: Helper, answer: str) -> None:
    helper("fake", answer)

    error = error_of(find, tmp_path, "quay.io", credsStore="fake")

    assert error.problem == "docker-credential-fake: its answer is not what a credential helper says"
    assert error.hint == "ask it by hand: echo quay.io | docker-credential-fake get"


def test_a_password_does_not_show(tmp_path: Path) -> None:
    assert "s3cret" not in repr(find(tmp_path, "quay.io", auths={"quay.io": login()}))
