"""Knows the container images of the upstream: what is in each, and how they get into a stock docker-registry.

Every image is for all architectures of its release. Real programs are used where Debian has them or they were built;
the others are stand-ins that carry the label `stand-in` and sleep. The real images are those of
https://github.com/kubernetes/kubernetes/tree/master/build.

    <out>/docker/registry/v2/repositories/<host>/<repository>/...        e.g. registry.k8s.io/kube-apiserver
    <out>/docker/registry/v2/blobs/sha256/...
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.real import kubernetes_build
from tests.integration.real.debian_packages import run
from tests.integration.real.debian_parts import LIBC
from tests.integration.real.fixed_tar import Member
from tests.integration.real.loopback_servers import plain_registry
from tests.integration.real.oci_layout import Image, Layer, Layout
from tests.integration.real.release import Release
from tests.integration.real.upstream_files import Programs

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APPLETS = "cat cp echo env grep httpd id ip ls mkdir mount nslookup ps rm sh sleep stat test touch true uname wget"
_STANDIN = b'#!/bin/sh\necho "a stand-in made for tests"\nexec sleep 2147483647\n'
# CoreDNS says at these addresses that it is well and ready, which `kubeadm upgrade` waits for. It answers no names.
_COREDNS = b"#!/bin/sh\necho 'a stand-in made for tests'\nhttpd -p 8080 -h /www\nexec httpd -f -p 8181 -h /www\n"
_REGISTRY_CONFIG = b"""\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""

BUSYBOX = "docker.io/library/busybox:1.35.0"
REGISTRY = "docker.io/library/registry:2.8.3"
# Published with Docker's media types, manifest list included; all others with OCI's.
DOCKER_TYPED = (BUSYBOX,)


def _kubernetes_names(release: Release) -> tuple[str, ...]:
    return tuple(
        f"{release.host}/{program}:{version}"
        for version in (release.kubernetes, release.newer)
        for program in kubernetes_build.PROGRAMS
        if program.startswith("kube-")
    )


def _standin_names(release: Release) -> tuple[str, ...]:
    coredns = () if release.answers_names else (f"{release.host}/{release.coredns}",)
    balancers = ("docker.io/sealerio/lvscare:v1.1.3-beta.8", f"ghcr.io/labring/lvscare:v{release.sealos}")
    calico = ("node", "pod2daemon-flexvol", "cni", "kube-controllers", "typha", "apiserver") if release.calico else ()
    operator = (f"quay.io/tigera/operator:{release.tigera_operator}",) if release.calico else ()
    return (*coredns, *balancers, *operator, *(f"docker.io/calico/{name}:{release.calico}" for name in calico))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes an image: configuration, its own layer's members by architecture, whether it stands on the base."""

    name: str
    config: Mapping[str, Any]
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    on_base: bool = True


def fill_registry(programs: Programs, work: Path, out: Path) -> None:
    """Write all images into a registry's storage directory, by skopeo and a docker-registry that runs meanwhile."""
    path = work / "layout"
    shutil.rmtree(path, ignore_errors=True)
    layout = Layout(path)
    images = _images(programs, layout)
    names = [image.name for image in images]
    for image in images:
        layout.add_image(image)
    layout.finish()
    policy = work / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    with plain_registry(out, work / "filling") as address:
        for name in names:
            form = ["--format", "v2s2"] if name in DOCKER_TYPED else ["--preserve-digests"]
            to = ["--dest-no-creds", "--dest-tls-verify=false", f"oci:{path}:{name}", f"docker://{address}/{name}"]
            run(["skopeo", "--policy", str(policy), "copy", "--quiet", "--all", *form, *to])
    for uploads in (out / "docker/registry/v2/repositories").glob("**/_uploads"):
        shutil.rmtree(uploads)
    shutil.rmtree(path)


def _images(programs: Programs, layout: Layout) -> list[Image]:
    """Write the layers of every image and return the images."""
    arches = programs.release.arches
    recipes = _recipes(programs)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        base = dict(zip(arches, pool.map(lambda arch: layout.add_layer(_base(programs, arch)), arches), strict=True))
        own = [(recipe, arch) for recipe in recipes for arch in recipe.members]
        layers = pool.map(lambda item: layout.add_layer(item[0].members[item[1]]), own)
        written = {(recipe.name, arch): layer for (recipe, arch), layer in zip(own, layers, strict=True)}

    def stack(recipe: Recipe, arch: str) -> tuple[Layer, ...]:
        upper = written.get((recipe.name, arch))
        return (*([base[arch]] if recipe.on_base else []), *([upper] if upper else []))

    return [Image(recipe.name, recipe.config, {arch: stack(recipe, arch) for arch in arches}) for recipe in recipes]


def _recipes(programs: Programs) -> tuple[Recipe, ...]:
    """Return what makes every image of the release."""
    release = programs.release
    coredns = (_coredns(programs),) if release.answers_names else ()
    standins = (_standin(name, release.arches) for name in _standin_names(release))
    return (*_kubernetes(programs), _etcd(programs), *_debian(programs), _pause(programs), *coredns, *standins)


def _base(programs: Programs, arch: str) -> tuple[Member, ...]:
    """Return the layer that most images stand on: a static busybox and the files that name root and nobody."""
    links = tuple(Member(f"bin/{applet}", link="busybox") for applet in _APPLETS.split())
    users = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    return (
        Member("bin/busybox", programs.tools / arch / "bin/busybox"),
        *links,
        Member("etc/group", b"root:x:0:\nnobody:x:65534:\n", 0o644),
        Member("etc/nsswitch.conf", b"hosts: files dns\n", 0o644),
        Member("etc/passwd", users, 0o644),
        Member("root", mode=0o700),
        Member("tmp", mode=0o1777),
    )


def _kubernetes(programs: Programs) -> list[Recipe]:
    """Return the control plane and kube-proxy, at the path where the real images have them."""
    recipes = []
    releases = dict(programs.releases())
    for name in _kubernetes_names(programs.release):
        program, _, version = name.rpartition("/")[2].partition(":")
        release = releases[version]
        members: dict[str, tuple[Member, ...]] = {
            arch: (Member(f"usr/local/bin/{program}", release / arch / program),) for arch in programs.release.arches
        }
        if program == "kube-proxy":
            members = {arch: (*own, *_iptables(programs, arch)) for arch, own in members.items()}
        recipes.append(Recipe(name, {"Entrypoint": [f"/usr/local/bin/{program}"], "Env": [_PATH]}, members))
    return recipes


def _iptables(programs: Programs, arch: str) -> tuple[Member, ...]:
    """Return iptables with all that it loads, under the names that kube-proxy calls it by."""
    tree = programs.tools / arch
    files = [path for path in sorted((tree / "iptables").rglob("*")) if path.is_file()]
    names = [f"usr/sbin/ip{six}tables{end}" for six in ("", "6") for end in ("", "-save", "-restore")]
    return (
        *_libc(programs, arch),
        *(Member(str(path.relative_to(tree / "iptables")), path) for path in files),
        *(Member(name, link="xtables-nft-multi") for name in names),
    )


def _etcd(programs: Programs) -> Recipe:
    """Return the image of etcd, which beside a C library runs whether it needs one or not."""
    members = {
        arch: (*_libc(programs, arch), Member("usr/local/bin/etcd", programs.tools / arch / "bin/etcd"))
        for arch in programs.release.arches
    }
    # This etcd refuses to start on arm64 without the variable, as the real image's; amd64 does not look at it.
    config = {"Cmd": ["/usr/local/bin/etcd"], "Env": [_PATH, "ETCD_UNSUPPORTED_ARCH=arm64"]}
    return Recipe(f"{programs.release.host}/etcd:{programs.release.etcd}", config, members)


def _debian(programs: Programs) -> tuple[Recipe, ...]:
    """Return the images of Debian's programs: the registry, and busybox, which is the base with a command."""
    config = Member("etc/docker/registry/config.yml", _REGISTRY_CONFIG, 0o644)
    registry = {
        arch: (
            *_libc(programs, arch),
            Member("bin/registry", programs.tools / arch / "bin/registry"),
            config,
            Member("var/lib/registry"),
        )
        for arch in programs.release.arches
    }
    serve = {
        "Entrypoint": ["/bin/registry"],
        "Cmd": ["serve", "/etc/docker/registry/config.yml"],
        "Env": [_PATH],
        "ExposedPorts": {"5000/tcp": {}},
        "Volumes": {"/var/lib/registry": {}},
    }
    return Recipe(REGISTRY, serve, registry), Recipe(BUSYBOX, {"Cmd": ["sh"], "Env": [_PATH]})


def _libc(programs: Programs, arch: str) -> tuple[Member, ...]:
    return tuple(Member(place, programs.tools / arch / "libc" / place) for place in LIBC[arch].values())


def _coredns(programs: Programs) -> Recipe:
    """Return the image of the real CoreDNS: one static program and nothing else, as the real one."""
    release = programs.release
    members = {
        arch: (Member("coredns", programs.tools / arch / "bin/coredns"), Member("etc"), Member("tmp", mode=0o1777))
        for arch in release.arches
    }
    config = {"Entrypoint": ["/coredns"], "WorkingDir": "/", "Env": [_PATH]}
    return Recipe(f"{release.host}/{release.coredns}", config, members, on_base=False)


def _pause(programs: Programs) -> Recipe:
    """Return the pause image: one static program and nothing else, as the real one."""
    release = programs.release
    members = {arch: (Member("pause", programs.standins / arch / "pause"),) for arch in release.arches}
    return Recipe(
        f"{release.host}/pause:{release.pause}", {"Entrypoint": ["/pause"], "Env": [_PATH]}, members, on_base=False
    )


def _standin(name: str, arches: Iterable[str]) -> Recipe:
    """Return an image that stands in for one that cannot be had; a file with its name makes its layer its own."""
    text = Member("stand-in.txt", f"{name}\n".encode(), 0o644)
    members: tuple[Member, ...] = (Member("stand-in", _STANDIN), text)
    if "coredns" in name:
        says = (Member(f"www/{page}", b"OK\n", 0o644) for page in ("health", "ready"))
        members = (Member("stand-in", _COREDNS), text, *says)
    config = {"Entrypoint": ["/stand-in"], "Env": [_PATH], "Labels": {"stand-in": "true"}}
    return Recipe(name, config, dict.fromkeys(arches, members))
