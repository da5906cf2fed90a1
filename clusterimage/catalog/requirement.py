"""The upstream files and container images that a Kubernetes version requires by the rules of versions.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clusterimage.catalog import kubeadm_tags
from clusterimage.catalog import spec as specs
from clusterimage.catalog.cni import CniRelease
from clusterimage.catalog.component import Component
from clusterimage.catalog.flavor import FLAVORS, SEALER, Flavor
from clusterimage.catalog.kubeadm_tags import KubeadmTags, OwnTags
from clusterimage.catalog.spec import Spec
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version

BASE = "base"
KUBERNETES = "kubernetes"
NODE = "node"


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A required file: its URLs, and its install paths by archive member; `arch` may be `any`.

    `others` are its URL, checksum URL and sha512 URL at further places. `vulnerable` lists the CVEs that its version is
    known to have, `why` the reason for taking it nevertheless.
    """

    component: str
    version: str
    arch: str
    url: str
    checksum_url: str
    table: str
    install: tuple[tuple[str, str], ...]
    mode: int
    part: str
    cri: str
    cni: str
    sha512_url: str = ""
    others: tuple[tuple[str, str, str], ...] = ()
    vulnerable: tuple[str, ...] = ()
    why: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of its pin in a lock."""
        return self.component, self.version, self.arch

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it is published, in the order in which to ask."""
        return self.url, *(url for url, _, _ in self.others)

    @property
    def checksum_urls(self) -> tuple[str, ...]:
        """Where its checksum is published, in the order in which to ask."""
        return tuple(dict.fromkeys(filter(None, (self.checksum_url, *(url for _, url, _ in self.others)))))

    @property
    def other_sha512_urls(self) -> tuple[str, ...]:
        """Where its sha512 is published besides `sha512_url`."""
        return tuple(url for _, _, url in self.others if url and url != self.sha512_url)


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A required image; `group` is base, a flavor, kubernetes, a CNI, or node (loaded from an archive on the nodes)."""

    reference: Reference
    group: str
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a Kubernetes version requires for every CRI, CNI and architecture, of one or several flavors."""

    kubernetes: Version
    files: tuple[FileRequest, ...]
    images: tuple[ImageRequest, ...]

    def component_version(self, name: str) -> str:
        """Return the version of the component `name`, which must be among the files."""
        return next(file.version for file in self.files if file.component == name)

    def pause(self) -> str:
        """Return the tag of the pause image."""
        return next(image.reference.tag for image in self.images if image.reference.repository.endswith("pause"))


@dataclass(frozen=True, slots=True)
class Demand:
    """What a requirement follows from, except for the tags of kubeadm's images.

    `flavors`, `cris` and `cnis` are those to be built; no CRI or CNI stands for all. `own` is of the user's
    kubeadm.yml.
    """

    spec: Spec
    kubernetes: Version
    extra: tuple[Reference, ...]
    root: Path
    flavors: tuple[str, ...]
    cris: tuple[str, ...] = ()
    cnis: tuple[str, ...] = ()
    own: OwnTags = OwnTags()

    def refuse_too_old(self) -> None:
        """Raise ConfigError for a version that cannot be built."""
        if self.kubernetes < self.spec.defaults.oldest:
            raise ConfigError(f"k8s={self.kubernetes}: Kubernetes before {self.spec.defaults.oldest} cannot be built")

    def requirements(self, tags: KubeadmTags | None) -> dict[str, Requirement]:
        """Return the requirement of every flavor there is; with None it is without the images of kubeadm."""
        tags = self.own.over(tags) if tags else None
        return {
            flavor: _require(self.spec, self.kubernetes, self.extra, flavor, tags)
            for flavor in dict.fromkeys((*FLAVORS, *self.flavors))
        }

    def wanted(self, needs: dict[str, Requirement]) -> tuple[Requirement, Requirement]:
        """Return what is to be built requires, and what any flavor, CRI and CNI does."""
        return union(self.each(needs)), union(tuple(needs.values()))

    def each(self, needs: dict[str, Requirement]) -> tuple[Requirement, ...]:
        """Return what each of the flavors to be built requires, without the CRIs and CNIs that are not built."""
        return tuple(self._narrowed(needs[flavor]) for flavor in self.flavors)

    def _narrowed(self, needed: Requirement) -> Requirement:
        cris = {runtime.name for runtime in self.spec.runtimes} - set(self.cris) if self.cris else set()
        cnis = set(self.spec.flavor(SEALER).cni) - set(self.cnis) if self.cnis else set()
        return replace(
            needed,
            files=tuple(file for file in needed.files if file.cri not in cris and file.cni not in cnis),
            images=tuple(image for image in needed.images if image.group not in cnis),
        )


def require(
    spec: Spec, kubernetes: Version, extra: tuple[Reference, ...], root: Path, flavor: str = SEALER
) -> Requirement:
    """Return what images of `flavor` with `kubernetes` require.

    `extra` are the images of context/imageList, `root` is the directory of the data tables.
    A version that is too old, or missing from the table of kubeadm images, raises ConfigError.
    """
    Demand(spec, kubernetes, extra, root, (flavor,)).refuse_too_old()
    table = root / spec.kubeadm_images
    tags = kubeadm_tags.find(table, kubernetes)
    if tags is None:
        raise kubeadm_tags.unknown(table, kubernetes)
    return _require(spec, kubernetes, extra, flavor, tags)


def _require(
    spec: Spec, kubernetes: Version, extra: tuple[Reference, ...], flavor: str, tags: KubeadmTags | None
) -> Requirement:
    row = spec.flavor(flavor)
    releases = {cni.name: release for cni in spec.cnis if cni.name in row.cni and (release := cni.find(kubernetes))}
    return Requirement(
        kubernetes,
        tuple(
            _file(component, kubernetes, releases, arch, spelling, flavor)
            for component in spec.components
            if component.holds(kubernetes, flavor) and component.cni in ("", *releases)
            for arch, spelling in component.arches
        ),
        _images(spec, kubernetes, row, tags, (extra, BASE), *_cni_images(releases)),
    )


def union(needs: Sequence[Requirement]) -> Requirement:
    """Merge the requirements of several flavors of one version."""
    files = {file.key: file for needed in needs for file in needed.files}
    images: dict[Reference, ImageRequest] = {}
    for image in (image for needed in needs for image in needed.images):
        images.setdefault(image.reference, image)
    return Requirement(needs[0].kubernetes, tuple(files.values()), tuple(images.values()))


def _cni_images(releases: dict[str, CniRelease]) -> Iterator[tuple[tuple[Reference, ...], str]]:
    for name, release in releases.items():
        yield tuple(map(Reference.parse, release.images)), name


def _file(
    component: Component,
    kubernetes: Version,
    releases: dict[str, CniRelease],
    arch: str,
    spelling: str,
    flavor: str,
) -> FileRequest:
    row = None if component.version_of else component.row(kubernetes, flavor)
    release = releases.get(component.version_of)
    version = row.version if row else release.version if release else kubernetes.number
    known = {"version": version, "arch": spelling, "kubernetes": str(kubernetes)}
    known |= {"manifest": release.manifest} if release else {}
    url, *others = (_filled(component, "url", text, known) for text in (component.url, *component.others))
    also = [known | {"url": one, "name": one.rsplit("/", 1)[-1]} for one in (url, *others)]
    checksums = [_filled(component, "checksum", component.checksum, one) for one in also]
    sha512s = [_filled(component, "sha512", component.sha512, one) for one in also]
    return FileRequest(
        component=component.name,
        version=version,
        arch=arch,
        url=url,
        checksum_url=checksums[0],
        table=component.table,
        install=tuple(
            (_filled(component, "install", member, known), _filled(component, "install", place, known))
            for member, place in component.install
        ),
        mode=component.mode,
        part=component.part,
        cri=component.cri,
        cni=component.cni,
        sha512_url=sha512s[0],
        others=tuple(zip(others, checksums[1:], sha512s[1:], strict=True)),
        vulnerable=row.vulnerable if row else (),
        why=row.why if row else "",
    )


def _filled(component: Component, key: str, text: str, known: dict[str, str]) -> str:
    try:
        return text.format_map(known)
    except (KeyError, ValueError, AttributeError) as error:
        where = f"versions.toml: component.{component.name}.{key}"
        hint = f"known: {' '.join(f'{{{name}}}' for name in known)}"
        raise ConfigError(f"{where}: bad placeholder in '{text}': {error}", hint=hint) from error


def _images(
    spec: Spec,
    kubernetes: Version,
    flavor: Flavor,
    tags: KubeadmTags | None,
    *more: tuple[tuple[Reference, ...], str],
) -> tuple[ImageRequest, ...]:
    """Return the images of `more`, the flavor and kubeadm; an image in several lists gets the first group."""
    base, *cnis = more
    lists = (
        base,
        (flavor.own_images(kubernetes), flavor.name),
        (kubeadm_images(spec, kubernetes, tags) if tags else (), KUBERNETES),
        *cnis,
    )
    groups: dict[Reference, str] = {}
    for references, group in lists:
        for reference in references:
            groups.setdefault(reference, group)
    requests = [ImageRequest(one, group, _aliases(spec, kubernetes, flavor, one)) for one, group in groups.items()]
    requests.sort(key=lambda request: request.group == KUBERNETES)  # kubeadm's images come last in an imageList
    _refuse_shared_names(requests)
    node = (ImageRequest(Reference.parse(spec.registry_image), NODE),) if flavor.registry_image else ()
    return (*requests, *node)


def _refuse_shared_names(requests: list[ImageRequest]) -> None:
    owners: dict[tuple[str, str], Reference] = {}
    for request in requests:
        reference = request.reference
        for repository, tag in ((reference.repository, reference.tag), *request.aliases):
            other = owners.setdefault((repository, tag), reference)
            if tag and other != reference:
                hint = "drop one of them from imageList"
                raise ConfigError(f"{other} and {reference} would be saved under one name", hint=hint)


def _aliases(spec: Spec, kubernetes: Version, flavor: Flavor, reference: Reference) -> tuple[tuple[str, str], ...]:
    also = (
        name.partition(":")
        for alias in spec.aliases
        if alias.flavor in ("", flavor.name)
        and alias.image == reference.repository
        and alias.kubernetes.holds(kubernetes)
        for name in alias.also
    )
    return tuple((repository, tag or reference.tag) for repository, _, tag in also)


def kubeadm_images(spec: Spec, kubernetes: Version, tags: KubeadmTags) -> tuple[Reference, ...]:
    """Return the output of `kubeadm config images list` for that release."""
    host = specs.pick(spec.repositories, kubernetes, "kubeadm_repository")
    names = (
        *(f"kube-{name}:{kubernetes}" for name in ("apiserver", "controller-manager", "scheduler", "proxy")),
        f"pause:{tags.pause}",
        f"etcd:{tags.etcd}",
        tags.coredns,
    )
    return tuple(Reference.parse(f"{host}/{name}") for name in names)
