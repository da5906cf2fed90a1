"""What an image of a user's own is built on: another one built here, a layout, a registry's image."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.graph.user_image import BASE, POD, Built, good, package


def test_a_layout_and_a_registry_image_can_be_built_on(user: Project) -> None:
    layout = "oci:dist/embedded/v1.22.15-docker"
    good(package(user, f"FROM {layout}\nCOPY x etc/\n", x="1"))
    assert Built(user).layers[:-1] == Built(user, "v1.22.15-docker").layers
    good(package(user, f"FROM {layout}:v1.22.15-amd64\nCOPY x etc/\n", x="1"))
    assert Built(user).layers[:-1] == Built(user, "v1.22.15-docker").layers

    good(package(user, "FROM quay.io/some/base:v1\nCOPY x etc/\n", "platform=amd64,arm64", x="1"))

    lock = (user.root / "_build/embedded/locks/apps/me+app+v1.toml").read_text()
    assert '[[base]]\nreference = "quay.io/some/base:v1"' in lock
    for arch in ("amd64", "arm64"):
        assert len(Built(user, arch=arch).layers) == 3


def test_images_of_the_base_are_not_saved_again(user: Project) -> None:
    good(package(user, f"FROM {BASE}\nCOPY imageList manifests\n", imageList="k8s.gcr.io/pause:3.5\nbusybox:1\n"))

    assert (user.root / "_build/embedded/registry-v1/me+app+v1-amd64").exists()
    assert {name for name in Built(user).files(-2) if name.endswith("current/link")} == {
        "registry/docker/registry/v2/repositories/library/busybox/_manifests/tags/1/current/link"
    }


def test_a_name_of_the_base_cannot_be_taken_from_another_host(user: Project) -> None:
    result = package(user, f"FROM {BASE}\nCOPY imageList manifests\n", imageList="quay.io/pause:3.5\n")

    assert result.code != 0
    assert "quay.io/pause:3.5 (manifests/imageList) and k8s.gcr.io/pause:3.5 (the base image)" in result.text


def test_an_application_of_the_base_is_launched_with_a_new_one(user: Project) -> None:
    kubefile = f'FROM {BASE}-calico\nAPP dash local://dash.yaml\nAPPENV dash A=b\nLAUNCH ["dash"]\n'
    good(package(user, kubefile, **{"dash.yaml": POD}))

    extension = Built(user).extension
    assert [one["name"] for one in extension["applications"]] == ["calico", "dash"]
    assert extension["launch"]["app_names"] == ["calico", "dash"]
    assert "a/b:v1" in Built(user).tags()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("oci:nowhere", "nowhere is no OCI layout"),
        ("oci:dist/embedded/v1.22.15-docker:v9", "0 images are meant"),
        ("UPPER", "bad repository"),
    ],
)
def test_a_base_that_is_not_there_is_named(user: Project, name: str, problem: str) -> None:
    result = package(user, f"FROM {name}\n")

    assert result.code != 0
    assert problem in result.text
    assert "Traceback" not in result.text


def test_a_base_without_the_platform_is_named(user: Project) -> None:
    result = package(user, f"FROM {BASE}\nCOPY x etc/\n", "platform=arm64", x="1")

    assert f"FROM {BASE}: has no image for linux/arm64" in result.text
