"""The image tags of a Kubernetes release that only its kubeadm knows: CoreDNS, etcd and pause.

They come from the table data/kubeadm-images.toml, or, for a release that is newer than the table, from the constants
that its kubeadm is compiled from (cmd/kubeadm/app/constants/constants.go of that tag).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clusterimage.values.errors import ConfigError
from clusterimage.values.table import Table
from clusterimage.values.version import Range, Version

_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_ETCD_BY_MINOR = re.compile(r"\bSupportedEtcdVersion\s*=\s*map\[uint8\]string\s*\{([^}]*)\}")
_ETCD_ENTRY = re.compile(r'(\d+)\s*:\s*"([^"\n]*)"')


@dataclass(frozen=True, slots=True)
class KubeadmTags:
    """`coredns` is NAME:TAG below the image repository; `etcd` and `pause` are tags."""

    coredns: str
    etcd: str
    pause: str


@dataclass(frozen=True, slots=True)
class OwnTags:
    """The tags that a user's own kubeadm.yml gives CoreDNS and etcd, "" for those of the release."""

    dns: str = ""
    etcd: str = ""

    def over(self, tags: KubeadmTags) -> KubeadmTags:
        """Return the tags that are deployed."""
        name, _, release = tags.coredns.rpartition(":")
        return KubeadmTags(f"{name}:{self.dns or release}", self.etcd or tags.etcd, tags.pause)


@dataclass(frozen=True, slots=True)
class ConstantsFile:
    """Where the constants of a release's kubeadm are; `coredns` is NAME:TAG with {name} and {version} of them."""

    kubernetes: Range
    url: str
    coredns: str

    def place(self, kubernetes: Version) -> str:
        """Return the URL of the constants of that release."""
        return self.url.format(kubernetes=kubernetes)


def find(path: Path, kubernetes: Version) -> KubeadmTags | None:
    """Return the row of a release in the table at `path`, or None; only its line is parsed: every command loads it."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    for line in lines:
        if line.startswith(f'"{kubernetes.number}"'):
            row = Table.parsed(f"{path.as_posix()}: kubeadm_images", line).table(kubernetes.number)
            return KubeadmTags(coredns=row.text("coredns"), etcd=row.text("etcd"), pause=row.text("pause"))
    return None


def known(path: Path) -> tuple[Version, ...]:
    """Return the releases of the table at `path`, in its order."""
    return tuple(Version.parse(number) for number in Table.load(path).table("kubeadm_images").values)


def unknown(path: Path, kubernetes: Version, why: str = "") -> ConfigError:
    """Return the error for a release that nobody knows; its hint never names an older patch as the remedy."""
    same = [one for one in known(path) if (one.major, one.minor) == (kubernetes.major, kubernetes.minor)]
    newer = [one for one in same if one > kubernetes]
    hint = "if that release exists, add its row there: the tags that its `kubeadm config images list` prints"
    if newer:
        hint = f"did you mean {min(newer)}? newest of v{kubernetes.major}.{kubernetes.minor}: {max(newer)}"
    name = f"{path.parent.name}/{path.name}"
    return ConfigError(f"k8s={kubernetes}: not in {name}{why}", hint=hint)


def parse(text: str, where: str, kubernetes: Version, coredns: str) -> KubeadmTags:
    """Read the tags out of constants.go, the text of the file at `where`; nothing of it is run.

    etcd's is that of the release's minor in SupportedEtcdVersion, else DefaultEtcdVersion, as kubeadm chooses
    (https://github.com/kubernetes/kubernetes cmd/kubeadm/app/images/images.go GetEtcdImage). What cannot be understood
    raises ConfigError with the row to write by hand.
    """
    code = _COMMENT.sub("", text)
    name, version = _constant(code, "CoreDNSImageName"), _constant(code, "CoreDNSVersion")
    image = coredns.format(name=name, version=version) if name and version else ""
    table = _ETCD_BY_MINOR.search(code)
    by_minor = dict(_ETCD_ENTRY.findall(table[1])) if table else {}
    etcd = _tag(by_minor.get(str(kubernetes.minor), "")) or _constant(code, "DefaultEtcdVersion")
    tags = KubeadmTags(coredns=image, etcd=etcd, pause=_constant(code, "PauseVersion"))
    missing = [key for key in ("coredns", "etcd", "pause") if not getattr(tags, key)]
    if missing:
        hint = f"write the row by hand into data/kubeadm-images.toml: {row(kubernetes, tags)}"
        raise ConfigError(f"{where}: cannot be understood: says nothing of {', '.join(missing)}", hint=hint)
    return tags


def row(kubernetes: Version, tags: KubeadmTags) -> str:
    """Return the row of data/kubeadm-images.toml; `?` stands for what is not known."""
    values = ", ".join(f'{key} = "{getattr(tags, key) or "?"}"' for key in ("coredns", "etcd", "pause"))
    return f'"{kubernetes.number}" = {{ {values} }}'


def _constant(code: str, name: str) -> str:
    """Return the value of a string constant that is a tag, "" where there is none or there are several."""
    values = set(re.findall(rf'^\s*(?:const\s+)?{name}(?:\s+string)?\s*=\s*"([^"\n]*)"\s*$', code, re.MULTILINE))
    return _tag(values.pop()) if len(values) == 1 else ""


def _tag(text: str) -> str:
    return text if _TAG.fullmatch(text) else ""
