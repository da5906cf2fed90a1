"""What earlier versions wrote opens for ever; what a newer one wrote is refused by name and left as it is.

build-0.tar.xz is `_build/` and `dist/` of 1ce96b2, which had no numbers yet: the project of tests/keys, v1.22.15 with
docker and an image of a Kubefile. A change of a format adds a file here and takes none away.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from clusterimage.locks import application_lock, lock
from clusterimage.plan import formats
from clusterimage.values.errors import NewerFormatError
from tests.conftest import Project, new_project

HERE = Path(__file__).parent
WORDS = ("mirror=embedded", "platform=amd64")
MADE_OF_PINS = ("download", "pull-images", "extract", "merge-rootfs")
APPLICATION = ("kubefile=app", "name=me/app:v1")


@pytest.fixture
def former(tmp_path: Path) -> Project:
    """A project that 1ce96b2 built in, with the program of today."""
    project = new_project(tmp_path / "project")
    for place in ("versions.toml", "context", "data"):
        target = project.root / place
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.copytree(HERE.parent / "keys" / "project", project.root, dirs_exist_ok=True)
    with tarfile.open(HERE / "build-0.tar.xz") as archive:
        for member in archive:  # extractall(filter=…) is not in Python 3.11.2
            archive.extract(member, project.root)
    return project


def test_a_build_directory_without_numbers_is_taken_over_and_nothing_is_fetched(former: Project) -> None:
    blobs = {path.name for path in (former.root / "_build/embedded/cache/sha256").iterdir()}

    result = former.doit(*MADE_OF_PINS, *WORDS, "cni=none", "offline=yes", "locked=yes")

    assert result.code == 0, result.text
    build = former.root / "_build/embedded"
    assert {path.name for path in (build / "cache-v1/sha256").iterdir()} == blobs and len(blobs) > 20
    assert {path.name for path in build.iterdir() if path.suffix != ".sqlite"} - {".lock", "log", "locks"} == {
        formats.name(what) for what in formats.DIRECTORIES if what not in ("state", "discovered")
    } | {"noop-v1"}


def test_the_locks_of_that_time_are_read_and_stay_as_they_are(former: Project) -> None:
    locks = former.root / "_build/embedded/locks"
    version, application = locks / "v1.22.15.toml", locks / "apps/me+app+v1.toml"
    before = version.read_bytes(), application.read_bytes()

    pins, own = lock.load(version), application_lock.load_pins(application)

    assert pins is not None and (str(pins.kubernetes), len(pins.files), len(pins.images)) == ("v1.22.15", 10, 11)
    assert own is not None and own.compressor == pins.compressor
    built = former.doit("merge-rootfs", *WORDS, *APPLICATION, "offline=yes", "locked=yes")
    assert built.code == 0, built.text
    assert (version.read_bytes(), application.read_bytes()) == before


def test_what_is_written_now_has_a_number(former: Project) -> None:
    assert former.doit("lock", *WORDS).code == 0
    assert former.doit("package", *WORDS, *APPLICATION).code == 0
    locks = former.root / "_build/embedded/locks"

    assert "\nformat = 1\n" in (locks / "v1.22.15.toml").read_text()
    shutil.rmtree(locks / "apps")
    assert former.doit("package", *WORDS, *APPLICATION).code == 0
    assert "\nformat = 1\n" in (locks / "apps/me+app+v1.toml").read_text()


@pytest.mark.parametrize("words", [("build",), ("lock",), ("plan",), ("lock", *APPLICATION), ("package", *APPLICATION)])
def test_a_newer_lock_is_refused_by_name_and_stays(former: Project, words: tuple[str, ...]) -> None:
    locks = former.root / "_build/embedded/locks"
    path = locks / ("apps/me+app+v1.toml" if APPLICATION[0] in words else "v1.22.15.toml")
    path.write_text('format = 2\nnews = "nobody knows this key"\n')

    result = former.doit(*words, *WORDS)

    assert result.code != 0
    assert f"{path.relative_to(former.root)}: format 2 is newer than 1" in result.text
    assert path.name in result.text and "move the file away" in result.text and "Traceback" not in result.text
    assert path.read_text() == 'format = 2\nnews = "nobody knows this key"\n'


def test_another_version_in_the_same_build_directory_is_left_alone(former: Project) -> None:
    theirs = former.root / "_build/embedded/cache-v2/sha256/aa"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("of a newer version\n")

    assert former.doit("merge-rootfs", *WORDS, "cni=none").code == 0
    assert former.doit("prune", *WORDS).code == 0

    assert theirs.read_text() == "of a newer version\n"


@pytest.mark.parametrize("load", [lock.load, application_lock.load_pins])
def test_the_number_is_looked_at_before_any_other_key(tmp_path: Path, load: object) -> None:
    path = tmp_path / "lock.toml"
    path.write_text("format = 2\nkubernetes = 7\n")

    with pytest.raises(NewerFormatError, match="format 2 is newer than 1"):
        load(path)  # type: ignore[operator]
