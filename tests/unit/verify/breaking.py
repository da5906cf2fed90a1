"""Knows how to break one thing in an image that was read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from clusterimage.catalog.contract import Expected
from clusterimage.verify import conformance
from clusterimage.verify.rootfs import File, Rootfs

WORDS = {"k8s": "v1.24.17", "cri": "docker,containerd", "flavor": "sealer,sealos", "platform": "amd64"}
SEALER, CALICO = "v1.24.17-docker", "v1.24.17-containerd-calico"
SEALOS, SHIMMED = "v1.24.17-docker-sealos", "v1.24.17-containerd-sealos"
SHEBANG = "#!/usr/bin/env bash\n"
Images = dict[str, tuple[Rootfs, Expected]]


def broken(images: Images, name: str, act: Callable[[Rootfs], object]) -> list[str]:
    root, expected = images[name]
    root = copy.deepcopy(root)
    act(root)
    return list(conformance.check(root, expected))


def put(path: str, text: str, mode: int = 0o755) -> Callable[[Rootfs], object]:
    return lambda root: root.files.update({path: File(mode, len(text), text)})


def edit(path: str, old: str, new: str) -> Callable[[Rootfs], object]:
    def act(root: Rootfs) -> None:
        assert old in root.files[path].text
        root.files[path] = replace(root.files[path], text=root.files[path].text.replace(old, new))

    return act
