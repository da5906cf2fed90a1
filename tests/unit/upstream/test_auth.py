"""The embedded upstream lets in who has the password, by the two schemes that registries use."""

import base64
from typing import Any

import pytest
import requests

from clusterimage.upstream import Auth, Upstream, UpstreamFile

FILE = UpstreamFile("https://files.example/kubeadm", "kubeadm v1 linux/amd64", "amd64", ())
IMAGES = ("k8s.gcr.io/pause:3.5", "k8s.gcr.io/etcd:3.5.0-0")
PAUSE = "/v2/k8s.gcr.io/pause/manifests/3.5"
PULL = "repository:k8s.gcr.io/pause:pull"
RIGHT, WRONG = ("anna", "s3cret"), ("anna", "guess")


def serve(kind: Any = "basic", user: str = "anna") -> Upstream:
    return Upstream([FILE], IMAGES, auth=Auth(user, "s3cret", kind))


def ask(upstream: Upstream, path: str, **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{upstream.url}{path}", timeout=10, **options)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def buy(upstream: Upstream, *scopes: str) -> str:
    answer = ask(upstream, "/token", params={"service": upstream.registry, "scope": scopes}, auth=RIGHT)
    assert answer.json()["token"] == answer.json()["access_token"]
    return str(answer.json()["token"])


@pytest.mark.parametrize("path", ["/v2/", PAUSE, "/files.example/kubeadm"])
def test_basic_guards_the_registry_and_the_files(path: str) -> None:
    with serve() as upstream:
        refused = ask(upstream, path)

        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert [ask(upstream, path, auth=who).status_code for who in (WRONG, RIGHT)] == [401, 200]


def test_bearer_guards_the_registry_and_not_the_files() -> None:
    with serve("bearer") as upstream:
        assert ask(upstream, "/files.example/kubeadm").status_code == 200
        assert ask(upstream, PAUSE, auth=RIGHT).status_code == 401


def test_a_bearer_challenge_says_where_to_get_a_token_for_what() -> None:
    with serve("bearer") as upstream:
        realm = f'Bearer realm="{upstream.url}/token",service="{upstream.registry}"'

        assert ask(upstream, "/v2/").headers["WWW-Authenticate"] == realm
        assert ask(upstream, PAUSE).headers["WWW-Authenticate"] == f'{realm},scope="{PULL}"'
        assert ask(upstream, PAUSE).json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_token_opens_the_repositories_of_its_scopes_only() -> None:
    with serve("bearer") as upstream:
        both = buy(upstream, "repository:k8s.gcr.io/pause:pull,push", "repository:k8s.gcr.io/etcd:pull")
        none, other = buy(upstream), buy(upstream, "repository:k8s.gcr.io/etcd:pull")

        assert [ask(upstream, PAUSE, headers=bearer(each)).status_code for each in (both, other, none)] == [
            200,
            401,
            401,
        ]
        assert ask(upstream, "/v2/", headers=bearer(none)).status_code == 200


def test_a_forged_token_opens_nothing() -> None:
    forged = base64.urlsafe_b64encode(PULL.encode()).decode()

    with serve("bearer") as upstream:
        for token in (forged, f"{forged}.{'0' * 64}", "", "."):
            assert ask(upstream, PAUSE, headers=bearer(token)).status_code == 401


def test_a_token_costs_the_password() -> None:
    with serve("bearer") as upstream:
        refused = [ask(upstream, "/token", params={"scope": PULL}, auth=who) for who in (None, WRONG)]

        assert [each.status_code for each in refused] == [401, 401]
        assert {each.headers["WWW-Authenticate"].split()[0] for each in refused} == {"Basic"}


def test_without_a_user_anybody_gets_a_token() -> None:
    with serve("bearer", user="") as upstream:
        token = ask(upstream, "/token", params={"scope": PULL}).json()["token"]

        assert ask(upstream, PAUSE).status_code == 401
        assert ask(upstream, PAUSE, headers=bearer(token)).status_code == 200


def test_there_are_no_tokens_where_passwords_are_taken() -> None:
    with serve() as upstream:
        assert ask(upstream, "/token", auth=RIGHT).status_code == 404


def test_a_401_by_fault_has_the_true_challenge() -> None:
    with serve("bearer") as upstream:
        upstream.faults.add("/manifests/", "status", code=401)
        headers = bearer(buy(upstream, PULL))

        expired = ask(upstream, PAUSE, headers=headers)

        assert (expired.status_code, expired.headers["WWW-Authenticate"].split()[0]) == (401, "Bearer")
        assert ask(upstream, PAUSE, headers=headers).status_code == 200


def test_a_redirect_leads_where_no_credentials_are_needed() -> None:
    with serve() as upstream:
        upstream.faults.add("/manifests/", "redirect")

        location = ask(upstream, PAUSE, allow_redirects=False).headers["Location"]

        assert ask(upstream, location.removeprefix(upstream.url)).status_code == 200


def test_the_password_is_not_printed() -> None:
    assert "s3cret" not in repr(Auth("anna", "s3cret"))
