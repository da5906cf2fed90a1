"""`auto-build`: the options of basefs' script, for the same graph as `doit build`.

    auto-build --k8s-version=v1.22.15 --cri containerd --buildName=registry.example.com/x/kubernetes:v1 --push
    = doit build k8s=v1.22.15 cri=containerd name=registry.example.com/x/kubernetes:v1 push=yes

A password never becomes an argument of another program: it goes on in the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_YES = {"true": "yes", "yes": "yes", "1": "yes", "false": "no", "no": "no", "0": "no"}
_EPILOG = """\
Words like mirror=embedded, cni=none or offline=yes are passed on to `doit build` (README: variables).
Give a password by CLUSTERIMAGE_PASSWORD, by standard input (--password -), or log in once with `docker login`:
what is on the command line can be read by every user of this machine.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `doit build` in place of this process, with what the options say."""
    given = _parser().parse_args(_normal(sys.argv[1:] if argv is None else argv))
    environment = dict(os.environ)
    if given.password and given.password != "-":
        sys.stderr.write("auto-build: warning: a password on the command line can be read by others\n")
        environment["CLUSTERIMAGE_PASSWORD"] = given.password
    os.execve(sys.executable, [sys.executable, "-m", "doit", "-f", str(_ROOT / "dodo.py"), *words(given)], environment)


def words(given: argparse.Namespace) -> list[str]:
    """Return the words for doit that `given` options mean, without any secret."""
    chosen = {
        "k8s": given.k8s_version,
        "cri": given.cri,
        "name": given.build_name,
        "platform": given.platform,
        "push": _YES[given.push] if given.push else "",
        "username": given.username,
        "password": "-" if given.password == "-" else "",
        "debug": "yes" if given.debug else "",
    }
    return ["build", *(f"{name}={value}" for name, value in chosen.items() if value), *given.variables]


def parse(argv: Sequence[str]) -> list[str]:
    """Return the words for doit that the command line `argv` means."""
    return words(_parser().parse_args(_normal(argv)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "auto-build",
        description="Build the cluster images of a Kubernetes version.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--k8s-version", required=True, metavar="V", help="the Kubernetes version, v1.13.0 or newer")
    add("-c", "--cri", metavar="CRI", help="docker or containerd; by default docker below v1.24")
    add("-n", "--buildName", "--build-name", dest="build_name", metavar="NAME", help="the full name of the image")
    add("--platform", metavar="P", help="linux/amd64, linux/arm64, or both with a comma (the default)")
    add(
        "--push",
        metavar="BOOL",
        choices=sorted(_YES),
        help="push the images when they are built; --push=false does not",
    )
    add("-u", "--username", metavar="USER", help="the user to push as")
    add("-p", "--password", metavar="PASSWORD", help="the password to push with; - reads it from standard input")
    add("-d", "--debug", action="store_true", help="show the whole log")
    add("variables", nargs="*", metavar="NAME=VALUE", help=argparse.SUPPRESS)
    return parser


def _normal(argv: Sequence[str]) -> list[str]:
    """Return `argv` with a value behind every --push: alone it means yes, and the next word may be no value of it."""
    normal = []
    for index, word in enumerate(argv):
        following = argv[index + 1] if index + 1 < len(argv) else ""
        normal.append(word)
        if word == "--push" and following.lower() not in _YES:
            normal.append("true")
    return normal
