"""The tags of kubeadm's images, out of the constants of its source: shapes of real releases, and what is none."""

from __future__ import annotations

import pytest

from clusterimage.catalog import kubeadm_tags
from clusterimage.catalog.kubeadm_tags import KubeadmTags
from clusterimage.values.version import Version
from tests.conftest import ROOT
from tests.unit.conftest import error_of

COREDNS = "coredns/{name}:{version}"
TABLE = ROOT / "data" / "kubeadm-images.toml"


def source(*lines: str) -> str:
    """Return Go with `lines` in its block of constants."""
    inner = "\n".join(f"\t{line}" for line in lines)
    return f"package constants\n\nconst (\n{inner}\n)\n"


DNS = ('CoreDNSImageName = "coredns"', 'CoreDNSVersion = "v1.8.4"')
PAUSE = 'PauseVersion = "3.5"'
DEFAULT = 'DefaultEtcdVersion = "3.5.0-0"'


def supported(**minors: str) -> str:
    entries = "\n".join(f'\t\t{minor.removeprefix("m")}: "{tag}",' for minor, tag in minors.items())
    return f"SupportedEtcdVersion = map[uint8]string{{\n{entries}\n\t}}"


# What kubeadm chooses: kubernetes@v1.22.15 has its own minor in the map, in @v1.37.2 the map ends before it
# (cmd/kubeadm/app/constants/constants.go and app/images/images.go GetEtcdImage).
SHAPES = {
    "the map has the minor": (supported(m21="3.4.13-0", m22="3.5.0-0", m23="3.5.0-0"), "3.5.0-0"),
    "the map has another tag for it than the default": (supported(m22="3.5.4-0"), "3.5.4-0"),
    "the map ends before it": (supported(m20="3.4.13-0", m21="3.4.13-0"), "3.5.0-0"),
    "there is no map": ("", "3.5.0-0"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tags_are_read_as_kubeadm_chooses_them(shape: str) -> None:
    table, etcd = SHAPES[shape]

    found = kubeadm_tags.parse(source(*DNS, PAUSE, DEFAULT, table), "constants.go", Version(1, 22, 15), COREDNS)

    assert found == KubeadmTags("coredns/coredns:v1.8.4", etcd, "3.5")


@pytest.mark.parametrize(
    "lines",
    [
        ('// PauseVersion = "3.1"', PAUSE),
        ('/* an older one:\nPauseVersion = "3.1"\n*/', PAUSE),
        ('MyPauseVersion = "3.1"', PAUSE),
        ('PauseVersion string = "3.5"',),
        ('PauseVersion    =    "3.5"   // for the sandbox',),
    ],
)
def test_comments_types_and_other_names_do_not_matter(lines: tuple[str, ...]) -> None:
    text = source(*DNS, DEFAULT, *lines)

    assert kubeadm_tags.parse(text, "constants.go", Version(1, 22, 15), COREDNS).pause == "3.5"


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ((*DNS, DEFAULT), 'pause = "?"'),
        ((*DNS, DEFAULT, "PauseVersion = versions.Pause"), 'pause = "?"'),
        ((*DNS, DEFAULT, 'PauseVersion = "3." + minor'), 'pause = "?"'),
        ((*DNS, DEFAULT, PAUSE, 'PauseVersion = "3.9"'), 'pause = "?"'),
        ((*DNS, DEFAULT, 'PauseVersion = "3.5@sha256:00"'), 'pause = "?"'),
        ((*DNS, DEFAULT, 'PauseVersion = "../../x"'), 'pause = "?"'),
        ((DNS[0], DEFAULT, PAUSE), 'coredns = "?"'),
        ((*DNS, PAUSE), 'etcd = "?"'),
        (("<html>404: Not Found</html>",), 'coredns = "?", etcd = "?", pause = "?"'),
    ],
)
def test_what_cannot_be_understood_shows_the_row_to_write(lines: tuple[str, ...], missing: str) -> None:
    error = error_of(kubeadm_tags.parse, source(*lines), "https://example/constants.go", Version(1, 37, 3), COREDNS)

    assert error.problem.startswith("https://example/constants.go: cannot be understood: ")
    assert '"1.37.3" = {' in error.hint and missing in error.hint


def test_the_row_that_is_shown_is_one_of_the_table() -> None:
    version = Version(1, 22, 15)
    tags = kubeadm_tags.find(TABLE, version)

    assert tags is not None
    assert kubeadm_tags.row(version, tags) in TABLE.read_text().splitlines()
