"""Many images at once, and one of their files edited: what is fetched, kept, made and read, counted."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterimage.catalog import requirement, spec
from clusterimage.context import imagelist
from clusterimage.upstream import Upstream, published
from clusterimage.values.version import Version
from tests.conftest import Project
from tests.counting import counted
from tests.faults.conftest import reach
from tests.graph.test_incremental import ran

VERSIONS = ("v1.20.2", "v1.22.15", "v1.24.17")
MATRIX = (f"k8s={','.join(VERSIONS)}", "cri=docker,containerd", "cni=none,calico", "mirror=fake")


@pytest.fixture
def upstream(project: Project) -> Iterator[Upstream]:
    """An upstream of all that the matrix needs, reached by the mirror profile `fake`; the locks are there."""
    versions = spec.load(project.root / "versions.toml")
    extra = imagelist.read(project.root / "context" / "imageList")
    needed = [requirement.require(versions, Version.parse(one), extra, project.root) for one in VERSIONS]
    with Upstream(*published(needed)) as running:
        reach(project, running)
        assert project.doit("lock", *MATRIX).code == 0
        shutil.rmtree(project.root / "_build")
        running.requests.clear()
        yield running


def test_every_byte_of_a_matrix_is_fetched_once_and_lies_there_once(project: Project, upstream: Upstream) -> None:
    result = project.doit("build", *MATRIX)

    assert result.code == 0, result.text
    assert len(list((project.root / "dist/fake").iterdir())) == 12
    entries = upstream.requests.entries
    asked = Counter(entry.path[max(entry.path.rfind("sha256:"), 0) :] for entry in entries)
    assert [what for what, times in asked.items() if times > 1] == []
    store = project.root / "_build/fake/cache-v1/sha256"
    assert sum(entry.sent for entry in entries) == sum(path.stat().st_size for path in store.iterdir())
    assert inodes(project.root) <= 1.15 * contents(project.root)


def test_the_same_matrix_again_asks_for_nothing_and_reads_nothing(project: Project, upstream: Upstream) -> None:
    assert project.doit("build", *MATRIX).code == 0
    upstream.requests.clear()

    again = counted(project, "-n", "2", "build", *MATRIX)

    assert "\n0 tasks run, " in again.out
    assert upstream.requests.count() == 0 and again.connected == []
    assert [path for path in again.read if "/cache-v1/" in path or path.endswith((".tar.gz", "/data"))] == []


def outputs(root: Path) -> list[Path]:
    """Return every file that a build made, but what it says of itself."""
    found = [path for place in ("_build", "dist") for path in (root / place).rglob("*") if path.is_file()]
    return [path for path in found if not path.is_symlink() and not {"log", "noop-v1"} & set(path.parts)]


def inodes(root: Path) -> int:
    """Return the bytes on disk, names of one file counted once."""
    return sum({path.stat().st_ino: path.stat().st_size for path in outputs(root)}.values())


def contents(root: Path) -> int:
    """Return the bytes of all contents, equal ones counted once."""
    return sum({hashlib.sha256(path.read_bytes()).digest(): path.stat().st_size for path in outputs(root)}.values())


def test_an_edited_file_makes_one_layer_of_every_image_that_holds_it(built_by: Callable[..., Project]) -> None:
    words = ("mirror=embedded", "cri=docker,containerd")
    project = built_by(*words[1:])
    before = made(project)
    script = project.root / "context/docker/scripts/docker.sh"
    script.write_text(script.read_text() + "# edited\n")

    again = counted(project, "build", *words)

    # Two images hold it, each for two platforms.
    images = ("v1.22.15-docker", "v1.22.15-docker-calico")
    assert ran_of(again.out) == sorted(f"{step}:{image}" for step in ("merge-rootfs", "package") for image in images)
    new = made(project) - before
    assert sum(path.endswith(".tar.gz") for path in new) == 4
    assert sum((project.root / path).stat().st_size for path in new) < 200_000
    assert again.connected == []
    # No blob is read, and no layer but for being linked.
    assert [path for path in again.read if "/cache-v1/" in path or "/registry/docker/" in path] == []
    incremental = project.digest()
    shutil.rmtree(project.root / "_build")
    shutil.rmtree(project.root / "dist")
    project.build(*words[1:])
    assert project.digest() == incremental


def test_an_edited_text_of_an_application_leaves_its_large_files_alone(project: Project) -> None:
    words = ("package", "mirror=embedded", "platform=amd64", "kubefile=app/Kubefile", "name=me/app:v1")
    (project.root / "app/bin").mkdir(parents=True)
    (project.root / "app/Kubefile").write_text("FROM scratch\nCOPY . .\n")
    (project.root / "app/bin/program").write_bytes(bytes(3 << 20))
    (project.root / "app/values.yaml").write_text("a: 1\n")
    assert project.doit(*words).code == 0
    before = made(project)
    (project.root / "app/values.yaml").write_text("a: 2\n")

    assert project.doit(*words).code == 0

    assert len([path for path in before if path.endswith(".tar.gz")]) == 2
    assert len([path for path in made(project) - before if path.endswith(".tar.gz")]) == 1


def made(project: Project) -> set[str]:
    """Return the cached layers."""
    layers = project.root / "_build/embedded/layers-v1"
    return {path.relative_to(project.root).as_posix() for path in layers.iterdir()}


def ran_of(out: str) -> list[str]:
    from tests.conftest import Result

    return ran(Result(0, out, ""))
