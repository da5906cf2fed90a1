"""versions.toml as values: what it says is kept, what it must not say is refused with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterimage.catalog import spec
from clusterimage.catalog.cni import Cni, CniRelease
from clusterimage.catalog.component import VersionRow
from clusterimage.catalog.spec import Component, Mirror, Rule, Runtime, Spec
from clusterimage.values.version import Range, Version
from tests.conftest import ROOT
from tests.unit.conftest import SMALL, error_of

EVERY = Range.parse("")


@pytest.fixture(scope="module")
def small_spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    return load(tmp_path_factory.mktemp("spec"), SMALL)


def load(root: Path, text: str) -> Spec:
    path = root / "versions.toml"
    path.write_text(text)
    return spec.load(path)


def test_the_project_s_own_file_is_valid() -> None:
    assert {runtime.name for runtime in spec.load(ROOT / "versions.toml").runtimes} == {"docker", "containerd"}


def test_the_defaults_are_read(small_spec: Spec) -> None:
    assert small_spec.defaults == spec.Defaults(
        kubernetes="v1.22.15",
        platforms=("linux/amd64", "linux/arm64"),
        cni=("none", "calico"),
        pod_subnet="100.64.0.0/10",
        service_subnet="10.96.0.0/22",
        oldest=Version(1, 13, 0),
        compression="isal",
    )


def test_a_component_has_defaults_for_what_it_does_not_say(small_spec: Spec) -> None:
    assert small_spec.component("kubectl") == Component(
        name="kubectl",
        part="kubernetes",
        url="https://dl.example/v{version}/{arch}/kubectl",
        checksum="{url}.sha256",
        table="kubectl",
        arches=(("amd64", "amd64"), ("arm64", "arm64")),
        install=(("", "bin/kubectl"),),
        mode=0o755,
        cri="",
        cni="",
        kubernetes=EVERY,
        versions=(),
        version_of="kubernetes",
    )


def test_a_component_keeps_what_it_says(small_spec: Spec) -> None:
    dockerd, operator = small_spec.component("cri-dockerd"), small_spec.component("tigera-operator")

    assert (dockerd.cri, dockerd.kubernetes, dockerd.mode) == ("docker", EVERY, 0o644)
    assert dockerd.flavors == (("sealer", Range.parse(">=1.24")), ("sealos", EVERY))
    assert dockerd.versions == (VersionRow(EVERY, "0.3.26"),)
    assert small_spec.component("docker").arches == (("amd64", "x86_64"), ("arm64", "aarch64"))
    assert (operator.cni, operator.arches, operator.version_of) == ("calico", (("any", "any"),), "calico")


def test_the_rules_keep_their_order(small_spec: Spec) -> None:
    assert small_spec.repositories == (Rule(Range.parse(">=1.24.9"), "registry.k8s.io"), Rule(EVERY, "k8s.gcr.io"))
    assert [(rule.key, rule.value) for rule in small_spec.sockets] == [
        ("docker", "/var/run/dockershim.sock"),
        ("containerd", "/run/containerd/containerd.sock"),
    ]
    assert [rule.value for rule in small_spec.containerd_config] == ["2", "3"]


def test_the_other_sections_are_read(small_spec: Spec) -> None:
    images = ("quay.io/tigera/operator:v1.25.3", "docker.io/calico/node:v3.22.1")
    manifest = "https://files.example/calico/tigera-operator.yaml"

    assert small_spec.runtimes[0] == Runtime("docker", Range.parse("<1.24"), "docker")
    assert small_spec.cnis == (
        Cni("calico", "Calico", (CniRelease(Range.parse("<1.30"), "3.22.1", images, manifest),)),
    )
    assert small_spec.aliases[0].also == ("coredns", "other/dns:fixed")
    assert small_spec.sources == (("k8s.gcr.io", "registry.k8s.io"),)
    assert (small_spec.checksums, small_spec.kubeadm_images) == ("data/checksums.toml", "data/kubeadm-images.toml")
    assert (small_spec.registry_image, small_spec.registry_install) == (
        "docker.io/library/registry:2.8.3",
        "images/registry.tar.gz",
    )


def test_a_mirror_is_read_and_may_be_empty(small_spec: Spec) -> None:
    assert small_spec.mirror("plain") == Mirror("plain")
    assert small_spec.mirror("office") == Mirror(
        name="office",
        files=(("", "https://mirror.example/files"),),
        registries=(("*", "registry.example/{host}"),),
        ca="office-ca.pem",
        plain_http=("registry.example",),
        own_bytes=True,
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            '["", "1.23.0"]',
            '["", "1.23.0", { until = "soon" }]',
            "component.crictl.versions[1].until: must be a date or ended, not 'soon'",
        ),
        ("[data]", "[datta]", "datta: is not a known key"),
        ('oldest = "v1.13.0"', 'oldest = "1.13"', "defaults.oldest: '1.13' is not a released version"),
        ('registry = "sea.hub:5000"\n', "", "flavor.sealer.registry: is missing"),
        ('kubeadm_images = "', 'kubeadm_image = "', "data.kubeadm_image: is not a known key"),
        ('version = "containerd"', 'versions = "containerd"', "cri[1].versions: is not a known key"),
        ("also = [", "more = [", "alias[0].more: is not a known key"),
        ("manifest = ", "manifests = ", "cni.calico.versions[0].manifests: is not a known key"),
        ('reference = "', 'image = "', "registry_image.image: is not a known key"),
        ('compression = "isal"', 'compression = "gz"', "defaults.compression: 'gz' is no compression"),
        ("pod_subnet", "pod_subnets", "defaults.pod_subnets: is not a known key"),
        ('default = "<1.24"', 'default = "1.24"', "cri[0].default: '1.24' is not a range"),
        ("version = 2\n", "", "containerd_config[0].version: is missing"),
        ('cri = "docker"\nkubernetes = ""', 'kubernetes = ""', "socket[0].cri: is missing"),
        ('path = "/var', 'paths = "/var', "socket[0].paths: is not a known key"),
        ('part = "tools"', 'party = "tools"', "component.crictl.party: is not a known key"),
        ('part = "tools"\n', "", "component.crictl.part: is missing"),
        ('mode = "0644"', 'mode = "0600"', "component.docker.mode: must be 0644 or 0755, not '0600'"),
        ('mode = "0644"', "mode = 420", "component.docker.mode: must be a string, not 420"),
        ('["<1.23", "1.22.0"]', '["<1.23"]', 'component.crictl.versions[0]: must be ["range", "version"]'),
        ('["", "1.23.0"]', '["", "1.23.0", 1]', 'component.crictl.versions[1]: must be ["range", "version"]'),
        ('["", "1.23.0"]', '["", "1.23.0", { til = "" }]', "component.crictl.versions[1].til: is not a known key"),
        (
            '["", "1.23.0"]',
            '["", "1.23.0", { until = 1 }]',
            "component.crictl.versions[1].until: must be a string, not 1",
        ),
        ('["", "1.23.0"]', '["", 1.23]', 'component.crictl.versions[1]: must be ["range", "version"]'),
        ('["", "1.23.0"]', '"1.23.0"', 'component.crictl.versions[1]: must be ["range", "version"]'),
        ('["<1.23", "1', '["1.23", "1', "component.crictl.versions[0]: '1.23' is not a range"),
        ('versions = "calico"', "versions = 3", "component.tigera-operator.versions: must be a list, not 3"),
        ('"x86_64"', "86", "component.docker.arch.amd64: must be a string, not 86"),
        ("own_bytes = true", 'own_bytes = "yes"', "mirrors.office.own_bytes: must be true or false, not 'yes'"),
        ("plain_http", "plain", "mirrors.office.plain: is not a known key"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in SMALL

    error = error_of(load, tmp_path, SMALL.replace(old, new, 1))

    assert error.problem.startswith(f"{tmp_path}/versions.toml: {problem}")


def test_the_nearest_known_key_is_offered(tmp_path: Path) -> None:
    assert error_of(load, tmp_path, SMALL.replace("pod_subnet", "pod_subent")).hint == "did you mean pod_subnet?"


def test_an_unknown_runtime_is_refused_with_the_nearest(small_spec: Spec) -> None:
    error = error_of(small_spec.runtime, "containrd")

    assert small_spec.runtime("docker").component == "docker"
    assert (error.problem, error.hint) == ("cri=containrd: unknown container runtime", "did you mean containerd?")


def test_a_flavor_without_a_row_is_refused(small_spec: Spec) -> None:
    error = error_of(small_spec.flavor, "other")

    assert (error.problem, error.hint) == ("versions.toml: flavor.other: is missing", "add the row")


def test_an_unknown_mirror_is_refused_and_the_built_in_one_is_known(small_spec: Spec) -> None:
    error = error_of(small_spec.mirror, "zzz")

    assert (error.problem, error.hint) == ("mirror=zzz: unknown mirror", "known: office, plain, embedded")


@pytest.mark.parametrize(
    ("version", "key", "expected"), [("1.20.0", "", "old"), ("1.21.0", "", "new"), ("1.21.0", "docker", "dock")]
)
def test_the_first_rule_that_holds_wins(version: str, key: str, expected: str) -> None:
    rules = (
        Rule(Range.parse("<1.21"), "old"),
        Rule(EVERY, "new"),
        Rule(EVERY, "never"),
        Rule(EVERY, "dock", "docker"),
    )

    assert spec.pick(rules, Version.parse(version), "socket", key) == expected


def test_no_rule_for_a_version_is_an_error() -> None:
    rules = (Rule(Range.parse("<1.21"), "old"), Rule(EVERY, "x", "containerd"))
    version = Version(1, 22, 0)

    plain, keyed = error_of(spec.pick, rules, version, "socket"), error_of(spec.pick, rules, version, "socket", "cri-o")

    assert (plain.problem, plain.hint) == ("versions.toml: no socket for version v1.22.0", "add a row for it")
    assert keyed.problem == "versions.toml: no socket for cri-o v1.22.0"
