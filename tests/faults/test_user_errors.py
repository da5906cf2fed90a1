"""What a user does wrong, or cannot help: one or two clear lines, a status that is not zero, never a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project, Result, clean_environment, tool


def check(result: Result, *words: str) -> None:
    assert result.code != 0, result.text
    assert "Traceback" not in result.text
    for word in words:
        assert word in result.text, result.text
    lines = [line for line in result.text.splitlines() if "tasks run" not in line and " s" not in line[-2:]]
    assert len(lines) <= 4, result.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["k8s=1.22"], ["'1.22' is not a released version", "v1.22.15"]),
        (["k8s=v1.24.0-rc.1"], ["'v1.24.0-rc.1' is not a released version"]),
        (["k8s=latest"], ["'latest' is not a released version"]),
        (["k8s=v1.12.3"], ["k8s=v1.12.3", "before v1.13.0"]),
        (["k8s=v1.22.99"], ["k8s=v1.22.99", "not in data/kubeadm-images.toml", "if that release exists, add its row"]),
        (["cri=dokcer"], ["cri=dokcer: unknown container runtime", "did you mean docker?"]),
        (["cri=crio"], ["cri=crio: unknown container runtime"]),
        (["platform=linux/arm"], ["platform=linux/arm: unknown value", "did you mean linux/arm64?"]),
        (["cni=calcio"], ["cni=calcio: unknown value", "did you mean calico?"]),
        (
            ["cni=cilium", "mirror=embedded"],
            ["cni=cilium: Cilium has no row for v1.22.15, only for >=1.30", "cni=, or"],
        ),
        (["flavor=sealer2"], ["flavor=sealer2: unknown value", "did you mean sealer?"]),
        (["mirror=embeded"], ["mirror=embeded: unknown mirror", "did you mean embedded?"]),
        (["k8=v1.22.15"], ["k8=: unknown variable", "did you mean k8s?"]),
        (["platfrom=amd64"], ["platfrom=: unknown variable", "did you mean platform?"]),
        (["offline=maybe"], ["offline=maybe: unknown value", "yes or no"]),
        (["overlay=nowhere"], ["overlay=nowhere: no such directory"]),
        (["name=Upper/Case:x"], ["bad repository"]),
        (["name=a/b:c@sha256:" + "0" * 64], ["a digest cannot be chosen"]),
        (["name=a.io/b:tag", "k8s=v1.22.15,v1.22.17"], ["one tag for several versions"]),
    ],
)
def test_a_bad_variable_names_the_nearest_good_one(built: Project, words: list[str], says: list[str]) -> None:
    mirror = [] if any(word.startswith("mirror=") for word in words) else ["mirror=embedded"]

    check(built.doit("build", *mirror, *words), *says)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[defaults]", "[defaults", ["versions.toml: not valid TOML", "line"]),
        ('oldest = "v1.13.0"', 'oldest = "old"', ["versions.toml: defaults.oldest: 'old' is not a released version"]),
        ('part = "kubernetes"', "part = 7", ["versions.toml: component.kubeadm.part: must be a string"]),
        (
            'table = "kubeadm"',
            'tabel = "kubeadm"',
            ["component.kubeadm.tabel: is not a known key", "did you mean table?"],
        ),
        ('["<1.14", "1.13.0"]', '["~1.14", "1.13.0"]', ["component.crictl.versions[0]", "'~1.14' is not a range"]),
        ('mode = "0644"', 'mode = "4755"', ["component.libseccomp.mode: must be 0644 or 0755"]),
        ("[cni.calico]", "[cnis.calico]", ["versions.toml: cnis: is not a known key", "did you mean cni?"]),
        (
            'cni = ["none", "calico", "fl',
            'cni = ["none", "calcio", "fl',
            ["flavor.sealer.cni: has calcio", "mean calico?"],
        ),
    ],
)
def test_a_bad_versions_toml_is_named_by_its_key(project: Project, old: str, new: str, says: list[str]) -> None:
    project.edit("versions.toml", old, new)

    check(project.doit("build", "mirror=embedded"), *says)


def test_a_bad_line_of_the_image_list_is_named_by_its_number(project: Project) -> None:
    with (project.root / "context/imageList").open("a") as images:
        images.write("not an image\n")
    number = len((project.root / "context/imageList").read_text().splitlines())

    check(project.doit("build", "mirror=embedded"), f"context/imageList:{number}: image 'not an image'")


def test_an_undefined_variable_of_a_template_is_named_by_its_line(project: Project) -> None:
    with (project.root / "context/platform/Metadata.j2").open("a") as template:
        template.write("\n{{ nothing }}\n")

    result = project.doit("build", "mirror=embedded", "cni=none")

    assert result.code != 0 and "Traceback" not in result.text
    assert "context/platform/Metadata.j2:" in result.text and "'nothing' is undefined" in result.text


def test_two_owners_of_one_path_are_both_named(project: Project) -> None:
    (project.root / "context/rootfs/lib/gperf-3.1.tar.gz").write_text("mine")

    result = project.doit("build", "mirror=embedded", "cni=none")

    assert result.code != 0 and "Traceback" not in result.text
    assert "rootfs/lib/gperf-3.1.tar.gz: both context/rootfs/lib and gperf bring it" in result.text


def in_namespace(project: Project, setup: str, *words: str) -> Result:
    """Run doit where `setup`, a shell line, may mount what it likes; nothing of it is left afterwards."""
    unshare = (
        [tool("unshare"), "--mount"] if os.geteuid() == 0 else [tool("unshare"), "--user", "--map-root-user", "--mount"]
    )
    command = " ".join(project.command(*words))
    done = subprocess.run(
        [*unshare, "sh", "-c", f"{setup} && cd . && exec {command}"],
        cwd=project.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_read_only_directory_is_said_in_one_line(project: Project) -> None:
    result = in_namespace(
        project, "mount --bind . . && mount -o remount,bind,ro . && cd $PWD", "build", "mirror=embedded"
    )

    check(result, "read-only file system", "hint: build in a writable directory")


def test_a_full_disk_is_said_and_finished_downloads_stay(project: Project) -> None:
    project.doit("lock", "mirror=embedded")
    lock = (project.root / "_build/embedded/locks/v1.22.15.toml").read_bytes()
    shutil.rmtree(project.root / "_build")
    (project.root / "_build").mkdir()
    (project.root / "lock.toml").write_bytes(lock)
    keep = project.root / "kept"
    keep.mkdir()
    setup = (
        "mount -t tmpfs -o size=1200k tmpfs _build && mkdir -p _build/embedded/locks && "
        "cp lock.toml _build/embedded/locks/v1.22.15.toml && trap 'cp -r _build/. kept/' EXIT"
    )
    command = f"{setup}; {' '.join(project.command('build', 'mirror=embedded'))}; code=$?; exit $code"
    unshare = (
        [tool("unshare"), "--mount"] if os.geteuid() == 0 else [tool("unshare"), "--user", "--map-root-user", "--mount"]
    )
    done = subprocess.run(
        [*unshare, "sh", "-c", command],
        cwd=project.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr)

    assert result.code != 0, result.text
    assert "no space left on device" in result.text
    assert "Traceback" not in result.text
    from clusterimage.values.digest import of_file

    finished = list((keep / "embedded/cache-v1/sha256").iterdir())
    assert finished
    for path in finished:
        assert of_file(path).hex == path.name


def telling(project: Project, stdout: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run doit, which says what it does to that descriptor."""
    return subprocess.run(
        project.command(*words),
        cwd=project.root,
        env=clean_environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.fixture
def full() -> Iterator[int]:
    """A descriptor of a full disk."""
    with Path("/dev/full").open("w") as stream:
        yield stream.fileno()


@pytest.fixture
def unheard() -> Iterator[int]:
    """A descriptor of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(("stdout", "says"), [("full", "no space left on device"), ("unheard", "broken pipe")])
def test_a_run_that_cannot_tell_what_it_does_fails_and_loses_nothing(
    project: Project, request: pytest.FixtureRequest, stdout: str, says: str
) -> None:
    words = ("mirror=embedded", "cni=none", "platform=amd64")
    for _ in range(2):  # the second time it has nothing to do
        done = telling(project, request.getfixturevalue(stdout), "build", *words)

        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert project.build(*words[1:]).code == 0


@pytest.mark.parametrize("words", [("list", "--all"), ("info", "build")])
def test_looking_ends_without_a_word_when_nobody_reads_on(built: Project, unheard: int, words: tuple[str, ...]) -> None:
    done = telling(built, unheard, *words)

    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_what_a_run_tells_a_file_is_in_it(project: Project) -> None:
    result = project.doit("run", "-o", "told", "build", "mirror=embedded", "cni=none", "platform=amd64")

    assert result.code == 0, result.text
    assert "tasks run" in (project.root / "told").read_text().splitlines()[-1]


def test_a_damaged_database_is_put_aside(built_by: Callable[..., Project]) -> None:
    project = built_by("cni=none", "platform=amd64")
    good = project.digest()
    (project.root / "_build/embedded/state-v1.sqlite").write_bytes(b"not a database" * 100)

    result = project.build("cni=none", "platform=amd64")

    assert "damaged, put aside" in result.text
    assert project.digest() == good


@pytest.mark.parametrize("command", [(), ("run",), ("list",), ("info",), ("clean",), ("forget",), ("ignore",)])
@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("bulid", "'bulid' is no task of this selection\n  hint: did you mean build?"),
        ("package:v1.22.15-dokcer", "is no task of this selection\n  hint: did you mean package:v1.22.15-docker?"),
        (
            "pul-images:*arm64",
            "'pul-images:*arm64' matches no task of this selection\n  hint: did you mean pull-images:*arm64?",
        ),
        ("package:*-dokcer", "matches no task of this selection\n  hint: did you mean package:v1.22.15-docker"),
        ("package:*nothing*", "'package:*nothing*' matches no task of this selection\n  hint: see doit list --all"),
        ("*qqq", "'*qqq' matches no task of this selection\n  hint: see doit list --all"),
    ],
)
def test_a_word_that_means_no_task_is_an_error(built: Project, command: tuple[str, ...], word: str, says: str) -> None:
    before = sorted((built.root / "dist").rglob("*"))

    result = built.doit(*command, "mirror=embedded", word)

    assert (result.code, result.out) == (3, "")
    assert says in result.err and len(result.err.splitlines()) == 2
    assert sorted((built.root / "dist").rglob("*")) == before


def test_a_command_with_a_slip_of_the_pen_is_named(built: Project) -> None:
    assert "hint: did you mean forget?" in built.doit("froget").err


def test_python_and_doit_from_another_directory(built: Project, tmp_path: Path) -> None:
    done = subprocess.run(
        [*built.command("list", "mirror=embedded"), "-f", str(built.root / "dodo.py")],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
