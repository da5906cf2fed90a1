"""Flavors: the tools (sealer, sealos) that cluster images are built for, each a [flavor.NAME] of versions.toml."""

from __future__ import annotations

from dataclasses import dataclass

from clusterimage.values.errors import ConfigError
from clusterimage.values.reference import Reference
from clusterimage.values.table import Table, nearest
from clusterimage.values.version import Range, Version

SEALER, SEALOS = "sealer", "sealos"
FLAVORS = (SEALER, SEALOS)


@dataclass(frozen=True, slots=True)
class Flavor:
    """Settings of one tool; `trees` and `files` are paths below context/, with {cri} for the CRI.

    `clients` are the releases of the tool that run an image of a Kubernetes version (">=4.3,<5"); a version in none of
    them is refused with `without_client`, unless there are no rows at all. `names` maps a CRI to the image name. With
    `single_platform` a saved tag points at the platform's manifest, else at the original index.
    """

    name: str
    clients: tuple[tuple[Range, str], ...]
    without_client: str
    names: tuple[tuple[str, str], ...]
    registry: str
    image_repository: str
    single_platform: bool
    registry_image: bool
    sealer_annotations: bool
    cni: tuple[str, ...]
    without_cni: str
    kubefile: str
    trees: tuple[str, ...]
    files: tuple[str, ...]
    platform: str
    images: tuple[tuple[Range, Reference], ...]

    def image_name(self, cri: str, kubernetes: Version) -> str:
        """Return the default name of the image for `cri`; a CRI without one raises ConfigError."""
        for name, text in self.names:
            if name == cri:
                return text.replace("{k8s}", str(kubernetes))
        raise ConfigError(f"versions.toml: flavor.{self.name}.names: none for {cri}", hint="add one, or give name=")

    def client(self, kubernetes: Version) -> str:
        """Return which releases of the tool run an image of `kubernetes` ("sealos >=4.3,<5").

        If there is none, ConfigError is raised with the reason.
        """
        if not self.clients:
            return self.name
        for versions, client in self.clients:
            if versions.holds(kubernetes):
                return f"{self.name} {client}"
        others = ", ".join(f"flavor={name}" for name in FLAVORS if name != self.name)
        problem = f"k8s={kubernetes}: not with flavor={self.name}: {self.without_client}"
        raise ConfigError(problem, hint=f"{others}, or another version")

    def refuse_cni(self, cni: str) -> None:
        """Raise ConfigError with the reason if images of this flavor cannot contain `cni`."""
        if cni not in self.cni:
            raise ConfigError(f"cni={cni}: not with flavor={self.name}: {self.without_cni}", hint="leave cni= out")

    def own_images(self, kubernetes: Version) -> tuple[Reference, ...]:
        """Return the images that this flavor needs in addition to kubeadm's."""
        return tuple(reference for versions, reference in self.images if versions.holds(kubernetes))


def read(name: str, table: Table, cnis: tuple[str, ...]) -> Flavor:
    """Read one [flavor.NAME], of which `cnis` are known; the first error raises ConfigError with its key path."""
    table.only(*(field for field in Flavor.__dataclass_fields__ if field != "name"))
    if name not in FLAVORS:
        raise table.error(name, "is no flavor", f"known: {', '.join(FLAVORS)}")
    for cni in table.texts("cni"):
        if cni not in cnis:
            raise table.error("cni", f"has {cni}, of which there is no table", nearest(cni, cnis))
    registry = table.text("registry")
    return Flavor(
        name=name,
        clients=tuple(
            (row.parse("kubernetes", Range.parse), row.parse("client", Range.parse).text)
            for row in table.tables("clients")
        ),
        without_client=table.text("without_client", ""),
        names=table.pairs("names"),
        registry=registry,
        image_repository=table.text("image_repository", "").replace("{registry}", registry),
        single_platform=table.get("single_platform", bool, False),
        registry_image=table.get("registry_image", bool, False),
        sealer_annotations=table.get("sealer_annotations", bool, False),
        cni=table.texts("cni"),
        without_cni=table.text("without_cni", ""),
        kubefile=table.text("kubefile"),
        trees=table.texts("trees"),
        files=table.texts("files", ()),
        platform=table.text("platform", ""),
        images=tuple(
            (row.parse("kubernetes", Range.parse), row.parse("image", Reference.parse))
            for row in table.tables("images")
        ),
    )
