"""The result of a Kubefile: file tree, labels, environment, and the applications that sealer launches.

    config labels                     LABEL, CNI, CSI, KUBEVERSION
    annotation sealer.image.extension {"applications", "buildClient", "env", "launch", "schemaVersion", "type"}

https://github.com/sealerio/sealer (0.9.2 to 0.11: pkg/define/image/v1, pkg/define/application)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clusterimage.kubefile.parse import Instruction
from clusterimage.storage.manifest import Entry
from clusterimage.storage.own_tree import FOLDER

INSTALLER, APPLICATION = "kube-installer", "app-installer"
_INSTALLS = "bin/kubeadm"

# Usual directories of a rootfs: as a COPY destination they are directories, even if the image has none yet.
FOLDERS = (
    *("application", "applications", "bin", "charts", "cri", "etc", "images", "lib"),
    *("manifests", "plugins", "registry", "scripts", "statics"),
)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What an image inherits from the base image of FROM; `modes` are those of directories that are not 0755."""

    labels: Mapping[str, str] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    author: str = ""
    extension: Mapping[str, Any] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    modes: Mapping[str, int] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


class Content:
    """The result of a Kubefile; `tree` maps a path in the image to an entry whose `path` is its path in the context.

    `directories` are those of the image, including the base's.
    """

    def __init__(self, base: Inherited | None = None) -> None:
        self.base = base or Inherited()
        self.tree: dict[str, Entry] = {}
        self.directories: set[str] = set(self.base.directories)
        self.labels: dict[str, str] = dict(self.base.labels)
        self.author = self.base.author
        self.env: dict[str, str] = dict(pair.partition("=")[::2] for pair in self.base.env)
        self.extension_env: dict[str, str] = dict(self.base.extension.get("env") or {})
        applications = self.base.extension.get("applications") or []
        self.applications: dict[str, dict[str, Any]] = {one["name"]: dict(one) for one in applications}
        self.own: set[str] = set()
        launch = self.base.extension.get("launch") or {}
        self.launch_names: list[str] = list(launch.get("app_names") or [])
        self.launch_commands: list[str] = list(launch.get("cmds") or [])
        self.command: list[str] = []  # of this Kubefile's CMD and CMDS alone

    def put(self, instruction: Instruction, place: str, entry: Entry) -> None:
        """Add `entry` at `place`; a place below a file, or a file over a directory, raises ConfigError."""
        parts = place.split("/")
        parents = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        for parent in parents:
            known = self.tree.get(parent)
            if (known is not None and not known.is_directory) or parent in self.base.files:
                raise instruction.error(f"'{place}' lies below the file '{parent}'", "choose another destination")
        if not entry.is_directory and place in self.directories:
            raise instruction.error(f"'{place}' is a directory already", "choose another destination")
        self.directories.update([*parents, *([place] if entry.is_directory else [])])
        self.tree[place] = entry

    def open(self, place: str) -> None:
        """Have the directory `place` be of mode 0755, where this Kubefile made it one of another mode."""
        entry = self.tree.get(place)
        if entry is not None and entry.is_directory:
            self.tree[place] = replace(entry, mode=FOLDER)

    def is_directory(self, place: str) -> bool:
        """Return whether the image has a directory at `place`, or a rootfs usually has one."""
        return not place or place in self.directories or (place in FOLDERS and place not in self.tree)

    @property
    def type(self) -> str:
        """The image type of sealer: `kube-installer` for a cluster image, else `app-installer`."""
        inherited = self.base.extension.get("type")
        installs = inherited == INSTALLER or _INSTALLS in self.tree or _INSTALLS in self.base.files
        return INSTALLER if installs else APPLICATION


def entries(content: Content) -> tuple[tuple[Entry, str], ...]:
    """Return the image's entries sorted by path, each with its path in the build context."""
    filled = {place.rsplit("/", depth)[0] for place in content.tree for depth in range(1, place.count("/") + 1)}
    return tuple(
        (replace(entry, path=place), entry.path)
        for place, entry in sorted(content.tree.items())
        if not (entry.is_directory and entry.mode == FOLDER and place in filled)
    )


def extension(content: Content, client: str) -> dict[str, Any]:
    """Return the value of the annotation `sealer.image.extension`; `client` becomes its `sealerVersion`."""
    launch: dict[str, Any] = {}
    if content.launch_names:
        launch["app_names"] = content.launch_names
    if content.launch_commands:
        launch["cmds"] = content.launch_commands
    values = {
        "buildClient": {"sealerVersion": client, "buildahVersion": ""},
        "schemaVersion": "v1alpha1",
        "type": content.type,
        "applications": list(content.applications.values()),
        "launch": launch,
    }
    return values | ({"env": content.extension_env} if content.extension_env else {})
