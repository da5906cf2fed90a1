"""Knows the peers: which are installed, from which Debian package, in which version, and their command lines."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import program

PACKAGES = {
    "docker-registry": "docker-registry",
    "nginx": "nginx-light",
    "skopeo": "skopeo",
    "buildah": "buildah",
    "umoci": "umoci",
    "zstd": "zstd",
    "openssl": "openssl",
    "curl": "curl",
    "wget": "wget",
}
_VERSION = {"nginx": "-v", "openssl": "version"}


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied: images REPOSITORY:TAG of the source, which is at HOST:PORT, to the registry at HOST:PORT."""

    images: Sequence[str]
    source: str
    target: str

    def skopeo(self, parallel: int) -> list[str]:
        """Return skopeo copying image by image, so many at once."""
        script = (
            'xargs -P "$1" -I{} skopeo copy --quiet --all --preserve-digests --src-tls-verify=false '
            '--dest-tls-verify=false "docker://$2/{}" "docker://$3/{}"'
        )
        names = shlex.quote("".join(f"{name}\n" for name in self.images))
        return ["sh", "-c", f"printf %s {names} | {script}", "sh", str(parallel), self.source, self.target]

    def skopeo_sync(self, folder: Path) -> list[str]:
        """Return skopeo sync of a list of images."""
        lines = [f"{self.source}:", "  tls-verify: false", "  images:"]
        lines += [f"    {name}: [{tag}]" for name, _, tag in (image.rpartition(":") for image in self.images)]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sync.yml").write_text("\n".join(lines) + "\n")
        words = ["skopeo", "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"]
        return [*words, "--src-tls-verify=false", str(folder / "sync.yml"), f"{self.target}/bench"]

    def curl(self, blobs: Iterable[tuple[str, str]], folder: Path, parallel: int) -> list[str]:
        """Return curl fetching (repository, hex) into nothing: what the source and the line can give."""
        folder.mkdir(parents=True, exist_ok=True)
        urls = [f"http://{self.source}/v2/{name}/blobs/sha256:{hex_}" for name, hex_ in blobs]
        (folder / "curl.cfg").write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls))
        return ["curl", "--silent", "--fail", "-Z", "--parallel-max", str(parallel), "-K", str(folder / "curl.cfg")]


def umoci(tree: Path, layout: Path) -> list[str]:
    """Return umoci packing a tree as the only layer of a new image."""
    words = [f"umoci init --layout {layout}", f"umoci new --image {layout}:v1"]
    words += [f"umoci insert --rootless --image {layout}:v1 {tree} /"]
    return ["sh", "-c", " && ".join(words)]


def buildah(tree: Path, layout: Path, storage: Path, more: str = "") -> list[str]:
    """Return buildah building from scratch and pushing the result, compressed, to a layout."""
    own = f"--root {storage / 'root'} --runroot {storage / 'run'} --storage-driver vfs"
    options = f"--quiet --isolation chroot --format oci {more}"
    build = f"buildah {own} bud {options} -t bench:v1 -f {storage / 'Kubefile'} {tree}"
    push = f"buildah {own} push --quiet --format oci --compression-format gzip bench:v1 oci:{layout}:v1"
    return ["sh", "-c", f"{build} && {push}"]


def archive(tree: Path, dest: Path, filter_: str = "") -> list[str]:
    """Return tar, sorted and without owners, through a filter."""
    return ["sh", "-c", f"{_tar(tree)} {f'| {filter_} ' if filter_ else ''}> {dest}"]


def archive_hashed(tree: Path, dest: Path, filter_: str) -> list[str]:
    """Return the same with what an image needs besides: the digests of the tar and of what came out, on the way."""
    plain, packed = (f"{dest}.{name}" for name in ("plain", "packed"))
    lines = [f"rm -f {plain} {packed}; mkfifo {plain} {packed}"]
    lines += [f"openssl dgst -sha256 -r < {pipe} > {pipe}.sha256 &" for pipe in (plain, packed)]
    lines += [f"{_tar(tree)} | tee {plain} | {filter_} | tee {packed} > {dest}", f"wait; rm {plain} {packed}"]
    return ["sh", "-ec", "\n".join(lines)]


def _tar(tree: Path) -> str:
    return f"tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C {tree} -cf - ."


def missing() -> list[str]:
    """Return what to install for the peers that are not here."""
    return [f"{name} (Debian: {package})" for name, package in PACKAGES.items() if program(name) is None]


def versions() -> dict[str, str]:
    """Return the version of every peer that is here."""
    found = {}
    for name in PACKAGES:
        path = program(name)
        if path is None:
            continue
        done = subprocess.run([path, _VERSION.get(name, "--version")], capture_output=True, text=True, check=False)
        words = (done.stdout or done.stderr).replace("nginx/", "").split("\n")[0].split()
        found[name] = next((word.strip("v,") for word in words if word.strip("v,")[:1].isdigit()), "?")
    return found
