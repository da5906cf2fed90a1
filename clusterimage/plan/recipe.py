"""Derive the work items of every step for one locked Kubernetes version and flavor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterimage.catalog import kubeadm
from clusterimage.catalog import spec as specs
from clusterimage.catalog.cni import NONE
from clusterimage.catalog.contract import Expected
from clusterimage.catalog.flavor import SEALER, Flavor
from clusterimage.catalog.requirement import BASE, KUBERNETES, NODE, FileRequest, ImageRequest, Requirement
from clusterimage.catalog.spec import Spec
from clusterimage.context.rendering import CHECKED, Rendering, Variables
from clusterimage.context.template import SUFFIX, Template
from clusterimage.image.package import Package
from clusterimage.locks.lock import Lock, LockedFile, LockedImage
from clusterimage.oci.saved_registry import Saved
from clusterimage.plan import own_context
from clusterimage.plan.layout import Layout
from clusterimage.plan.own_context import CRI_DOCKERD, Placed
from clusterimage.plan.selection import Combination, Selection
from clusterimage.plan.work_items import Download, Extraction, Load, Merge, Pack, Pull, Render, Save
from clusterimage.storage import compression, files, own_tree
from clusterimage.storage.tree import Branch, Piece, piece_of
from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.version import Version

_STAND_IN = ("io.clusterimage.stand-in", "true")
_ROOTFS, _OVERLAY = 0, 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """The rules, pins and paths of one version and flavor, from which the work items are derived."""

    spec: Spec
    flavor: Flavor
    selection: Selection
    layout: Layout
    needed: Requirement
    pins: Lock

    def makes(self, one: Combination) -> bool:
        """Return whether this recipe is for the version and flavor of `one`."""
        return (one.kubernetes, one.flavor) == (self.needed.kubernetes, self.flavor.name)

    # ------------------------------------------------------------------ files

    def _files(self, one: Combination) -> Iterator[tuple[FileRequest, LockedFile]]:
        for request in self.needed.files:
            arches = (*self.selection.arches, "any")
            if request.arch in arches and request.cri in ("", one.cri) and request.cni in ("", one.cni):
                pin = self.pins.file(request)
                assert pin is not None  # a plan is made of complete locks only
                yield request, pin

    def downloads(self, one: Combination) -> Iterator[Download]:
        """Yield the file downloads of `one`."""
        for request, pin in self._files(one):
            yield Download(_file_name(pin), pin, request.mode, self.layout.store.path(pin.digest))

    def extractions(self, one: Combination) -> Iterator[Extraction]:
        """Yield the archive extractions of `one`."""
        for request, pin in self._files(one):
            if _is_archive(request):
                archive = self.layout.store.path(pin.digest)
                name = _file_name(pin)
                tree = self.layout.tree("trees", f"{name}-{pin.digest.hex[:12]}")
                yield Extraction(name, archive, request.install, request.mode, request.part, tree)

    # --------------------------------------------------------------- contexts

    def _context(self, one: Combination) -> Iterator[Placed]:
        cri_dockerd = self._cri_dockerd(one)
        return own_context.placed(self.layout.context, self.flavor, one, cri_dockerd=cri_dockerd)

    def _cri_dockerd(self, one: Combination) -> bool:
        """Return whether the kubelet needs cri-dockerd: with docker from v1.24 on."""
        return one.cri == "docker" and any(file.component == CRI_DOCKERD for file in self.needed.files)

    def render(self, one: Combination) -> Render:
        """Return the templates of `one` and their variables."""
        templates = [placed.template() for placed in self._context(one) if placed.is_template]
        kubefile = self.layout.context / self.flavor.kubefile
        templates += [Template(kubefile, "Kubefile"), Template(kubefile, "rootfs/Kubefile")]
        platforms = self.layout.context / (self.flavor.platform or "none")
        templates += own_context.of_platforms(platforms, self.selection.arches)
        listing = "".join(f"{image.reference.plain}\n" for image in self._images(one))
        own = self.layout.context / "kubeadm.yml"
        if own.with_name(f"{own.name}{SUFFIX}").exists():
            problem = f"{own}{SUFFIX}: kubeadm's configuration is no template"
            raise ConfigError(problem, hint="call it kubeadm.yml: it is merged; networks are settings of versions.toml")
        if own.is_symlink() and not own.exists():
            problem = f"{own}: is a link to {own.readlink()}, where no file is"
            raise ConfigError(problem, hint="put a file there, or remove the link")
        tables = (self.spec.config_fields, self.spec.feature_gates, self.spec.component_flags)
        facts = tuple(self.layout.root / table for table in tables) if all(tables) else ()
        texts = (("imageList", listing), ("rootfs/imageList", listing))
        rendering = Rendering(
            templates=tuple(templates),
            variables=self._variables(one),
            texts=texts,
            kubeadm=own if own.exists() else None,
            facts=facts,
            shipped=self._shipped(one),
        )
        return Render(one.id, rendering, self.layout.tree("rendered", one.id))

    def _shipped(self, one: Combination) -> tuple[Path, ...]:
        """Return the JSON, TOML and YAML of context/ that is shipped as it is."""
        owns = (placed.own for placed in self._context(one) if not (placed.is_template or placed.own.link))
        return tuple(own.path for own in owns if own.path.suffix.lower() in CHECKED)

    def _variables(self, one: Combination) -> Variables:
        defaults = self.spec.defaults
        version = self.needed.component_version(self.spec.runtime(one.cri).component)
        containerd = _containerd(self.needed)
        config = specs.pick(self.spec.containerd_config, containerd, "containerd_config", flavor=one.flavor)
        images = tuple(image for image in self._images(one))
        cni = self.spec.cni(one.cni)
        release = cni.find(one.kubernetes) if cni else None
        return Variables(
            kubernetes=one.kubernetes,
            cri=one.cri,
            cri_version=version,
            cni=one.cni,
            cni_title=cni.title if cni else "",
            cni_version=release.version if release else "",
            cni_files=self._cni_files(one),
            pause=self.needed.pause(),
            flavor=one.flavor,
            client=self.flavor.client(one.kubernetes),
            registry=self.flavor.registry,
            image_repository=self.flavor.image_repository,
            registry_image=self.spec.registry_image,
            socket=specs.pick(self.spec.sockets, one.kubernetes, "socket", one.cri, one.flavor),
            containerd_config=int(config),
            docker_needs_cri_dockerd=self._cri_dockerd(one),
            pod_subnet=defaults.pod_subnet,
            service_subnet=defaults.service_subnet,
            images=tuple(str(image.reference.plain) for image in images),
            own_images=tuple(str(image.reference.plain) for image in images if image.group == one.flavor),
            rules=self.spec.kubeadm,
        )

    def _cni_files(self, one: Combination) -> tuple[str, ...]:
        """Return what the CNI's script installs: the files of its components, then those of its folder."""
        files_of = [
            place for request in self.needed.files if _is_cni_file(request, one) for _, place in request.install
        ]
        if one.cni != NONE:
            root = self.layout.context / one.cni
            places = (path.relative_to(root).as_posix().removesuffix(SUFFIX) for path in files.walk(root))
            files_of += [place for place in places if place != f"{one.cni}.sh"]
        return tuple(files_of)

    def merge(self, one: Combination) -> Merge:
        """Return the build context of `one`: context/, downloads, extracted and rendered trees, the overlay."""
        pieces: list[Piece] = []
        branches = [Branch(self.layout.tree("rendered", one.id), "", "the templates of context/")]
        pieces += [placed.piece() for placed in self._context(one) if not placed.is_template]
        for request, pin in self._files(one):
            prefix = _prefix(request)
            if _is_archive(request):
                tree = self.layout.tree("trees", f"{_file_name(pin)}-{pin.digest.hex[:12]}")
                branches.append(Branch(tree, prefix.rstrip("/"), pin.component))
                continue
            source = self.layout.store.path(pin.digest)
            place = f"{prefix}{request.install[0][1]}"
            pieces.append(Piece(source, place, pin.component, request.part, request.mode, _ROOTFS, pin.digest.hex))
        for load in self.loads():
            place = f"{load.arch}/{self.spec.registry_install}"
            pieces.append(Piece(load.path, place, str(load.image.reference), "cri"))
        pieces += self._overlay()
        empty = ("rootfs/registry", "rootfs/manifests")
        return Merge(one.id, tuple(pieces), tuple(branches), empty, self.layout.tree("context", one.id))

    def _overlay(self) -> Iterator[Piece]:
        """Yield the overlay's files for every platform directory, which is copied last and overrides everything."""
        overlay = self.selection.overlay
        if overlay is not None:
            for own in own_tree.walk(overlay):
                for arch in self.selection.arches:
                    yield piece_of(own, f"{arch}/{own.place}", f"overlay {overlay}", "overlay", _OVERLAY)

    # ----------------------------------------------------------------- images

    def _images(self, one: Combination) -> list[ImageRequest]:
        groups = (BASE, one.flavor, KUBERNETES, one.cni)
        return [image for image in self.needed.images if image.group in groups]

    def _locked(self, reference: Reference) -> LockedImage:
        image = self.pins.image(reference)
        assert image is not None  # a plan is made of complete locks only
        return image

    def pulls(self, one: Combination) -> Iterator[Pull]:
        """Yield the image pulls of `one` by architecture, with the image that nodes load from an archive."""
        node = [image for image in self.needed.images if image.group == NODE]
        for request in (*self._images(one), *node):
            for arch in self.selection.arches:
                yield self._pull(request.reference, arch)

    def _pull(self, reference: Reference, arch: str) -> Pull:
        image = self._locked(reference)
        image.platform(arch)
        name = f"{image.reference.label}-{arch}"
        listing = self.layout.listing("images", f"{name.replace('/', '_')}-{image.top.digest.hex[:12]}")
        return Pull(name, image, arch, listing)

    def saves(self, one: Combination) -> Iterator[Save]:
        """Yield the saved registries of `one`: by architecture, one per group (base, flavor, kubernetes, CNI)."""
        for arch in self.selection.arches:
            for group in (BASE, one.flavor, KUBERNETES, one.cni):
                images = [image for image in self.needed.images if image.group == group]
                if images:
                    yield self._save(group, images, arch)

    def _save(self, group: str, images: list[ImageRequest], arch: str) -> Save:
        saved = tuple(
            Saved(
                self._locked(image.reference),
                ((image.reference.repository, image.reference.tag), *image.aliases),
                self.flavor.single_platform,
            )
            for image in images
        )
        listings = tuple(self._pull(image.reference, arch).listing for image in images)
        suffix = "" if self.flavor.name == SEALER else f"-{self.flavor.name}"
        name = f"{group}-{self.needed.kubernetes}-{arch}{suffix}"
        return Save(name, saved, arch, f"images-{group}", listings, self.layout.tree("registry", name))

    def loads(self) -> Iterator[Load]:
        """Yield the docker-archives of the cluster's registry image, which nodes load from a file."""
        reference = Reference.parse(self.spec.registry_image)
        if not self.flavor.registry_image:
            return
        for arch in self.selection.arches:
            pull = self._pull(reference, arch)
            name = f"{reference.label}-{arch}"
            path = self.layout.loadable(f"{name.replace('/', '_')}-{pull.image.top.digest.hex[:12]}")
            gzip = compression.chosen(self.pins.compressor, "gzip")  # nodes load it with docker or ctr: always gzip
            yield Load(name, pull.image, arch, gzip, pull.listing, path)

    # --------------------------------------------------------------- packages

    def pack(self, one: Combination) -> Pack:
        """Return the package of `one`."""
        saves = tuple(self.saves(one))
        registries = tuple(
            (arch, tuple(save.tree for save in saves if save.arch == arch)) for arch in self.selection.arches
        )
        names = tuple(str(image.reference.plain) for image in self._images(one))
        stand_in = (_STAND_IN,) if self.layout.stand_in else ()
        package = Package(
            reference=self.selection.reference(one, self.flavor),
            context=self.layout.tree("context", one.id),
            registries=registries,
            images=tuple((arch, names) for arch in self.selection.arches),
            compressor=compression.chosen(self.pins.compressor, self.selection.compression),
            labels=stand_in,
            sealer_annotations=self.flavor.sealer_annotations,
        )
        inputs = (self.layout.listing("context", one.id), *(self.layout.listing("registry", s.name) for s in saves))
        return Pack(one.id, one, package, inputs, self.layout.package(one.id), self._expected(one))

    def _expected(self, one: Combination) -> Expected:
        return Expected(
            kubernetes=one.kubernetes,
            cri=one.cri,
            cni=one.cni,
            cni_files=self._cni_files(one),
            flavor=one.flavor,
            client=self.flavor.client(one.kubernetes),
            arches=self.selection.arches,
            images=tuple(str(image.reference.plain) for image in self._images(one)),
            kubeadm_api=kubeadm.api(self.spec.kubeadm, one.kubernetes, one.flavor),
            single_platform=self.flavor.single_platform,
        )


def _file_name(pin: LockedFile) -> str:
    arch = "" if pin.arch == "any" else f"-{pin.arch}"
    return f"{pin.component}-{pin.version}{arch}"


def _is_archive(request: FileRequest) -> bool:
    return any(member for member, _ in request.install)


def _is_cni_file(request: FileRequest, one: Combination) -> bool:
    return one.cni != NONE and request.cni == one.cni and request.arch == "any"


def _prefix(request: FileRequest) -> str:
    """Return the path prefix in the build context; a CNI's files are at the top, the Kubefile copies them."""
    if request.arch != "any":
        return f"{request.arch}/"
    return "" if request.cni else "rootfs/"


def _containerd(needed: Requirement) -> Version:
    return Version.parse(needed.component_version("containerd"))
