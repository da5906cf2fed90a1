"""Parse the variables of the command line against the spec: which combinations are selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from clusterimage.catalog import registry_address
from clusterimage.catalog.cni import NONE
from clusterimage.catalog.component import ARCHES
from clusterimage.catalog.flavor import FLAVORS, SEALER, Flavor
from clusterimage.catalog.spec import EMBEDDED, Mirror, Spec
from clusterimage.plan.application import request
from clusterimage.plan.application.request import Application
from clusterimage.storage import compression
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.table import nearest
from clusterimage.values.version import Version

# name -> help text, in the order of the README.
VARIABLES = {
    "k8s": "Kubernetes version, or a comma list of them",
    "cri": "docker, containerd or both; by default docker below v1.24, containerd from there on",
    "platform": "linux/amd64, linux/arm64 or both (the default)",
    "cni": "none, calico, flannel, cilium or a comma list; by default none and calico; none with sealos",
    "flavor": "sealer (the default), sealos or both: the program that is to run the image",
    "name": "full image name; -containerd and -CNI are added where one command builds several",
    "buildName": "another word for name",
    "kubefile": "build this Kubefile instead: needs name=, takes platform=",
    "context": "the build context of kubefile=; by default the directory of the Kubefile",
    "args": "NAME=VALUE,… for the ARGs of kubefile=",
    "ignore": "a list of images that kubefile= is not to save",
    "strict": "yes: fail where kubefile= may need an image that cannot be told",
    "overlay": "a directory that is laid over the rootfs",
    "mirror": "a profile of [mirrors] in versions.toml, or embedded",
    "offline": "yes: no network at all",
    "locked": "yes: refuse to make or change a lock",
    "compression": "isal (the default of versions.toml), gzip or zstd: how layers are compressed",
    "push": "yes: push what was built",
    "username": "who pushes; also CLUSTERIMAGE_USERNAME, by default what Docker's configuration says",
    "password": "- reads one line of standard input; better CLUSTERIMAGE_PASSWORD: others can see a command line",
    "ca": "a file of certificates that the registry is trusted by",
    "plain_http": "HOST:PORT of a registry without TLS, to push to and to pull from, or a comma list of them",
    "mount": "a repository of the same registry that blobs are taken over from",
    "port": "where serve listens; by default a free port",
    "a": "the older of the two that diff compares: a lock, its version, or a built image",
    "b": "the newer of the two that diff compares",
    "format": "text (the default) or json: how diff, plan and prune answer; paths: what diff would have copied",
    "debug": "yes: the whole log on the terminal",
}
FORMATS = ("text", "json", "paths")


@dataclass(frozen=True, slots=True)
class Combination:
    """One cluster image: a Kubernetes version with its CRI and CNI, for a flavor."""

    kubernetes: Version
    cri: str
    cni: str
    flavor: str = SEALER

    @property
    def id(self) -> str:
        """Name of its tasks and of its directory in dist/: `v1.22.15-docker-calico`, `v1.22.15-docker-sealos`."""
        cni = "" if self.cni == NONE else f"-{self.cni}"
        return f"{self.kubernetes}-{self.cri}{cni}{'' if self.flavor == SEALER else f'-{self.flavor}'}"


@dataclass(frozen=True, slots=True)
class Pushing:
    """Push settings: whether a build pushes, credentials, CA, hosts without TLS, and the repository to mount from."""

    wanted: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    plain_http: tuple[str, ...] = ()
    mount: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The parsed variables of one command line; `cris` are those of cri=, () without."""

    combinations: tuple[Combination, ...]
    arches: tuple[str, ...]
    name: str
    mirror: Mirror
    overlay: Path | None
    offline: bool
    locked: bool
    strict: bool
    debug: bool
    compression: str
    application: Application | None = None
    pushing: Pushing = Pushing()
    port: int = 0
    compared: tuple[str, str] = ("", "")
    form: str = FORMATS[0]
    cris: tuple[str, ...] = ()

    @property
    def versions(self) -> tuple[Version, ...]:
        """The Kubernetes versions without duplicates, in the given order."""
        return tuple(dict.fromkeys(combination.kubernetes for combination in self.combinations))

    def parts(self, version: Version) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the CRIs and the CNIs of the images of `version`."""
        chosen = [one for one in self.combinations if one.kubernetes == version]
        return tuple(dict.fromkeys(one.cri for one in chosen)), tuple(dict.fromkeys(one.cni for one in chosen))

    def reference(self, combination: Combination, flavor: Flavor) -> Reference:
        """Return the image name of `combination`; one tag for several versions raises ConfigError."""
        cni = f"-{combination.cni}" if combination.cni != NONE else ""
        if not self.name:
            return Reference.parse(f"{flavor.image_name(combination.cri, combination.kubernetes)}{cni}")
        several_cris = len({other.cri for other in self.combinations}) > 1
        several_flavors = len({other.flavor for other in self.combinations}) > 1
        cri = "-containerd" if combination.cri == "containerd" and several_cris else ""
        cni += f"-{combination.flavor}" if combination.flavor != SEALER and several_flavors else ""
        name = self.name
        tagged = ":" in name.rsplit("/", 1)[-1]
        if tagged and len(self.versions) > 1:
            raise ConfigError(f"name={name}: one tag for several versions", hint="leave the tag out: it is the version")
        return Reference.parse(f"{name}{'' if tagged else f':{combination.kubernetes}'}{cri}{cni}")


def select(spec: Spec, variables: Mapping[str, str]) -> Selection:
    """Parse `variables` (name -> text); an unknown name or value raises ConfigError with the closest known one."""
    for name in variables:
        if name not in VARIABLES:
            raise ConfigError(f"{name}=: unknown variable", hint=nearest(name, tuple(VARIABLES)))
    flavors = [spec.flavor(name) for name in _choices("flavor", variables.get("flavor", ""), FLAVORS, (SEALER,))]
    versions = [Version.parse(text) for text in _list("k8s", variables.get("k8s") or spec.defaults.kubernetes)]
    arches = _arches(variables.get("platform", ""), spec.defaults.platforms)
    application = request.choose(variables)
    for version, flavor in product(versions, flavors):
        flavor.client(version)  # refuses what no release of the tool runs
    combinations = tuple(
        Combination(version, cri, cni, flavor.name)
        for version in dict.fromkeys(versions)
        for cri in _cris(spec, version, variables.get("cri", ""))
        for flavor in flavors
        for cni in _cnis(spec, flavor, version, variables.get("cni", ""))
        if application is None
    )
    mirror = variables.get("mirror", "")
    overlay = Path(variables["overlay"]) if variables.get("overlay") else None
    if overlay is not None and not overlay.is_dir():
        raise ConfigError(f"overlay={overlay}: no such directory")
    return Selection(
        combinations=combinations,
        arches=arches,
        name=_name(variables),
        mirror=_mirror(spec, mirror),
        overlay=overlay,
        offline=_yes("offline", variables),
        locked=_yes("locked", variables),
        strict=_yes("strict", variables),
        debug=_yes("debug", variables),
        application=application,
        pushing=_pushing(variables),
        port=_port(variables.get("port", "")),
        compared=(variables.get("a", ""), variables.get("b", "")),
        form=_form(variables.get("format") or FORMATS[0]),
        compression=_compression(variables.get("compression", ""), spec.defaults.compression),
        cris=_cris(spec, versions[0], variables["cri"]) if variables.get("cri") else (),
    )


def _pushing(variables: Mapping[str, str]) -> Pushing:
    ca = Path(variables["ca"]) if variables.get("ca") else None
    if ca is not None and not ca.is_file():
        raise ConfigError(f"ca={ca}: no such file", hint="a file of certificates in PEM")
    return Pushing(
        wanted=_yes("push", variables),
        username=variables.get("username", ""),
        password=variables.get("password", ""),
        ca=ca,
        plain_http=_hosts("plain_http", variables.get("plain_http", "")),
        mount=variables.get("mount", ""),
    )


def _hosts(name: str, text: str) -> tuple[str, ...]:
    try:
        return tuple(map(registry_address.host, _list(name, text)))
    except ConfigError as error:
        raise ConfigError(f"{name}={error.problem}", hint=error.hint) from error


def _compression(text: str, default: str) -> str:
    request = _choices("compression", text, compression.CHOICES, (default,))
    if len(request) > 1:
        raise ConfigError(f"compression={text}: one at a time")
    return request[0]


def _port(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ConfigError(f"port={text}: not a port", hint="a number below 65536; 0 is a free one")
    return int(text or 0)


def _form(text: str) -> str:
    if text not in FORMATS:
        raise ConfigError(f"format={text}: unknown value", hint=nearest(text, FORMATS))
    return text


def _mirror(spec: Spec, name: str) -> Mirror:
    if not name:
        return Mirror("none")
    return Mirror(EMBEDDED, own_bytes=True) if name == EMBEDDED else spec.mirror(name)


def _name(variables: Mapping[str, str]) -> str:
    name = variables.get("name") or variables.get("buildName") or ""
    if name and "@" in name:
        raise ConfigError(f"name={name}: a digest cannot be chosen", hint="give a tag")
    if name:
        Reference.parse(name)
    return name


def _cnis(spec: Spec, flavor: Flavor, version: Version, text: str) -> tuple[str, ...]:
    request = _choices("cni", text, spec.cni_choices, tuple(cni for cni in spec.defaults.cni if cni in flavor.cni))
    for name in request:
        flavor.refuse_cni(name)
        if cni := spec.cni(name):
            cni.refuse(version)
    return request


def _cris(spec: Spec, version: Version, text: str) -> tuple[str, ...]:
    if text:
        return tuple(spec.runtime(name).name for name in dict.fromkeys(_list("cri", text)))
    return tuple(runtime.name for runtime in spec.runtimes if runtime.default.holds(version))


def _arches(text: str, default: tuple[str, ...]) -> tuple[str, ...]:
    known = (*(f"linux/{arch}" for arch in ARCHES), *ARCHES)
    request = _choices("platform", text, known, default)
    return tuple(sorted({platform.removeprefix("linux/") for platform in request}))


def _choices(name: str, text: str, known: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    request = tuple(dict.fromkeys(_list(name, text))) or default
    for value in request:
        if value not in known:
            raise ConfigError(f"{name}={value}: unknown value", hint=nearest(value, known))
    return request


def _list(name: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if text and not parts:
        raise ConfigError(f"{name}={text}: names nothing", hint="a comma list; leave it out for the default")
    return parts


def _yes(name: str, variables: Mapping[str, str]) -> bool:
    text = variables.get(name) or "no"
    if text not in ("yes", "no", "true", "false", "1", "0"):
        raise ConfigError(f"{name}={text}: unknown value", hint="yes or no")
    return text in ("yes", "true", "1")
