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
        ("docker.io", "http://registry-1.docker.io/v2"),
        ("docker.io", "index.docker.io/"),
        ("quay.io", "https://quay.io/v1/"),
        ("quay.io", "HTTPS://Quay.IO/v2"),
        ("quay.io", "quay.io//"),
        ("quay.io", " quay.io "),
        ("[::1]:5000", "http://[::1]:5000/"),
        ("Harbor.example", "harbor.example"),
    ],
)
def test_a_stored_login_is_found_by_its_host(tmp_path: Path, host: str, key: str) -> None:
    assert find(tmp_path, host, auths={key: login(), "other.io": login("other")}) == ANNA


@pytest.mark.parametrize("host", ["io", "quay.io:443", "other.quay.io", "docker.io"])
def test_the_login_of_another_host_is_never_used(tmp_path: Path, host: str) -> None:
    assert find(tmp_path, host, auths={"quay.io": login(), "https://example.com": login()}) is None


def test_a_password_may_hold_colons_and_any_letter(tmp_path: Path) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": login("anna", "a:b:ü")}) == Credentials("anna", "a:b:ü")


# Namespaces as containers-auth.json(5) has them, and kubernetes pkg/credentialprovider/keyring.go in a URL.
NAMESPACES = {
    "quay.io": login("host"),
    "quay.io/team": login("team"),
    "https://quay.io/v2/team/deep/": login("deep"),
}


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("other/app", "host"),
        ("teams/app", "host"),
        ("team", "team"),
        ("team/app", "team"),
        ("team/deeper", "team"),
        ("team/deep/app", "deep"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_login_of_the_narrowest_namespace_counts(tmp_path: Path, repository: str, user: str, reverse: bool) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": dict(sorted(NAMESPACES.items(), reverse=reverse))}))

    found = credentials.find(tmp_path / "config.json", "quay.io", repository)

    assert found is not None and found.user == user


def test_the_login_of_one_namespace_is_not_used_for_another(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"quay.io/team": login()}}))

    assert credentials.find(tmp_path / "config.json", "quay.io", "other/app") is None


def test_of_two_spellings_docker_s_own_counts(tmp_path: Path) -> None:
    auths = {"https://quay.io/v1/": login("old"), "quay.io": login(), "quay.io/": login("slash")}

    assert find(tmp_path, "quay.io", auths=auths) == ANNA
    assert find(tmp_path, "docker.io", auths={"index.docker.io": login("old"), HUB: login()}) == ANNA


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ({"username": "anna", "password": "s3cret"}, ANNA),
        ({"username": "old", "password": "old", **login()}, ANNA),
        ({"auth": None, "username": "anna", "password": "s3cret", "identitytoken": None}, ANNA),
        ({"identitytoken": "refresh"}, Credentials("<token>", "refresh")),
        ({**login("0000", ""), "identitytoken": "refresh"}, Credentials("<token>", "refresh")),
        ({"registrytoken": "bearer"}, Credentials(token="bearer")),
    ],
)
def test_a_login_has_many_forms(tmp_path: Path, entry: dict[str, str], meant: Credentials) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": entry}) == meant


@pytest.mark.parametrize(
    "auth",
    [
        base64.b64encode(b"anna:s3cret").decode().rstrip("="),
        base64.b64encode(b"anna:s3cret\0\0\0").decode(),
        f"  {login()['auth'][:6]}\r\n{login()['auth'][6:]}\n",
    ],
    ids=["unpadded", "filled up", "folded"],
)
def test_base64_is_read_as_others_write_it(tmp_path: Path, auth: str) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": {"auth": auth}}) == ANNA


@pytest.mark.parametrize("settings", [{"auths": None}, {"auths": {"quay.io": None}}, {"credHelpers": None}])
def test_null_is_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert find(tmp_path, "quay.io", credsStore=None, **settings) is None


@pytest.mark.parametrize("entry", [{}, {"auth": ""}, {"username": ""}, {"auth": None, "email": "a@b"}])
def test_an_entry_without_a_password_is_no_login(tmp_path: Path, entry: dict[str, str]) -> None:
    assert find(tmp_path, "quay.io", auths={"quay.io": entry}) is None


@pytest.mark.parametrize("auth", ["not base64!", "YW5uYQ", "YW5uYQ==", 7, base64.b64encode(b"\xff:x").decode()])
def test_a_damaged_login_is_named_without_showing_it(tmp_path: Path, auth: str | int) -> None:
    error = error_of(find, tmp_path, "quay.io", auths={"quay.io": {"auth": auth}})

    assert error.problem == f"{tmp_path}/config.json: auths.quay.io.auth: not base64 of USER:PASSWORD"
    assert error.hint == "run `docker login` again"
    assert str(auth) not in error.problem.removeprefix(str(tmp_path))


@pytest.mark.parametrize("text", [b"", b" \n", b"\xef\xbb\xbf", b"{}"])
def test_an_empty_configuration_has_no_login(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.json").write_bytes(text)

    assert credentials.find(tmp_path / "config.json", "quay.io") is None


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"quay.io": login()}}), "utf-8-sig")

    assert credentials.find(tmp_path / "config.json", "quay.io") == ANNA


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    assert error_of(credentials.find, tmp_path, "quay.io").problem == f"{tmp_path}: is a directory"


@pytest.mark.parametrize("text", [b"{", b'{"auths": }', b"\xff\xfe", b"[" * 100_000])
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
        '{"credHelpers": {"quay.io": 7}}',
        '{"auths": {"quay.io": {"username": 7}}}',
        '{"auths": {"quay.io": {"registrytoken": ["x"]}}}',
        '{"auths": {"quay.io": {"registrytoken": "a\\nb"}}}',
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


@pytest.mark.parametrize("key", ["https://quay.io", "quay.io/", "https://QUAY.io/v2/"])
def test_the_helper_of_a_host_is_found_under_any_spelling(tmp_path: Path, helper: Helper, key: str) -> None:
    log = helper("fake", '{"Username": "anna", "Secret": "s3cret"}')

    assert find(tmp_path, "quay.io", credHelpers={key: "fake"}) == ANNA
    assert log.read_text() == "get quay.io\n"


def test_a_helper_may_give_an_identity_token(tmp_path: Path, helper: Helper) -> None:
    """The user is then <token> (docker/docker-credential-helpers, as docker/cli reads it)."""
    helper("fake", '{"Username": "<token>", "Secret": "refresh"}')

    assert find(tmp_path, "quay.io", credsStore="fake") == Credentials("<token>", "refresh")


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


def test_a_missing_helper_leaves_it_to_what_is_stored(tmp_path: Path, helper: Helper) -> None:
    assert find(tmp_path, "quay.io", credsStore="nowhere", auths={"quay.io": login()}) == ANNA


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
