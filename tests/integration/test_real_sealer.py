"""The real sealer loads, shows and builds on our images, and the same Kubefile makes the same image by both."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project, run, tool
from tests.integration.sealer import Sealer, sealer
from tests.unit.conftest import plant

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="sealer mounts images, as root"),
]
BASE = "docker.io/sealerio/kubernetes:v1.22.15"
CALICO = f"{BASE}-calico"
POD = "kind: Pod\n"


@dataclass(frozen=True)
class Case:
    """A Kubefile with its context, and `deviations`: what of ours differs on purpose, by its key."""

    kubefile: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    base: str = BASE
    head: str = ""
    deviations: tuple[str, ...] = ()


def archive(modes: dict[str, int]) -> bytes:
    """Return a tar of files and, with a slash at the end, directories of these modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, mode in modes.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.type, member.mode = (tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE), mode
            tar.addfile(member)
    return buffer.getvalue()


CHART = {
    "ch/Chart.yaml": "apiVersion: v2\nname: ch\nversion: 0.1.0\n",
    "ch/values.yaml": "a: 1\n",
    "ch/templates/a.yaml": POD,
}
IGNORED = {"secret": "s", "a.log": "1", "keep.log": "2", "x": "3", "d/secret": "4", "d/e/b.log": "5", "d/e/c.txt": "6"}
CASES = {
    "a file": Case("COPY a.txt etc/\n", {"a.txt": "1"}),
    "an editor of Windows": Case("COPY a.txt \\\r\n  etc/\r\n", {"a.txt": "1"}, head="\ufeff"),
    "another escape": Case("COPY a.txt `\n  etc/\nLABEL a=b\n", {"a.txt": "1"}, head="# escape=`\n"),
    "another name": Case("COPY a.txt etc/b.txt\n", {"a.txt": "1"}),
    "a tree": Case("COPY d etc/x\n", {"d/a": "1", "d/e/f/g": "2"}),
    "modes": Case("COPY d etc/x\n", dict.fromkeys(("d/a", "d/b", "d/c", "d/d", "d/e"), "1"),
                  {"d/a": 0o600, "d/b": 0o640, "d/c": 0o711, "d/d": 0o440, "d/e": 0o500}),
    "a umask": Case("COPY d etc/x\n", {"d/a": "1"}, {"d/a": 0o664}, deviations=("path etc/x/a",)),
    "set-id bits": Case("COPY d etc/x\n", {"d/a": "1"}, {"d/a": 0o4755}),
    "a folder of its owner": Case("COPY d etc/x\n", {"d/e/a": "1"}, {"d/e": 0o700}),
    # buildah 1.27 loses the sticky bit: what everybody may write to, anybody may then delete
    "folders": Case("COPY d etc/x\n", dict.fromkeys(("d/a/x", "d/b/x", "d/c/", "d/d/e/x"), "1"),
                    {"d/a": 0o750, "d/b": 0o1777, "d/c": 0o500, "d/d": 0o711, "d/d/e": 0o700},
                    deviations=("path etc/x/b",)),
    "the folder itself": Case("COPY d etc/x\nCOPY d/e etc/\n", {"d/e/a": "1"}, {"d": 0o700, "d/e": 0o750}),
    "a folder of a group": Case(
        "COPY d etc/x\n", {"d/e/a": "1"}, {"d/e": 0o2775}, deviations=("path etc/x/e",)
    ),
    "a folder over another": Case(
        "COPY a etc/x\nCOPY b etc/x\n", {"a/e/1": "1", "b/e/2": "2", "a/f/1": "1", "b/f/2": "2"},
        {"a/e": 0o700, "b/f": 0o750},
    ),
    "an archive": Case("ADD a.tar etc/x\n", {"a.tar": archive({"k": 0o600, "d/": 0o750, "d/s": 0o755, "t/": 0o1777})},
                       deviations=("path etc/x/t",)),
    "dockerignore": Case("COPY . whole\n", IGNORED | {".dockerignore": "secret\n*.log\n!keep.log\n**/b.log\n"}),
    "containerignore": Case("COPY . whole\n", IGNORED | {".dockerignore": "x\n", ".containerignore": "d/*\n!d/e\n"}),
    "ignore files of Windows": Case(
        "COPY . whole\n", IGNORED | {".dockerignore": "\ufeffsecret\r\n*.log\r\n!keep.log\r\n"}
    ),
    "a pattern that is not": Case("COPY [^b-y]* x/\n", dict.fromkeys(("a", "b", "m", "z", "A"), "1")),
    "an exclamation mark": Case("COPY [!b] x/\n", dict.fromkeys(("a", "b", "!"), "1")),
    "a pattern of folders": Case("COPY d/*/[^a] x/\n", dict.fromkeys(("d/1/a", "d/1/b", "d/2/c", "d/e"), "1")),
    "what is hidden": Case("COPY d/* x/\n", {"d/.a": "1", "d/b": "2"}),
    "a glob with a link": Case("COPY d/* x/\n", {"d/a": "1", "d/sub/c": "2"}, links={"d/l": "a"}),
    "a tree with links": Case(
        "COPY d x\n", {"d/a": "1", "d/e/f": "1"},
        links={"d/l": "a", "d/dir": "e", "d/no": "/none", "d/up": "../../../etc", "d/o": "o"},
    ),
    "a link": Case("COPY l x/\nCOPY m x/y\nCOPY n x/\n", {"d/a": "1"}, links={"l": "d/a", "m": "l", "n": "/d/a"}),
    "a link to a folder": Case("COPY l x/\n", {"d/a": "1", "d/e/b": "2"}, links={"l": "d", "d/m": "a"}),
    "a way through links": Case("COPY l/a x/\nCOPY */b y/\n", {"d/a": "1", "d/b": "2"}, links={"l": "./d", "d/m": "a"}),
    "a link over the top": Case("COPY l x/\n", {"d/a": "1"}, links={"d/l": "../../../d/a", "l": "d/l"}),
    "an application that is a link": Case(
        'APP x local://l\nAPPCMDS x ["ls"]\nLAUNCH ["x"]\n', {"d/a.sh": "1"}, links={"l": "d/a.sh"}
    ),
    # sealer drops the first of several sources
    "two files": Case(
        "COPY a b dir/\n", {"a": "1", "b": "2"}, deviations=("path b", "path dir", "path dir/a", "path dir/b")
    ),
    "a script": Case('APP x local://main.sh\nLAUNCH ["x"]\n', {"main.sh": "echo"}),
    "a script with a helper": Case(
        'APP x local://main.sh local://lib.sh\nLAUNCH ["x"]\n', {"main.sh": "1", "lib.sh": "2"}
    ),
    "two manifests": Case('APP x local://a.yaml local://b.yaml\nLAUNCH ["x"]\n', {"a.yaml": POD, "b.yaml": POD}),
    "a folder of manifests": Case('APP x local://dir\nLAUNCH ["x"]\n', {"dir/a.yaml": POD, "dir/b.yaml": POD}),
    "a folder of scripts": Case('APP x local://dir\nLAUNCH ["x"]\n', {"dir/a.sh": "1", "dir/b.sh": "2"}),
    "commands of an application": Case(
        'APP x local://a.txt\nAPPCMDS x ["cat a.txt","echo $V"]\nAPPENV x V=1 W=2\nLAUNCH ["x"]\n', {"a.txt": "1"}
    ),
    "a chart": Case('APP h local://ch\nLAUNCH ["h"]\n', CHART),
    "two applications": Case(
        'APP a local://a.sh\nAPP b local://b.yaml\nLAUNCH ["b", "a"]\n', {"a.sh": "1", "b.yaml": POD}
    ),
    "CMDS": Case('CMDS ["echo 1","echo 2"]\n'),
    "CMD": Case("CMD echo 1 && echo 2\n"),
    # sealer takes the brackets as a part of the command
    "CMD as a list": Case('CMD ["echo", "1"]\n', deviations=("launch",)),
    # sealer cuts at the space, and passes over the second form
    "labels and variables": Case('LABEL a=b c="d e"\nENV A=1 B="x y"\nENV C 3\n', deviations=("env",)),
    # sealer forgets what the base launches: Calico would not start
    "a file on Calico": Case("COPY a etc/\n", {"a": "1"}, base=CALICO, deviations=("launch",)),
    "LAUNCH on Calico": Case(
        'APP n local://n.yaml\nLAUNCH ["n"]\n', {"n.yaml": POD}, base=CALICO, deviations=("launch",)
    ),
    "CMDS on Calico": Case('CMDS ["echo 1"]\n', base=CALICO, deviations=("launch",)),
    "MAINTAINER": Case("MAINTAINER me\nCOPY a /etc/\n", {"a": "1"}),
}  # fmt: skip
REFUSED = {
    "a kind that cannot be told": Case('APP x local://a.txt\nLAUNCH ["x"]\n', {"a.txt": "1"}),
    "an instruction of Docker's": Case("WORKDIR /opt\n"),
    "an application that is none": Case('LAUNCH ["y"]\n'),
    "a file that is not there": Case("COPY nowhere etc/\n"),
    "a pattern that matches nothing": Case("COPY *.yml etc/\n", {"a.yaml": "1"}),
    "a pattern that is none": Case("COPY [a etc/\n", {"a": "1"}),
    "a link to nowhere": Case("COPY l etc/\n", links={"l": "none"}),
    "a link out of the context": Case("COPY l etc/\n", links={"l": "../../../../etc/hostname"}),
    "links in a circle": Case("COPY l etc/\n", links={"l": "m", "m": "l"}),
}


@pytest.fixture(scope="module")
def judge(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Sealer:
    """The real sealer with our two images of docker loaded."""
    found = sealer(tmp_path_factory.mktemp("sealer"))
    for name in (BASE, CALICO):
        tag = name.rpartition(":")[2]
        layout = built.root / "dist/embedded" / tag.replace("v1.22.15", "v1.22.15-docker")
        found.load(layout, f"{tag}-amd64", name)
    return found


@pytest.fixture(scope="module")
def workshop(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the built project, to package in."""
    root = tmp_path_factory.mktemp("workshop") / "project"
    shutil.copytree(built.root, root, symlinks=True)
    return Project(root)


def plant_case(case: Case, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    plant(root, {**case.files, "Kubefile": f"{case.head}FROM {case.base}\n{case.kubefile}"})
    for path, mode in case.modes.items():
        (root / path).chmod(mode)
    for path, target in case.links.items():
        (root / path).symlink_to(target)


def by_sealer(judge: Sealer, case: Case, work: Path) -> dict[str, Any]:
    plant_case(case, work / "context")
    name = "docker.io/me/app:real"
    judge.good("build", "-f", "Kubefile", "-t", name, "--pull", "never", ".", cwd=work / "context")
    found = look(judge.layout(name, work / "real"), "x", work / "real-root")
    judge.good("rmi", "-f", name)
    return found


def by_us(workshop: Project, case: Case, work: Path) -> dict[str, Any]:
    plant_case(case, workshop.root / "app")
    result = workshop.doit("package", "mirror=embedded", "kubefile=app/Kubefile", "name=me/app:v1", "platform=amd64")
    assert result.code == 0, result.text
    return look(workshop.root / "dist/embedded/me+app+v1", "v1-amd64", work / "our-root")


def look(layout: Path, tag: str, work: Path) -> dict[str, Any]:
    """Return what of an image counts, by key: of the extension, labels, variables, and a line for every path."""
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{tag}", work)
    index = json.loads((layout / "index.json").read_text())["manifests"]
    entry = next(one for one in index if one["annotations"]["org.opencontainers.image.ref.name"] == tag)
    manifest = blob(layout, entry["digest"])
    config = blob(layout, manifest["config"]["digest"])["config"]
    extension = json.loads(manifest["annotations"]["sealer.image.extension"])
    applications = {one["name"]: application(one) for one in extension.get("applications") or []}
    labels = {key: value for key, value in (config.get("Labels") or {}).items() if not key.startswith("io.")}
    variables = sorted(one for one in config.get("Env") or [] if not one.startswith("PATH="))
    found = {"type": extension["type"], "launch": extension.get("launch"), "env": extension.get("env")}
    found |= {"applications": applications, "labels": labels, "variables": variables}
    return found | {f"path {path}": state for path, state in paths(work / "rootfs")}


def application(one: dict[str, Any]) -> dict[str, Any]:
    """Return an application without what is empty; that sealer puts a slash before files of a folder means nothing."""
    files = [name.lstrip("/") for name in one.get("files") or []]
    return {key: value for key, value in (one | {"files": files}).items() if value}


def paths(root: Path) -> list[tuple[str, str]]:
    found = []
    for path in sorted(root.rglob("*")):
        what = "folder"
        if path.is_symlink():
            what = f"-> {path.readlink()}"
        elif path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append((str(path.relative_to(root)), f"{path.lstat().st_mode:o} {what}"))
    return found


def blob(layout: Path, digest: str) -> Any:
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_kubefile_makes_the_same_image_by_both(judge: Sealer, workshop: Project, tmp_path: Path, name: str) -> None:
    theirs, ours = by_sealer(judge, CASES[name], tmp_path), by_us(workshop, CASES[name], tmp_path)

    differing = {key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
    assert len(theirs) > 100
    assert differing == {*CASES[name].deviations}, {key: (theirs.get(key), ours.get(key)) for key in sorted(differing)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_sealer_refuses_we_refuse(judge: Sealer, workshop: Project, tmp_path: Path, name: str) -> None:
    plant_case(REFUSED[name], tmp_path)
    done = judge("build", "-f", "Kubefile", "-t", "docker.io/me/app:real", "--pull", "never", ".", cwd=tmp_path)
    plant_case(REFUSED[name], workshop.root / "app")
    result = workshop.doit("package", "mirror=embedded", "kubefile=app/Kubefile", "name=me/app:v1", "platform=amd64")

    assert done.returncode != 0
    assert result.code != 0 and "Traceback" not in result.text


def test_sealer_shows_our_images_as_cluster_images(judge: Sealer) -> None:
    listed = judge.good("images")
    shown = json.loads(judge.good("inspect", CALICO))

    assert listed.count("docker.io/sealerio/kubernetes") == 2
    extension = shown["ImageExtension"] if "ImageExtension" in shown else shown["imageExtension"]
    assert extension["type"] == "kube-installer"
    assert [one["name"] for one in extension["applications"]] == ["calico"]
