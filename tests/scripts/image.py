"""Knows how the trees of context/ become the rootfs of one cluster image, with stand-ins for what is downloaded."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import jinja2

CONTEXT = Path(__file__).parents[2] / "context"

VALUES: dict[str, object] = {
    "k8s": "v1.28.4",
    "cri": "containerd",
    "cri_version": "1.6.20",
    "cni": "calico",
    "cni_title": "Calico",
    "cni_version": "3.25.2",
    "cni_files": ["tigera-operator.yaml", "custom-resources.yaml"],
    "pause": "3.9",
    "client": "sealer >=0.9.2",
    "registry": "sea.hub:5000",
    "registry_domain": "sea.hub",
    "registry_port": 5000,
    "containerd_config": 2,
    "docker_needs_cri_dockerd": True,
    "pod_subnet": "100.64.0.0/10",
    "registry_image": "docker.io/library/registry:2.8.3",
    "kubeadm_yml": "kind: ClusterConfiguration\n",
    "kubeadm_yml_tmpl": "kind: ClusterConfiguration\n",
    "images": ["registry.k8s.io/pause:3.9"],
    "arch": "amd64",
}


def values(**changes: object) -> dict[str, object]:
    """Return the template variables of one image."""
    return VALUES | changes


def render(path: Path, variables: dict[str, object]) -> str:
    """Render one template as the build does."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(path.read_text()).render(variables)


def lay_tree(tree: Path, root: Path, variables: dict[str, object]) -> None:
    """Lay one tree of context/ over root, rendering its templates."""
    for source in sorted(path for path in tree.rglob("*") if path.is_file()):
        target = root / source.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".j2":
            target.with_suffix("").write_text(render(source, variables))
        else:
            shutil.copy(source, target)


def lay_out(root: Path, variables: dict[str, object]) -> None:
    """Lay out all trees of an image, as sealer finds them on a node, without what is downloaded."""
    trees = ["rootfs", str(variables["cri"]), "platform"]
    if variables["cri"] == "docker" and variables["docker_needs_cri_dockerd"]:
        trees.append("cri-dockerd")
    for tree in trees:
        lay_tree(CONTEXT / tree, root, variables)
    if variables["cni"] != "none":
        # The Kubefile copies a CNI's script and its other files from the top of the build context to these places.
        cni = str(variables["cni"])
        lay_tree(CONTEXT / cni, root / "applications", variables)
        (root / "application/apps" / cni).mkdir(parents=True)
        (root / f"applications/{cni}.sh").rename(root / f"application/apps/{cni}/{cni}.sh")
    for program in root.rglob("*.sh"):
        program.chmod(0o755)
    for folder in ("bin", "cri", "images", "registry"):
        (root / folder).mkdir()


def add_program(path: Path, text: str) -> None:
    """Write an executable script."""
    path.write_text(text)
    path.chmod(0o755)


def pack(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write a .tar.gz of executables."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            data = content.read_bytes() if isinstance(content, Path) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))


def echo(name: str) -> bytes:
    """Return a program that only tells how it was called."""
    return f'#!/bin/sh\necho "{name} $*"\n'.encode()


def add_stand_ins(root: Path) -> None:
    """Fill bin/, cri/ and images/ with programs that only tell how they were called."""
    for name in ("conntrack", "crictl", "kubectl", "kubelet", "nerdctl", "seautil"):
        add_program(root / "bin" / name, echo(name).decode())
    add_program(root / "bin/kubeadm", "#!/bin/sh\necho v1.28.4\n")
    pack(root / "cri/cni-plugins.tar.gz", {"./bridge": echo("bridge"), "./loopback": echo("loopback")})
    if (root / "scripts/docker.sh").exists():
        programs = ("containerd", "containerd-shim-runc-v2", "ctr", "docker", "dockerd", "docker-init", "runc")
        pack(root / "cri/docker.tar.gz", {f"docker/{name}": echo(name) for name in programs})
    else:
        names = ("containerd", "containerd-shim-runc-v2", "ctr")
        pack(root / "cri/containerd.tar.gz", {f"bin/{name}": echo(name) for name in names})
        add_program(root / "cri/runc", echo("runc").decode())
    if (root / "etc/cri-docker.service").exists():
        pack(root / "cri/cri-dockerd.tar.gz", {"cri-dockerd/cri-dockerd": echo("cri-dockerd")})
    registry_archive(root / "images/registry.tar.gz", {"bin/registry": echo("registry")})


def registry_archive(path: Path, files: Mapping[str, bytes | Path]) -> None:
    """Write a docker-archive of one image, named as `docker save` names it, that holds files."""
    layer = path.with_suffix(".layer")
    pack(layer, files)
    with tarfile.open(layer) as packed, io.BytesIO() as plain:
        with tarfile.open(fileobj=plain, mode="w") as unpacked:
            for member in packed:
                unpacked.addfile(member, packed.extractfile(member))
        data = plain.getvalue()
    layer.unlink()
    write_docker_archive(path, data)


def write_docker_archive(path: Path, layer: bytes) -> None:
    """Write a docker-archive whose image `registry:2.8.3` runs the registry of one layer."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/registry"], "Cmd": ["serve", "/etc/docker/registry/config.yml"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    text = json.dumps(config).encode()
    name = hashlib.sha256(text).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": ["registry:2.8.3"], "Layers": ["layer.tar"]}]
    members = {name: text, "layer.tar": layer, "manifest.json": json.dumps(manifest, separators=(",", ":")).encode()}
    pack(path, members)
