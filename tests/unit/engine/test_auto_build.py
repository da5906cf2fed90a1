"""The options of auto-build: seed 004's examples, line by line, and what the script ignored."""

from __future__ import annotations

import pytest

from clusterimage.engine.auto_build import parse

REGISTRY = "registry.cn-qingdao.aliyuncs.com/sealer-io"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--k8s-version=v1.22.15", ["k8s=v1.22.15"]),
        ("--k8s-version v1.22.15", ["k8s=v1.22.15"]),
        ("--k8s-version=v1.22.15 --platform=amd64", ["k8s=v1.22.15", "platform=amd64"]),
        (
            f"--k8s-version=v1.22.15 --buildName={REGISTRY}/kubernetes:v1.22.15",
            ["k8s=v1.22.15", f"name={REGISTRY}/kubernetes:v1.22.15"],
        ),
        (
            f"--k8s-version=v1.22.15 --buildName={REGISTRY}/myk8s:v1.22.8",
            ["k8s=v1.22.15", f"name={REGISTRY}/myk8s:v1.22.8"],
        ),
        (
            f"--k8s-version=v1.22.15 --buildName={REGISTRY}/kubernetes:v1.22.8 --push",
            ["k8s=v1.22.15", f"name={REGISTRY}/kubernetes:v1.22.8", "push=yes"],
        ),
        ("--k8s-version=v1.22.15 -c docker", ["k8s=v1.22.15", "cri=docker"]),
        ("--k8s-version=v1.22.15 --cri=containerd", ["k8s=v1.22.15", "cri=containerd"]),
        ("--k8s-version=v1.22.15 -n a.io/b:c", ["k8s=v1.22.15", "name=a.io/b:c"]),
        ("--k8s-version=v1.22.15 --push false", ["k8s=v1.22.15", "push=no"]),
        ("--k8s-version=v1.22.15 --push=false", ["k8s=v1.22.15", "push=no"]),
        ("--k8s-version=v1.22.15 --push mirror=embedded", ["k8s=v1.22.15", "push=yes", "mirror=embedded"]),
        ("--k8s-version=v1.22.15 -d mirror=embedded", ["k8s=v1.22.15", "debug=yes", "mirror=embedded"]),
        ("--push --k8s-version=v1.22.15 -u me", ["k8s=v1.22.15", "push=yes", "username=me"]),
    ],
)
def test_an_option_means_its_variable(line: str, words: list[str]) -> None:
    assert parse(line.split()) == ["build", *words]


def test_a_password_is_in_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"--k8s-version=v1.22.15 --buildName={REGISTRY}/kubernetes:v1.22.8 --push --username=specifyUser"

    words = parse([*line.split(), "--password=specifyPasswd"])

    assert "push=yes" in words and "username=specifyUser" in words
    assert not any("specifyPasswd" in word for word in words)
    assert parse([*line.split(), "-p", "-"])[-1] == "password=-"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "--k8s-version"),
        ("--k8s-version=v1.22.15 --nothing", "--nothing"),
        ("--k8s-version=v1.22.15 --push=maybe", "maybe"),
    ],
)
def test_what_it_does_not_know_is_refused(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(line.split())

    assert end.value.code != 0
    assert says in capsys.readouterr().err


def test_help_names_every_option_of_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["-h"])

    text = capsys.readouterr().out
    for option in ("--k8s-version", "-c", "--cri", "-n", "--buildName", "--platform", "--push", "-u", "--username"):
        assert option in text
    for option in ("-p", "--password", "-d", "--debug", "-h", "--help", "CLUSTERIMAGE_PASSWORD", "docker login"):
        assert option in text
