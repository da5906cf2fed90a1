"""Check what a consumer does with the content of an image at its time: calls, cgroup driver, merged configuration.

The facts, each with its source, are tables of catalog/contract.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from clusterimage.catalog.contract import CALLS, SEALOS_TRUE, SEALOS_VOLUMES, SHIM_KEYS, Call, Expected
from clusterimage.catalog.flavor import SEALER, SEALOS
from clusterimage.image.base_image import EXTENSION
from clusterimage.values import yaml_loader
from clusterimage.verify import scripts
from clusterimage.verify.rootfs import Rootfs

_SYSTEMD, _CGROUPFS = "systemd", "cgroupfs"
_SHIM = "etc/image-cri-shim.yaml"


def check(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    """Yield the findings for one platform of a cluster image."""
    for call in CALLS:
        if call.flavor == expected.flavor:
            yield from _call(rootfs, call, expected)
    yield from _containerd_driver(rootfs, expected) if expected.cri == "containerd" else _docker_driver(rootfs)
    if expected.flavor == SEALOS:
        yield from _merged_by_sealos(rootfs)
        yield from _shim(rootfs)


def launched_by_sealos(rootfs: Rootfs) -> Iterator[str]:
    """Find an application that sealer would launch and sealos would not.

    sealos runs each word of config.Cmd as a shell line: labring/sealos@v5.1.1 pkg/guest/guest.go.
    """
    try:
        launch = _at(json.loads(rootfs.annotations.get(EXTENSION, "{}")), "launch")
    except ValueError:
        return
    if (launch.get("cmds") or launch.get("app_names")) and not rootfs.command:
        yield f"config.Cmd: is empty, and sealos runs nothing else; {EXTENSION} launches for sealer"


def _call(rootfs: Rootfs, call: Call, expected: Expected) -> Iterator[str]:
    ran = call.ran.format(cri=expected.cri) if expected.flavor == SEALER else rootfs.labels.get(call.ran, "")
    names = [f"scripts/{name}" for name in re.findall(r"[\w-]+\.sh", ran)]
    if not names or any(name not in rootfs.files for name in names):
        return  # said by the check of paths and labels
    installs = rf"\b(put|put_new|install|cp|mv|ln|for)\b.*bin/({call.program}\b|\*)"
    if not re.search(installs, scripts.running(rootfs, names, expected.cri)):
        yield f"{ran}: does not install {call.program} ({call.reader})"


def _containerd_driver(rootfs: Rootfs, expected: Expected) -> Iterator[str]:
    """Compare the cgroup driver that containerd gets with the one that the kubelet is given by its consumer."""
    path, config = _configuration(rootfs, "etc/dump-config.toml", tomllib.loads)
    if config is None:
        return
    own = _driver(config, _RUNTIMES, "runc")
    if expected.flavor == SEALER and own != _SYSTEMD:
        yield f"{path}: the default runtime has no SystemdCgroup = true, and sealer gives the kubelet systemd"
    # image-cri-shim reads version 2 only, and no default: labring/sealos@v5.1.1 image-cri-shim pkg/cri/cri.go:202
    if expected.flavor == SEALOS and (read := _driver(config, _RUNTIMES[:1], "")) != own:
        yield f"{path}: sealctl reads {read} out of it, containerd {own}: version 2 and default_runtime_name are wanted"


# Where containerd's configuration has its runtimes, in version 2 and 3.
_RUNTIMES = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")


def _driver(config: dict[str, Any], plugins: tuple[str, ...], default: str) -> str:
    for plugin in plugins:
        cri = _at(config, "plugins", plugin, "containerd")
        if _at(cri, "runtimes", str(cri.get("default_runtime_name", default)), "options").get("SystemdCgroup"):
            return _SYSTEMD
    return _CGROUPFS


def _docker_driver(rootfs: Rootfs) -> Iterator[str]:
    path, config = _configuration(rootfs, "etc/daemon.json", json.loads)
    if config is not None and f"native.cgroupdriver={_SYSTEMD}" not in (config.get("exec-opts") or []):
        yield f"{path}: exec-opts lacks native.cgroupdriver={_SYSTEMD}, which the kubelet is given"


def _at(value: Any, *keys: str) -> dict[str, Any]:
    """Return the table at `keys`; an empty one where there is none, or something else."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _configuration(
    rootfs: Rootfs, path: str, read: Callable[[str], dict[str, Any]]
) -> tuple[str, dict[str, Any] | None]:
    """Return a configuration file or its run-time template, and what it says; None if it is missing or damaged.

    Both are said by other checks.
    """
    found = path if path in rootfs.files else f"{path}.tmpl"
    try:
        config = read(rootfs.text(found))
    except ValueError:
        return found, None
    return found, config if isinstance(config, dict) else None


def _merged_by_sealos(rootfs: Rootfs) -> Iterator[str]:
    """Find what sealos' merge makes something else of: lists are appended, `false` does not override."""
    import yaml

    path = "etc/kubeadm.yml"
    try:
        kinds = {one["kind"]: one for one in yaml.load_all(rootfs.text(path), yaml_loader.safe()) if one}
    except (yaml.YAMLError, TypeError, KeyError):
        return  # said by the check of kubeadm's configuration
    kubelet = _at(kinds, "KubeletConfiguration")
    for part, names in SEALOS_VOLUMES.items():
        for volume in _at(kinds, "ClusterConfiguration", part).get("extraVolumes") or ():
            if volume["name"] in names:
                yield f"{path}: {part} has the volume {volume['name']} of sealos itself: twice in one pod they stop it"
    for name in SEALOS_TRUE:
        if kubelet.get(name) is False:
            yield f"{path}: {name}: false is without effect, sealos makes it true again"
    if kubelet.get("healthzBindAddress", "0.0.0.0") != "0.0.0.0":
        yield f"{path}: healthzBindAddress hides the kubelet from sealos status, which asks it at the node's address"


def _shim(rootfs: Rootfs) -> Iterator[str]:
    text = rootfs.text(_SHIM) or rootfs.text(f"{_SHIM}.tmpl")
    for key in re.findall(r"^(\w+):", text, re.MULTILINE):
        if key not in SHIM_KEYS:
            yield f"{_SHIM}: {key} is no setting of image-cri-shim"
