"""Images of users' own Kubefiles: the examples of the documents, the two passes, and what runs again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project, Result
from tests.graph.test_incremental import ran
from tests.unit.conftest import plant

BASE = "docker.io/sealerio/kubernetes:v1.22.15"
POD = "kind: Pod\nspec: {containers: [{image: 'nginx:1.25'}], initContainers: [{image: quay.io/a/b:v1}]}\n"


@pytest.fixture(scope="session")
def based(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the images of v1.22.15 built for one platform."""
    from tests.conftest import new_project

    shared = new_project(tmp_path_factory.mktemp("based") / "project")
    shared.build("platform=amd64")
    return shared


@pytest.fixture
def user(based: Project, tmp_path: Path) -> Project:
    """The same, to do with it what a test likes."""
    shutil.copytree(based.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def package(project: Project, kubefile: str, *words: str, name: str = "me/app:v1", **files: str | bytes) -> Result:
    """Write a Kubefile with its context and build it."""
    plant(project.root / "app", {"Kubefile": kubefile, **files})
    return again(project, *words, name=name)


def again(project: Project, *words: str, name: str = "me/app:v1") -> Result:
    fixed = ("package", "mirror=embedded", "kubefile=app/Kubefile", f"name={name}")
    platform = () if any(word.startswith("platform=") for word in words) else ("platform=amd64",)
    return project.doit(*fixed, *platform, *words)


def good(result: Result) -> Result:
    assert result.code == 0, result.text
    return result


class Built:
    """A layout in dist/, read."""

    def __init__(self, project: Project, name: str = "me+app+v1", arch: str = "amd64") -> None:
        self.root = project.root / "dist" / "embedded" / name
        index = self.blob(json.loads((self.root / "index.json").read_text())["manifests"][0])
        entry = next(one for one in index["manifests"] if one["platform"]["architecture"] == arch)
        self.manifest = self.blob(entry)
        self.config = self.blob(self.manifest["config"])
        self.layers = [layer["digest"] for layer in self.manifest["layers"]]
        self.extension = json.loads(self.manifest["annotations"]["sealer.image.extension"])
        listed = json.loads(self.manifest["annotations"]["sealer.image.container.images"])
        self.images = [one["image"] for one in listed]

    def blob(self, entry: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.root / "blobs/sha256" / entry["digest"][7:]).read_text())
        return data

    def files(self, layer: int = -1) -> dict[str, bytes]:
        """Return the files of a layer."""
        import gzip
        import tarfile

        with (
            gzip.open(self.root / "blobs/sha256" / self.layers[layer][7:]) as stream,
            tarfile.open(fileobj=stream) as tar,
        ):
            return {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}  # type: ignore[union-attr]

    def tags(self) -> list[str]:
        """Return REPOSITORY:TAG of everything in the saved registry of all layers."""
        names = [name for number in range(len(self.layers)) for name in self.files(number)]
        root = "registry/docker/registry/v2/repositories/"
        links = [name.removeprefix(root) for name in names if name.startswith(root) and name.endswith("/current/link")]
        return sorted(":".join(link.removesuffix("/current/link").split("/_manifests/tags/")) for link in links)


# ---------------------------------------------------------------------------- the examples of the documents


def test_a_daemon_json_over_a_base_is_one_layer_over_the_same_layers(user: Project) -> None:
    good(package(user, f"FROM {BASE}-calico\nCOPY daemon.json etc/\n", **{"daemon.json": '{"mine": true}'}))

    base, built = Built(user, "v1.22.15-docker-calico"), Built(user)
    assert built.layers[:-1] == base.layers
    assert built.files() == {"etc/daemon.json": b'{"mine": true}'}
    assert built.config["config"]["Labels"] == base.config["config"]["Labels"]
    assert built.config["rootfs"]["diff_ids"][:-1] == base.config["rootfs"]["diff_ids"]
    assert built.extension == base.extension
    assert built.images == base.images
    verify = user.doit("verify", "mirror=embedded", "platform=amd64", "kubefile=app/Kubefile", "name=me/app:v1")
    assert verify.code == 0, verify.text


def test_a_name_without_host_and_path_finds_the_image_that_was_built_here(user: Project) -> None:
    result = package(user, "FROM kubernetes:v1.22.15\nCOPY kubeadm.yml etc\n", **{"kubeadm.yml": "kind: X\n"})

    good(result)
    assert list(Built(user).files()) == ["etc/kubeadm.yml"]


def test_a_rootfs_from_scratch_is_a_base_for_the_next(user: Project) -> None:
    rootfs = {"bin/kubeadm": "x", "etc/daemon.json": "{}", "Metadata": "{}", "manifests/imageList": "busybox\n"}
    good(package(user, "FROM scratch\nCOPY . .\n", name="user-defined-kubernetes:v1.19.8", **rootfs))
    built = Built(user, "user-defined-kubernetes+v1.19.8")
    assert set(built.files()) == {*rootfs, "Kubefile"}
    assert built.tags() == ["library/busybox:latest"]
    assert built.extension["type"] == "kube-installer"

    good(package(user, "FROM user-defined-kubernetes:v1.19.8\nCOPY daemon.json etc\n", **{"daemon.json": "{1}"}))

    assert Built(user).layers[:-1] == built.layers


def test_every_directory_of_the_guide_takes_what_the_guide_puts_there(user: Project) -> None:
    kubefile = (
        f"FROM {BASE}\nCOPY imageList manifests\nCOPY recommend.yaml manifests\nCOPY shell.yaml plugins\n"
        "COPY nginx charts\nCOPY registry_config.yaml etc/\n"
    )
    files = {
        "imageList": "busybox\n",
        "recommend.yaml": POD,
        "shell.yaml": "kind: Plugin\nspec: {type: SHELL, action: PostInstall}\n",
        "registry_config.yaml": "version: 0.1\n",
        "nginx/Chart.yaml": "name: nginx\nappVersion: 1.21.0\n",
        "nginx/values.yaml": "image: {repository: bitnami/nginx, tag: ''}\n",
        "nginx/templates/d.yaml": "image: {{ .Values.image.repository }}\n",
    }
    result = good(package(user, kubefile, **files))

    built = Built(user)
    base = Built(user, "v1.22.15-docker")
    new = sorted({*built.tags()} - {*base.tags()})
    assert new == ["a/b:v1", "bitnami/nginx:1.21.0", "library/busybox:latest", "library/nginx:1.25"]
    assert {"plugins/shell.yaml", "charts/Chart.yaml", "manifests/recommend.yaml"} <= set(built.files())
    assert built.layers[: len(base.layers)] == base.layers
    assert result.err.count("no helm is on PATH") == (0 if shutil.which("helm") else 1)


def test_the_kubefile_of_auto_build_gives_its_labels_and_launches_calico(user: Project) -> None:
    label = "cluster.alpha.sealer.io/"
    kubefile = (
        "FROM scratch\nCOPY rootfs .\nCOPY amd64 .\nCOPY imageList manifests\n"
        f'LABEL "{label}cluster-runtime-version"="v1.22.15"\nLABEL "{label}cluster-runtime-type"="kubernetes"\n'
        f'LABEL "{label}container-runtime-type"="docker"\nLABEL "{label}container-runtime-version"="19.03.14"\n'
        "COPY tigera-operator.yaml applications/tigera-operator.yaml\n"
        "COPY custom-resources.yaml applications/custom-resources.yaml\n"
        'CNI calico local://calico.sh\nLAUNCH ["calico"]\n'
    )
    files = {
        "rootfs/etc/x": "1",
        "amd64/bin/kubeadm": "k",
        "imageList": "k8s.gcr.io/pause:3.5\ncalico/node:v3.22.1\n",
        "tigera-operator.yaml": "a: 1\n",
        "custom-resources.yaml": "b: 1\n",
        "calico.sh": "#!/bin/sh\n",
    }
    good(package(user, kubefile, **files))

    built = Built(user)
    assert built.config["config"]["Labels"][f"{label}kube-cni-calico"] == "true"
    assert built.config["config"]["Labels"][f"{label}container-runtime-version"] == "19.03.14"
    assert built.extension["launch"] == {"app_names": ["calico"]}
    assert built.tags() == ["calico/node:v3.22.1", "pause:3.5"]
    assert built.files()["application/apps/calico/calico.sh"] == b"#!/bin/sh\n"


# ---------------------------------------------------------------------------- bases


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


# ---------------------------------------------------------------------------- images


def test_add_takes_an_archive_apart(project: Project) -> None:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("manifests/x.yaml")
        info.size = len(POD)
        tar.addfile(info, io.BytesIO(POD.encode()))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "manifests"
        tar.addfile(link)
    good(package(project, "FROM scratch\nADD all.tgz .\n", **{"all.tgz": buffer.getvalue()}))

    assert Built(project).tags() == ["a/b:v1", "library/nginx:1.25"]
    assert "manifests/x.yaml" in Built(project).files()


def test_ignored_images_are_not_saved_however_they_are_spelled(project: Project) -> None:
    files = {"x.yaml": POD, "ignored": "docker.io/library/nginx:1.25 # too large\n"}
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", "ignore=app/ignored", **files))

    assert Built(project).tags() == ["a/b:v1"]


def test_two_images_of_one_name_are_an_error_that_names_both(project: Project) -> None:
    result = package(project, "FROM scratch\nCOPY imageList manifests\n", imageList="a.io/x/y:1\nb.io/x/y:1\n")

    assert result.code != 0
    assert (
        "a.io/x/y:1 (manifests/imageList) and b.io/x/y:1 (manifests/imageList) would be saved under one" in result.text
    )


def test_an_image_that_cannot_be_fetched_names_itself(project: Project) -> None:
    name = f"quay.io/a/b@sha256:{'0' * 64}"
    result = package(project, "FROM scratch\nCOPY imageList manifests\n", imageList=f"{name}\n")

    assert result.code != 0
    assert f"manifests/imageList: {name}" in result.text
    assert not (project.root / "dist").exists()


def test_a_reference_by_digest_is_saved_by_tag_and_digest(project: Project) -> None:
    from clusterimage.upstream.images import base_layer, image

    bases = {arch: base_layer(arch, 1) for arch in ("amd64", "arm64", "s390x")}
    digest = image("quay.io/a/b", "quay.io/a/b:v1", bases, 1).index.blob.digest
    listed = f"quay.io/a/b:v1@{digest}\n"
    good(package(project, "FROM scratch\nCOPY imageList manifests\n", imageList=listed))

    built = Built(project)
    assert built.tags() == ["a/b:v1"]
    assert built.images == [listed.strip()]


def test_a_platform_gets_the_images_of_its_own_files(project: Project) -> None:
    files = {"amd64/x.yaml": "image: only/amd:1\n", "arm64/x.yaml": "image: only/arm:1\n"}
    good(package(project, "FROM scratch\nCOPY ${ARCH} manifests\n", "platform=amd64,arm64", **files))

    assert Built(project, arch="amd64").tags() == ["only/amd:1"]
    assert Built(project, arch="arm64").tags() == ["only/arm:1"]


# ---------------------------------------------------------------------------- the graph


def test_a_second_run_does_nothing(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))

    result = good(again(project))

    assert ran(result) == []
    assert "0 tasks run" in result.out


def test_a_new_image_is_added_to_the_lock_and_the_others_stay(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))
    before = Built(project).layers
    lock = project.root / "_build/embedded/locks/apps/me+app+v1.toml"
    pins = lock.read_text()
    (project.root / "app/x.yaml").write_text(POD + "---\nimage: new/one:1\n")

    result = good(again(project))

    assert "locked me+app+v1" in result.out
    assert [task for task in ran(result) if task.startswith("pull-images")] == ["pull-images:docker.io/new/one-1-amd64"]
    assert "new/one:1" in Built(project).tags()
    assert set(pins.splitlines()) < set(lock.read_text().splitlines())
    assert Built(project).layers != before


def test_the_digest_does_not_depend_on_what_was_built_before(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": "image: other:1\n"}))
    (project.root / "app/x.yaml").write_text(POD)
    good(again(project))
    incremental = (project.root / "dist/embedded/me+app+v1/index.json").read_text()
    shutil.rmtree(project.root / "_build")
    shutil.rmtree(project.root / "dist")

    good(again(project))

    assert (project.root / "dist/embedded/me+app+v1/index.json").read_text() == incremental


def test_a_touched_file_and_an_unused_one_change_nothing(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD, "unused": "1"}))
    (project.root / "app/unused").write_text("2")
    assert ran(good(again(project))) == []
    (project.root / "app/x.yaml").touch()

    assert ran(good(again(project))) == ["lock:me+app+v1"]


def test_locked_refuses_a_missing_pin_and_offline_needs_none(project: Project) -> None:
    good(package(project, "FROM scratch\nCOPY x.yaml manifests\n", **{"x.yaml": POD}))
    good(again(project, "locked=yes", "offline=yes"))
    (project.root / "app/x.yaml").write_text("image: new/one:1\n")

    refused = again(project, "locked=yes")

    assert refused.code != 0
    assert "has no pin for docker.io/new/one:1, and locked=yes" in refused.text


def test_the_lock_can_be_made_by_itself(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY x.yaml manifests\n", "x.yaml": POD})
    result = project.doit("lock", "mirror=embedded", "kubefile=app", "name=me/app:v1")

    good(result)
    assert "nginx:1.25" in (project.root / "_build/embedded/locks/apps/me+app+v1.toml").read_text()
    assert not (project.root / "dist").exists()


def test_looking_writes_nothing(project: Project) -> None:
    plant(project.root / "app", {"Kubefile": "FROM scratch\nCOPY x.yaml manifests\n", "x.yaml": POD})
    before = sorted(project.root.rglob("*"))

    result = project.doit(
        *("list", "--all", "--status", "kubefile=app/Kubefile", "name=x:1"), PYTHONDONTWRITEBYTECODE="1"
    )

    assert result.code == 0, result.text
    assert sorted(project.root.rglob("*")) == before


def test_args_give_args_their_values(project: Project) -> None:
    files = {"x.yaml": POD, "y.yaml": "image: y:1\n"}
    kubefile = "ARG WHAT=x\nFROM scratch\nARG WHAT=x\nARG OPTION=\nCOPY $WHAT.yaml manifests\nLABEL option=$OPTION\n"
    good(package(project, kubefile, "args=WHAT=y,OPTION=a=b,c", **files))

    assert Built(project).tags() == ["library/y:1"]
    assert Built(project).config["config"]["Labels"]["option"] == "a=b,c"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("kubefile=app/Kubefile",), "the image has no name"),
        (("kubefile=app/none", "name=x:1"), "kubefile=app/none: no such file"),
        (("kubefile=app/Kubefile", "name=x:1", "context=none"), "context=none: no such directory"),
        (("kubefile=app/Kubefile", "name=x:1", "ignore=none"), "ignore=none: no such file"),
        (("kubefile=app/Kubefile", "name=x:1", "args=x"), "'x' is not NAME=VALUE"),
        (("kubefile=app/Kubefile", "name=x:1", "args=A=b"), "has no ARG A"),
        (("kubefile=app/Kubefile", "name=x:1", "k8s=v1.22.15"), "k8s=: a Kubefile says itself"),
        (("kubefile=app/Bad", "name=x:1"), "app/Bad:2: RUN: nothing is executed at build time"),
        (("kubefile=app/Lacks", "name=x:1"), "app/Lacks:2: COPY: 'none' is not in the build context"),
        (("context=app",), "context=: only means something with kubefile="),
    ],
)
def test_what_is_wrong_is_one_clean_line(project: Project, words: tuple[str, ...], problem: str) -> None:
    bad = {"Kubefile": "FROM scratch\n", "Bad": "FROM scratch\nRUN x\n", "Lacks": "FROM scratch\nCOPY none .\n"}
    plant(project.root / "app", bad)

    result = project.doit("package", "mirror=embedded", *words)

    assert result.code != 0
    assert problem in result.text
    assert "Traceback" not in result.text
