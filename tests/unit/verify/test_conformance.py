"""Break one thing in an image that is whole, and exactly that is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from clusterimage.catalog.contract import FACTS, FOLDER, RULES, Fact, Rule
from clusterimage.verify import conformance
from clusterimage.verify.rootfs import Rootfs
from tests.conftest import Project
from tests.unit.verify.breaking import CALICO, SEALER, SEALOS, SHEBANG, Images, broken, edit, put


def test_an_image_as_it_is_built_has_no_findings(images: Images) -> None:
    assert len(images) == 6
    for root, expected in images.values():
        assert list(conformance.check(root, expected)) == []


def with_rule(images: Images, rule: Rule | Fact) -> list[str]:
    if isinstance(rule, Fact):
        return [name for name, (_, expected) in images.items() if expected.flavor == rule.flavor]
    return [name for name, (_, expected) in images.items() if rule.holds(expected)]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.kind != FOLDER], ids=lambda rule: rule.path)
def test_a_missing_path_is_found_with_who_reads_it(images: Images, rule: Rule) -> None:
    names = with_rule(images, rule)
    assert names
    for name in names:
        path = rule.path.format(cri=images[name][1].cri)

        def remove(root: Rootfs, path: str = path) -> None:
            for place in (path, f"{path}.tmpl"):
                root.files.pop(place, None)
            root.programs = {key: value for key, value in root.programs.items() if not key.startswith(path)}

        findings = broken(images, name, remove)
        assert f"{path}: is missing ({rule.reader})" in findings
        script = path.rpartition("/")[2]
        assert all(path in line or script in line for line in findings), findings


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.key)
def test_a_missing_label_or_variable_is_found(images: Images, fact: Fact) -> None:
    for name in with_rule(images, fact):
        findings = broken(images, name, lambda root: (root.env if fact.variable else root.labels).pop(fact.key))
        what = "variable" if fact.variable else "label"
        assert f"{what} {fact.key}: is missing ({fact.reader})" in findings
        assert all(fact.key in line or "/pause" in line or "names no pause" in line for line in findings), findings


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.value], ids=lambda fact: fact.key)
def test_a_wrong_label_or_variable_is_found(images: Images, fact: Fact) -> None:
    for name in with_rule(images, fact):
        found = broken(images, name, lambda root: (root.env if fact.variable else root.labels).update({fact.key: "x"}))
        assert any(line.startswith(("label", "variable")) and f"{fact.key}: is 'x', not '" in line for line in found)


def extension(**changes: object) -> Callable[[Rootfs], object]:
    def act(root: Rootfs) -> None:
        value = json.loads(root.annotations["sealer.image.extension"]) | changes
        root.annotations["sealer.image.extension"] = json.dumps(value)

    return act


def chmod(path: str) -> Callable[[Rootfs], object]:
    return lambda root: root.files.update({path: replace(root.files[path], mode=0o644)})


CASES = [
    (SEALER, put("scripts/own.sh", SHEBANG + "if true; then"), ["scripts/own.sh: bash: "]),
    (SEALER, put("scripts/own.sh", "true\n"), ["scripts/own.sh: does not begin with #!"]),
    (SEALER, put("scripts/own.sh", SHEBANG, 0o644), ["scripts/own.sh: is a script and not executable"]),
    (
        SEALER,
        put("scripts/own.sh", SHEBANG + 'cat "$ROOTFS/etc/nothing"\n'),
        ["scripts/own.sh: names etc/nothing, which"],
    ),
    (
        SEALER,
        put("scripts/own.sh", SHEBANG + 'bash "$SCRIPTS/no.sh"\n'),
        ["scripts/own.sh: names scripts/no.sh, which"],
    ),
    (SEALER, put("scripts/own.sh", SHEBANG + '# "$ROOTFS/etc/nothing"\n'), []),
    (SEALER, put("scripts/own.sh", SHEBANG + '[ -e "$ROOTFS/x" ] && cat "$ROOTFS/x"\n'), []),
    (SEALER, put("bin/kubectl", "<html>"), ["bin/kubectl: is no program"]),
    (SEALER, chmod("bin/kubelet"), ["bin/kubelet: is not executable"]),
    (
        SEALER,
        chmod("scripts/docker.sh"),
        ["scripts/docker.sh: is not executable", "scripts/docker.sh: is a script and not executable"],
    ),
    (
        SEALER,
        lambda root: root.programs.update({"cri/docker.tar.gz!docker/dockerd": "arm64"}),
        ["cri/docker.tar.gz!docker/dockerd: is arm64, not for linux/amd64"],
    ),
    (SEALER, lambda root: root.programs.update({"bin/seautil": "machine 3"}), ["bin/seautil: is machine 3, not for"]),
    (
        SEALER,
        edit("etc/cri-docker.service", "pause:3.7", "pause:3.5"),
        ["etc/cri-docker.service: names pause:3.5, the"],
    ),
    (CALICO, edit("etc/dump-config.toml", "pause:", "posture:"), ["etc/dump-config.toml: names no pause image"]),
    (SEALER, edit("etc/kubeadm.yml", "v1beta3", "v1beta2"), ["etc/kubeadm.yml: InitConfiguration is "] * 3),
    (
        SEALER,
        edit("etc/kubeadm.yml.tmpl", "v1.24.17", "v1.24.16"),
        ["etc/kubeadm.yml.tmpl: kubernetesVersion is v1.24.16"],
    ),
    (SEALER, put("etc/kubeadm.yml", "{", 0o644), ["etc/kubeadm.yml: kubeadm cannot read it: "]),
    (SEALER, put("etc/daemon.json", '{"a": 1,}', 0o644), ["etc/daemon.json: its program cannot read it: "]),
    (SEALER, put("etc/own.toml", "a = ", 0o644), ["etc/own.toml: its program cannot read it: "]),
    (SEALER, put("etc/own.yaml", "a: [", 0o644), ["etc/own.yaml: its program cannot read it: "]),
    (SEALER, put("manifests/imageList", "a/b:c\n"), ["manifests/imageList: a/b:c is not one of the images"]),
    (
        SEALER,
        lambda root: root.registry.tags.pop("pause:3.7"),
        ["registry.k8s.io/pause:3.7: is not in the saved registry"],
    ),
    (SEALER, lambda root: root.registry.damaged.append("x: damaged"), ["x: damaged"]),
    (SEALER, lambda root: root.annotations.clear(), ["annotation sealer.image.extension: is missing or no JSON"]),
    (SEALER, extension(type="app-installer"), ["annotation sealer.image.extension: its type is 'app-installer'"]),
    (SEALER, extension(launch={"app_names": ["x"]}), ["annotation sealer.image.extension: has no application x"]),
    (CALICO, extension(applications=[]), ["annotation sealer.image.extension: has no application calico"]),
    (
        SEALOS,
        lambda root: root.labels.update(init="bash no.sh"),
        ["label init: runs no.sh, which scripts/ does not hold"],
    ),
    (SEALOS, lambda root: root.labels.update(check="check.sh $no"), ["label check: uses $no, which is no variable"]),
    (
        SEALOS,
        lambda root: root.labels.update(image="a/lvscare:1"),
        ["label image: a/lvscare:1 is not one of the images"],
    ),
    (SEALOS, put("etc/own.tmpl", "{{ default 1 .no }}"), ["etc/own.tmpl: uses .no, which is no variable of the image"]),
]


@pytest.mark.parametrize(("name", "act", "expected"), CASES)
def test_what_is_broken_is_found_and_nothing_else(
    images: Images, name: str, act: Callable[[Rootfs], object], expected: list[str]
) -> None:
    findings = broken(images, name, act)

    assert len(findings) == len(expected), findings
    for line, start in zip(findings, expected, strict=True):
        assert line.startswith(start.partition(": InitConfiguration")[0]), findings


def test_a_tag_is_followed_to_every_blob_of_the_platform(images: Images) -> None:
    registry = images[SEALER][0].registry
    index = registry.document(registry.tags["pause:3.7"])
    assert index is not None
    child = next(entry["digest"] for entry in index["manifests"] if entry["platform"]["architecture"] == "amd64")
    document = registry.document(child)
    assert document is not None
    blob = document["layers"][-1]["digest"]

    def without(digest: str) -> list[str]:
        return broken(images, SEALER, lambda root: root.registry.blobs.pop(digest.removeprefix("sha256:")))

    assert without(blob) == [f"pause:3.7: blob {blob} is not in the saved registry"]
    assert without(child) == [f"pause:3.7: manifest {child} is not in the saved registry"]
    top = registry.tags["pause:3.7"]
    assert without(top) == [f"pause:3.7: manifest {top} is not in the saved registry"]


def test_sealos_is_given_manifests_and_no_indexes(images: Images) -> None:
    sealer, expected = images[SEALER]
    findings = list(conformance.check(sealer, replace(expected, single_platform=True)))

    assert {line.partition(": ")[2] for line in findings} == {"is an index, this flavor serves one platform's manifest"}
    for digest in images[SEALOS][0].registry.tags.values():
        document = images[SEALOS][0].registry.document(digest)
        assert document is not None and "layers" in document


def test_an_image_of_another_platform_is_found(images: Images) -> None:
    def turn(root: Rootfs) -> None:
        root.arch = "arm64"
        root.programs = dict.fromkeys(root.programs, "arm64")

    findings = broken(images, SEALOS, turn)

    assert findings and all(line.endswith("is an image for amd64, not for linux/arm64") for line in findings)
    findings = broken_arch(images, "arm64")
    assert findings and all(line.endswith("its index has no linux/arm64") for line in findings)


@pytest.mark.parametrize("order", [1, -1])
def test_an_index_that_names_no_platforms_is_followed_by_its_configs(images: Images, order: int) -> None:
    def turn(root: Rootfs) -> None:
        for digest in root.registry.tags.values():
            index = json.loads(root.registry.blobs[digest.removeprefix("sha256:")])
            plain = [{key: one[key] for key in one if key != "platform"} for one in index["manifests"]]
            root.registry.blobs[digest.removeprefix("sha256:")] = json.dumps({"manifests": plain[::order]}).encode()

    assert broken(images, SEALER, turn) == []


def broken_arch(images: Images, arch: str) -> list[str]:
    def turn(root: Rootfs) -> None:
        root.arch = arch
        root.programs = {}
        for tag, digest in root.registry.tags.items():
            index = json.loads(root.registry.blobs[digest.removeprefix("sha256:")])
            index["manifests"] = [one for one in index["manifests"] if one["platform"]["architecture"] != arch]
            root.registry.blobs[digest.removeprefix("sha256:")] = json.dumps(index).encode()
            assert tag

    return broken(images, SEALER, turn)


def test_all_findings_are_told_at_once(built_by: Callable[..., Project]) -> None:
    words = ("mirror=embedded", "cni=none", "platform=amd64")
    project = built_by(*words[1:])
    (project.root / "context/docker/scripts/uninstall-docker.sh").unlink()
    project.edit("context/Kubefile.j2", 'cluster-runtime-type"="kubernetes', 'cluster-runtime-type"="k0s')
    project.build(*words[1:])

    result = project.doit("verify", *words)

    assert result.code != 0
    assert "dist/embedded/v1.22.15-docker: 3 findings" in result.out
    assert "  scripts/uninstall-docker.sh: is missing (sealer 0.9.2+ removes the runtime with it) [amd64]" in result.out
    assert "  label cluster.alpha.sealer.io/cluster-runtime-type: is 'k0s', not 'kubernetes'" in result.out
    assert "  scripts/clean.sh: names scripts/uninstall-docker.sh, which the image does not hold" in result.out
    assert "Traceback" not in result.text


def test_every_damaged_file_is_named(built_by: Callable[..., Project]) -> None:
    words = ("mirror=embedded", "cni=none", "platform=amd64")
    project = built_by(*words[1:])
    blobs = sorted((project.root / "dist/embedded/v1.22.15-docker/blobs/sha256").iterdir())[:2]
    for path in blobs:
        path.unlink()
        path.write_bytes(b"x")

    result = project.doit("verify", *words)

    assert result.code != 0
    for path in blobs:
        assert f"blobs/sha256/{path.name}: expected {path.name}, got " in result.out


def test_a_script_is_read_whole_wherever_it_lies(images: Images) -> None:
    for root, _ in images.values():
        for path, file in root.files.items():
            if path.endswith(".sh"):
                assert len(file.text.encode()) == file.size, path


def test_what_an_upstream_s_script_names_is_not_asked_of_the_image(images: Images) -> None:
    text = '#!/bin/sh\nexec "$(dirname "$0")/../etc/of-theirs.conf"\n'

    name = next(name for name, (root, _) in images.items() if "bin/containerd-rootless.sh" in root.files)
    assert broken(images, name, put("bin/containerd-rootless.sh", text)) == []
