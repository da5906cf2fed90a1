"""The files, labels and variables that sealer and sealos read from a cluster image, as tables.

sealer   https://github.com/sealerio/sealer  pkg/{cluster-runtime,registry,container-runtime,imageengine}
sealos   https://github.com/labring/sealos   lifecycle/pkg/{bootstrap,constants,types/v1beta1,runtime/kubernetes}
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterimage.catalog.cni import NONE
from clusterimage.catalog.flavor import FLAVORS, SEALER, SEALOS
from clusterimage.values.reference import Reference
from clusterimage.values.version import Range, Version

FILE, SCRIPT, PROGRAM, FOLDER = "file", "script", "program", "folder"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a built image has to match: its combination, its image list, the apiVersion of its kubeadm.yml."""

    kubernetes: Version
    cri: str
    cni: str
    cni_files: tuple[str, ...]
    flavor: str
    client: str
    arches: tuple[str, ...]
    images: tuple[str, ...]
    kubeadm_api: str
    single_platform: bool = False

    @property
    def pause(self) -> str:
        """The pause image as REPOSITORY:TAG, without its host."""
        return next((saved_name(image) for image in self.images if "/pause:" in image), "")


def saved_name(image: str) -> str:
    """Return the name of `image` in a saved registry: REPOSITORY:TAG, without its host."""
    reference = Reference.parse(image)
    return f"{reference.repository}:{reference.tag}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A path that `reader` needs; an empty field matches every flavor, CRI or version."""

    path: str
    kind: str
    reader: str
    flavor: str = ""
    cri: str = ""
    kubernetes: Range = Range("", ())

    def holds(self, expected: Expected) -> bool:
        """Return whether the rule applies to the image."""
        return (
            self.flavor in ("", expected.flavor)
            and self.cri in ("", expected.cri)
            and self.kubernetes.holds(expected.kubernetes)
        )


@dataclass(frozen=True, slots=True)
class Fact:
    """A label or environment variable of the image config that `reader` needs; `value` "" means any non-empty value."""

    key: str
    value: str
    reader: str
    flavor: str
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A program that `reader` calls by its name after `ran`: scripts (sealer), the label that names them (sealos)."""

    program: str
    ran: str
    reader: str
    flavor: str


CALLS = (
    # sealer@v0.11.0 pkg/registry/local.go configureLvs, before init-kube.sh: pkg/runtime/kubernetes/join_nodes.go
    Call("seautil", "{cri}.sh", "sealer leads a worker to the registry with it next", SEALER),
    Call("crictl", "{cri}.sh init-kube.sh", "kubeadm runs it next", SEALER),
    Call("kubeadm", "{cri}.sh init-kube.sh", "sealer runs it next", SEALER),
    Call("kubelet", "{cri}.sh init-kube.sh", "kubeadm starts it next", SEALER),
    # labring/sealos@v5.1.1 image-cri-shim pkg/cri/cri.go NewContainerRuntime; runtime/kubernetes/master.go imagePull
    Call("crictl", "init", "sealctl asks the runtime, and sealos pulls, with it next", SEALOS),
    Call("kubeadm", "init", "sealos runs it next", SEALOS),
    Call("kubelet", "init", "kubeadm starts it next", SEALOS),
)

# What sealos has built in: labring/sealos@v5.1.1 pkg/runtime/kubernetes/types/default_kubeadm_config.go. It merges with
# mergo.WithOverride and WithAppendSlice: lists grow, and a value that is empty in Go (false, 0) overrides nothing.
SEALOS_VOLUMES = {
    "apiServer": ("audit", "audit-log", "localtime"),
    "controllerManager": ("localtime",),
    "scheduler": ("localtime",),
}
SEALOS_TRUE = (
    *("cgroupsPerQOS", "cpuCFSQuota", "enableControllerAttachDetach", "enableDebuggingHandlers", "failSwapOn"),
    *("makeIPTablesUtilChains", "rotateCertificates", "enableServer", "registerNode", "enableProfilingHandler"),
    "enableSystemLogHandler",
)
# labring/sealos@v5.1.1 image-cri-shim pkg/types/config.go
SHIM_KEYS = ("shim", "cri", "address", "force", "debug", "timeout", "reloadInterval", "auth", "registries")


_REMOTE_DOCKER = Range.parse(">=1.24")
RULES = (
    *(Rule(f"bin/{name}", PROGRAM, "runs on every node") for name in ("kubeadm", "kubelet", "kubectl")),
    Rule("bin/conntrack", PROGRAM, "kubeadm's preflight and kube-proxy run it"),
    Rule("bin/crictl", PROGRAM, "kubeadm runs it"),
    Rule("statics/audit-policy.yml", FILE, "copied to /etc/kubernetes of every master"),
    Rule("registry", FOLDER, "copied to the hosts of the registry"),
    Rule("etc/kubeadm.yml", FILE, "merged into the kubeadm configuration"),
    Rule("scripts/init-registry.sh", SCRIPT, "starts the registry"),
    Rule("cri/docker.tar.gz", FILE, "the runtime that is installed", cri="docker"),
    Rule("cri/containerd.tar.gz", FILE, "the runtime that is installed", cri="containerd"),
    Rule("cri/runc", PROGRAM, "containerd runs it", cri="containerd"),
    Rule("cri/cni-plugins.tar.gz", FILE, "the kubelet needs loopback and portmap"),
    # sealer 0.9.2 and later, and 0.8
    Rule("scripts/{cri}.sh", SCRIPT, "sealer 0.9.2+ installs the runtime with it", "sealer"),
    Rule("scripts/uninstall-{cri}.sh", SCRIPT, "sealer 0.9.2+ removes the runtime with it", "sealer"),
    Rule("scripts/init-kube.sh", SCRIPT, "sealer 0.9.2+ prepares the kubelet with it", "sealer"),
    Rule("scripts/init.sh", SCRIPT, "sealer 0.8 begins with it", "sealer"),
    Rule("scripts/clean.sh", SCRIPT, "sealer 0.8 ends with it", "sealer"),
    Rule("bin/seautil", PROGRAM, "sealer makes certificates and routes with it", "sealer"),
    Rule("bin/nerdctl", PROGRAM, "sealer 0.8 logs in with it", "sealer"),
    Rule("Metadata", FILE, "sealer 0.8 reads version and architecture", "sealer"),
    Rule("etc/Clusterfile", FILE, "sealer run without a Clusterfile", "sealer"),
    Rule("etc/registry.yml", FILE, "sealer 0.8 reads the registry's address", "sealer"),
    Rule("etc/registry_config.yml", FILE, "configuration of the registry", "sealer"),
    Rule("etc/kubeadm.yml.tmpl", FILE, "sealer makes etc/kubeadm.yml of it", "sealer"),
    Rule("images/registry.tar.gz", FILE, "the image that serves registry/", "sealer"),
    Rule("manifests/imageList", FILE, "sealer build collects images from it", "sealer"),
    Rule("etc/daemon.json", FILE, "configuration of docker, edited by sealer", "sealer", "docker"),
    Rule("etc/docker.service", FILE, "the unit of docker", "sealer", "docker"),
    Rule("etc/cri-docker.service", FILE, "the unit of cri-dockerd", "sealer", "docker", kubernetes=_REMOTE_DOCKER),
    Rule("cri/cri-dockerd.tar.gz", FILE, "the kubelet's way to docker", "sealer", "docker", kubernetes=_REMOTE_DOCKER),
    Rule("etc/dump-config.toml", FILE, "configuration of containerd", "sealer", "containerd"),
    Rule("etc/containerd.service", FILE, "the unit of containerd", "sealer", "containerd"),
    # sealos 4.3 and later
    Rule("opt/sealctl", PROGRAM, "sealos runs it on every node", "sealos"),
    Rule("etc/registry.yml", FILE, "sealos reads the registry's address and password back", "sealos"),
    Rule("etc/registry_config.yml", FILE, "configuration of the registry", "sealos"),
    Rule("cri/registry", PROGRAM, "the registry of the cluster", "sealos"),
    Rule("cri/image-cri-shim", PROGRAM, "gives the kubelet every image from the registry", "sealos"),
    Rule("etc/image-cri-shim.yaml", FILE, "sealos registry passwd edits the copy in /etc", "sealos"),
    Rule("images/shim/DefaultImageList", FILE, "sealos build collects images from it", "sealos"),
    Rule("images/shim/LvscareImageList", FILE, "sealos build collects images from it", "sealos"),
    Rule("cri/cri-dockerd.tar.gz", FILE, "the kubelet's way to docker and the shim", "sealos", "docker"),
)


def network_rules(cni: str, files: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules for an image with a network: its script, and the `files` that the script installs."""
    if cni == NONE:
        return ()
    script = f"{cni}.sh"
    return (
        Rule("scripts/cluster.sh", SCRIPT, f"{script} asks the cluster with it"),
        Rule(f"application/apps/{cni}/{script}", SCRIPT, "sealer launches it"),
        *(Rule(f"applications/{file}", FILE, f"{script} applies it") for file in files),
    )


_SEALER = "cluster.alpha.sealer.io"
FACTS = (
    *(Fact("io.clusterimage.client", "{client}", "tells people what runs the image", name) for name in FLAVORS),
    Fact(f"{_SEALER}/container-runtime-type", "{cri}", "sealer 0.9.2+ runs scripts/<type>.sh", "sealer"),
    Fact(f"{_SEALER}/cluster-runtime-type", "kubernetes", "sealer 0.11 chooses the runtime by it", "sealer"),
    Fact(f"{_SEALER}/cluster-runtime-version", "{kubernetes}", "tells people what is inside", "sealer"),
    Fact("sealos.io.type", "rootfs", "an image without it is an application", "sealos"),
    Fact("sealos.io.version", "v1beta1", "sealos refuses a rootfs without it", "sealos"),
    Fact("version", "{kubernetes}", "sealos takes the Kubernetes version from it", "sealos"),
    Fact("image", "", "the load balancer of the workers", "sealos"),
    Fact("vip", "", "the address of that load balancer", "sealos"),
    Fact("check", "", "sealos runs it on every node first", "sealos"),
    Fact("init-registry", "", "sealos starts the registry with it", "sealos"),
    Fact("init", "", "sealos installs a node with it", "sealos"),
    Fact("clean", "", "sealos reset runs it", "sealos"),
    Fact("clean-registry", "", "sealos reset runs it on the hosts of the registry", "sealos"),
    *(
        Fact(name, "", "labels, templates and scripts use it", "sealos", variable=True)
        for name in ("criData", "registryData", "registryConfig", "registryDomain", "registryPort", "defaultVIP")
    ),
    Fact("registryUsername", "", "sealos makes the registry's password file of it", "sealos", variable=True),
    Fact("registryPassword", "", "sealos makes the registry's password file of it", "sealos", variable=True),
    Fact("sandboxImage", "{pause}", "the pause image of the CRI", "sealos", variable=True),
    Fact("SEALOS_SYS_CRI_ENDPOINT", "", "image-cri-shim asks it", "sealos", variable=True),
    Fact("SEALOS_SYS_IMAGE_ENDPOINT", "", "image-cri-shim listens there", "sealos", variable=True),
)
